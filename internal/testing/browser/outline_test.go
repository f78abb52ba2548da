package browser

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/bpfcfg/bpfcfg/internal/testing/rendertest"
	"github.com/bpfcfg/bpfcfg/render"
)

const contents = `document.getElementById("outline")`

// titles are the headings of the outline's groups, with their numbers.
const titles = `[...` + contents + `.querySelectorAll("summary")].map((e) => e.textContent).join("; ")`

// follow clicks the first link of the outline with a text.
func (b *tab) follow(text string) {
	b.Helper()
	b.do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(
		`[...%s.querySelectorAll("a")].find((e) => e.textContent === %q).click()`, contents, text)))
	b.settle()
}

// TestOutline goes to every kind of thing by the outline alone.
func TestOutline(t *testing.T) {
	funcs := rendertest.Funcs()
	loops, jumps := rendertest.Loops(), rendertest.Switch(7)
	b := open(t, page(t, funcs), page(t, loops), page(t, jumps))
	want(b, contents+`.hidden`, false)
	want(b, titles, "mismatches 1; functions 4; indirect 1; dead 2; programs 3")
	for _, text := range []string{"b6 unresolved, ", "goto *handlers[ip->protocol];", "b10 r1 is 0 at slot 13", "b11 no call leads here",
		"b3 has 7 bytes here", "parse_ipv4 3 blocks"} {
		want(b, fmt.Sprintf(`%s.textContent.includes(%q)`, contents, text), true)
	}
	b.follow("b10")
	want(b, chosen, "b10")
	b.follow("parse_ipv4")
	want(b, chosen, "b5")

	// Another program: by its name, found by a part of it.
	b.do(chromedp.Focus("#programlist input"))
	b.keys("nest")
	want(b, contents+`.querySelectorAll("#programlist a").length`, 1)
	b.keys(kb.Enter)
	want(b, shownTitle, loops.Title)
	headers := 0
	for i := range loops.Blocks {
		if loops.Blocks[i].LoopHeader {
			headers++
		}
	}
	want(b, titles, fmt.Sprintf("loops %d; programs 3", headers))
	// The inner loop stands further to the right, each with its C line.
	left := func(i int) string {
		return fmt.Sprintf(`parseInt(%s.querySelectorAll("li")[%d].style.paddingLeft)`, contents, i)
	}
	want(b, left(0)+" < "+left(1), true)
	want(b, contents+`.querySelectorAll("a[aria-current]").length`, 1)

	b.hash("#switch 7")
	want(b, shownTitle, jumps.Title)
	want(b, titles+`.includes("indirect 1")`, true)
	b.keys("o")
	want(b, contents+`.hidden`, true)
	b.keys("o")
	want(b, contents+`.hidden`, false)
	b.shot("outline")
}

// TestOutlineBounds checks that a list of any length stays short in the document.
func TestOutlineBounds(t *testing.T) {
	s := rendertest.Three()
	for range 400 {
		s.Blocks = append(s.Blocks, render.Block{Name: fmt.Sprintf("b%d", len(s.Blocks)), Reachable: len(s.Blocks)%2 == 0,
			Lines: []render.Line{{Slot: 10 * len(s.Blocks), Text: "exit"}}})
	}
	b := open(t, page(t, s))
	want(b, titles, "dead 200")
	want(b, contents+`.querySelectorAll("a").length`, 150)
	want(b, contents+`.textContent.includes("50 more: search is:dead")`, true)
}

// inked is the number of pixels that labels cover in the box of block 0.
const inked = `(() => { const c = document.querySelector("#picture .labels"), k = c.width / c.clientWidth || 1;
	if (c.hidden) return 0;
	const r = document.querySelector("#b0 .box").getBoundingClientRect(), p = document.getElementById("picture").getBoundingClientRect();
	const px = c.getContext("2d").getImageData(Math.round((r.x - p.x) * k), Math.round((r.y - p.y) * k), Math.ceil(r.width * k), Math.ceil(r.height * k)).data;
	let n = 0;
	for (let i = 3; i < px.length; i += 4) if (px[i] > 100) n++;
	return n; })()`

// TestLabels checks that something can be read where the drawing's text cannot.
func TestLabels(t *testing.T) {
	b := open(t, page(t, rendertest.Loops()))
	b.keys("1")
	want(b, inked, 0)
	for range 6 {
		b.keys("-")
		small := eval[bool](b, `document.querySelector("#b0 .box").getBoundingClientRect().width / document.querySelector("#b0 .box").getBBox().width < 0.65`)
		if got := eval[int](b, inked); small != (got > 20) {
			t.Errorf("small %t: %d pixels of labels", small, got)
		}
		want(b, `getComputedStyle(document.querySelector("#b0 text")).display === "none"`, small)
	}
	b.shot("labels")
}
