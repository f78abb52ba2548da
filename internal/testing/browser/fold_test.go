package browser

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/bpfcfg/bpfcfg/internal/testing/rendertest"
	"github.com/bpfcfg/bpfcfg/render"
)

// isFolded is whether the folded drawing shows, nothing of it open; drawn says what shows:
// "folded", an open box as "nest", or "whole".
const (
	drawn    = `document.getElementById("picture").dataset.view`
	isFolded = drawn + ` === "folded"`
)

// A box that stands for several blocks, and its name in the document.
const aFoldedBox = `[...document.querySelectorAll("#picture .b")].find((e) => / of \d+ blocks/.test(e.textContent))`

// TestFold opens a program of 10,000 blocks: it is folded, every box can be read of and
// opens by key and by pointer, and the way back is a key, too.
func TestFold(t *testing.T) {
	b := open(t, page(t, rendertest.Random(10_000, 1)))
	want(b, isFolded, true)
	if n := eval[int](b, inside); n < 20 || n > 130 {
		t.Errorf("%d boxes", n)
	}
	want(b, `[...document.querySelectorAll("#picture .b")].every((e) => e.getAttribute("aria-label"))`, true)
	id := eval[string](b, aFoldedBox+".id")
	b.do(chromedp.Evaluate[chromedp.Void](`void ` + aFoldedBox + `.querySelector(".box").dispatchEvent(new MouseEvent("click", { bubbles: true }))`))
	want(b, panel+`.querySelector("h2").textContent.startsWith("`+id+` ")`, true)
	want(b, isFolded, true)
	b.do(chromedp.Evaluate[chromedp.Void](`document.getElementById("picture").focus()`))
	b.keys(kb.Enter)
	want(b, drawn, "nest")
	want(b, `document.querySelector("#picture .chosen").id`, id)
	want(b, `(() => { const r = document.querySelector("#picture .chosen .box").getBoundingClientRect(); return r.width > 50 && r.x > 0 && r.y > 0; })()`, true)
	b.keys(kb.Escape)
	want(b, drawn, "nest")
	b.keys(kb.Escape)
	want(b, isFolded, true)
	want(b, `document.querySelector("#picture .chosen").id`, id)
	// An address of a block inside a box opens it; search finds all blocks.
	b.search("is:header")
	found := eval[string](b, `document.getElementById("count").textContent`)
	b.hash("#b7777")
	want(b, drawn, "nest")
	want(b, `document.querySelector("#picture .chosen").id`, "b7777")
	want(b, `document.getElementById("b7777").classList.contains("closed")`, false)
	b.search("is:header")
	want(b, `document.getElementById("count").textContent`, found)
}

// TestFoldMiddle opens a program folded whose names would lie on each other at a glance, and
// shows the signs of branches in what is opened, but not at boxes with several branches.
func TestFoldMiddle(t *testing.T) {
	s := rendertest.Random(440, 1)
	for i := range s.Blocks { // a row more than is shown of a long block, which is then all of it
		s.Blocks[i].Lines = nil
		for k := range 17 {
			s.Blocks[i].Lines = append(s.Blocks[i].Lines, render.Line{Slot: 20*i + k, Text: fmt.Sprintf("r%d = 1", k)})
		}
	}
	b := open(t, page(t, s))
	want(b, isFolded, true)
	want(b, inside+` <= 120`, true)
	const signs = `[...document.querySelectorAll("#picture .lab")].filter((e) => /^[TF]$/.test(e.textContent)).length`
	want(b, `[...document.querySelectorAll("#picture .b")].filter((e) => / of \d+ blocks/.test(e.textContent) && !/chain of/.test(e.textContent) &&
		[...e.querySelectorAll(".lab")].some((l) => /^[TF]$/.test(l.textContent))).length`, 0)
	id := eval[string](b, aFoldedBox+".id")
	b.hash("#" + id)
	want(b, drawn, "nest")
	want(b, signs+` > 1`, true)
	want(b, `(({ textContent: t }) => t.includes("r16 = 1") && !t.includes("more"))(document.getElementById("`+id+`"))`, true)
}

// TestFoldWays steps along the boxes: each is entered from the one before.
func TestFoldWays(t *testing.T) {
	b := open(t, page(t, rendertest.Random(2000, 2)))
	b.keys("n")
	first := eval[string](b, panel+`.querySelector("h2").textContent`)
	b.keys("s")
	want(b, isFolded, true)
	second := eval[string](b, `document.querySelector("#picture .chosen").id`)
	if first == second {
		t.Errorf("still at %s", first)
	}
	b.keys("r")
	want(b, panel+`.querySelector("h2").textContent`, first)
	b.keys("n")
	want(b, `document.querySelector("#picture .chosen .box") !== null`, true)
}

// TestRounds: the rounds of an unrolled loop are one box in a program that is not
// large, and open on request.
func TestRounds(t *testing.T) {
	s := rendertest.Random(60, 4)
	first := 20
	g := render.Group{Kind: render.GroupRounds, Text: "rounds 2–4, like b11–b13: 3 blocks each", Each: 3}
	for i := range 9 {
		g.Blocks = append(g.Blocks, first+i)
	}
	s = chain(s, first, 9)
	s.Groups = []render.Group{g}
	b := open(t, page(t, s), page(t, rendertest.Random(10, 1)))
	want(b, isFolded, true)
	want(b, `document.getElementById("b20").textContent.includes("rounds 2–4")`, true)
	want(b, `document.getElementById("b21") === null`, true)
	// By keyboard: to the box, open it, close it.
	b.hash("#b19")
	b.keys("n")
	want(b, chosen, "b20")
	b.focusPicture()
	b.keys(kb.Enter)
	want(b, drawn, "nest")
	want(b, chosen, "b20")
	b.keys("F")
	want(b, isFolded, true)
	b.hash("#b22") // a link into a round opens what holds it
	want(b, drawn, "nest")
	want(b, chosen, "b22")
	want(b, `document.querySelectorAll("#picture .b").length`, 3+2) // its round, and two closed ones
	want(b, closed, 2)
	want(b, way, "all > b20 rounds > b20 round 2")
	b.keys("F")
	want(b, way, "all > b20 rounds")
	want(b, closed, 3)
	b.keys("F")
	want(b, isFolded, true)
	want(b, chosen, "b20")
	b.keys("f")
	want(b, drawn, "whole")
	want(b, inside, len(s.Blocks))
	b.keys("]")
	want(b, `document.getElementById("fold").hidden`, true)
}

// chain makes n blocks of a scene from one on follow each other and nothing else.
func chain(s *render.Scene, from, n int) *render.Scene {
	in := func(b int) bool { return b >= from && b < from+n }
	var edges []render.Edge
	for _, e := range s.Edges {
		if !in(e.From) && (!in(e.To) || e.To == from) {
			edges = append(edges, e)
		}
	}
	for b := from; b < from+n; b++ {
		s.Blocks[b].LoopHeader, s.Blocks[b].LoopDepth = false, 0
		edges = append(edges, render.Edge{From: b, To: b + 1, Kind: render.FallThrough})
	}
	s.Edges, s.Image, s.Tables = edges, nil, nil
	return s
}

// TestResize: whatever size the window gets, something of the drawing is in it, and the
// small map leaves room for it.
func TestResize(t *testing.T) {
	b := open(t, page(t, rendertest.Three()))
	const sees = `(() => { const p = document.getElementById("picture").getBoundingClientRect();
		return [...document.querySelectorAll("#picture .box")].some((e) => { const r = e.getBoundingClientRect();
			return r.right > p.left && r.left < p.right && r.bottom > p.top && r.top < p.bottom; }); })()`
	for _, size := range [][2]int64{{1600, 1100}, {400, 200}, {1600, 1100}, {700, 200}, {400, 800}} {
		b.keys("0")
		b.do(chromedp.EmulateViewport(size[0], size[1]))
		want(b, sees, true)
		want(b, `document.getElementById("minimap").hidden === (document.getElementById("picture").clientWidth < 500)`, true)
		want(b, `(() => { const t = [...document.querySelectorAll("header button:not([hidden])")].map((e) => e.getBoundingClientRect().top);
			return Math.max(...t) - Math.min(...t) < 2; })()`, true)
	}
}
