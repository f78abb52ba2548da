package browser

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/bpfcfg/bpfcfg/internal/testing/rendertest"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
)

const (
	closed = `document.querySelectorAll("#picture .b.closed").length`
	frames = `document.querySelectorAll("#picture .nesthead").length`
	// blocksShown counts the blocks of the drawing, those in closed boxes too.
	blocksShown = `[...document.querySelectorAll("#picture .b")].reduce((n, e) => n + Number(e.classList.contains("closed") ? / of (\d+) blocks/.exec(e.textContent)[1] : 1), 0)`
	way         = `[...document.querySelectorAll("#way button")].map((e) => e.textContent).join(" > ")`
)

// clickOn clicks the middle of the first element that a selector finds in the drawing.
func (b *tab) clickOn(selector string) {
	b.Helper()
	xy := eval[[]float64](b, fmt.Sprintf(`(() => { const r = document.querySelector(%q).getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; })()`, selector))
	b.do(chromedp.MouseClickXY(xy[0], xy[1]))
	b.settle()
}

// focusPicture puts the keyboard there.
func (b *tab) focusPicture() {
	b.Helper()
	b.do(chromedp.Evaluate[chromedp.Void](`document.getElementById("picture").focus()`))
}

// TestNests opens loops in loops in loops, level by level, and closes them: 1 loop of
// 950 blocks holds 6 of 158, each of these 6 of 26, each of these 6 of 4.
func TestNests(t *testing.T) {
	b := open(t, page(t, rendertest.Nests(4, 4, 6)))
	want(b, isFolded, true)
	t.Run("keyboard", func(t *testing.T) {
		b.keys("n") // b0
		b.keys("n") // the loop
		want(b, chosen, "b1")
		for level, shown := range []int{6, 11, 16} {
			b.focusPicture()
			b.keys(kb.Enter)
			want(b, drawn, "nest")
			want(b, frames, level+1)
			want(b, closed, shown)
			want(b, blocksShown, 950)
			b.keys("n") // the first loop in it
			want(b, chosen, fmt.Sprintf("b%d", level+2))
		}
		want(b, way, "all > b1 loop > b2 loop > b3 loop")
		checkPlaces(b)
		b.shot("nests")
		b.keys(kb.Enter) // the innermost has 4 blocks
		want(b, frames, 4)
		want(b, closed, 15)
		for level := 3; level > 0; level-- {
			b.keys("F")
			want(b, frames, level)
			want(b, chosen, fmt.Sprintf("b%d", level+1))
		}
		b.keys(kb.Escape) // the details
		want(b, drawn, "nest")
		b.keys(kb.Escape)
		want(b, isFolded, true)
		want(b, chosen, "b1")
	})
	t.Run("pointer", func(t *testing.T) {
		b.do(chromedp.Evaluate[chromedp.Void](`void document.querySelector("#b953 .box").dispatchEvent(new MouseEvent("dblclick", { bubbles: true }))`))
		want(b, way, "all > b953 loop")
		b.clickOn("#b1112 .opener")
		want(b, frames, 2)
		want(b, way, "all > b953 loop > b1112 loop")
		b.clickOn(`#picture .nesthead[data-nest="1112"] text`)
		want(b, frames, 1)
		want(b, closed, 6)
		b.do(chromedp.Evaluate[chromedp.Void](`void document.querySelector("#way button").click()`))
		want(b, isFolded, true)
	})
	t.Run("outline", func(t *testing.T) {
		const twists = contents + `.querySelectorAll("[data-loop]").length`
		twist := func(head int) {
			b.do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`void %s.querySelector("[data-loop='%d']").click()`, contents, head)))
			b.settle()
		}
		expanded := func(head int) string {
			return fmt.Sprintf(`%s.querySelector("[data-loop='%d']").getAttribute("aria-expanded")`, contents, head)
		}
		want(b, titles+`.includes("loops 1036")`, true)
		want(b, twists, 4)
		twist(1905)
		want(b, expanded(1905), "true")
		want(b, twists, 10)
		want(b, frames, 1)
		twist(1906)
		want(b, twists, 16)
		want(b, frames, 2)
		b.focusPicture()
		b.keys("F") // what closes in the drawing closes here
		want(b, expanded(1906), "false")
		want(b, twists, 10)
		twist(1905)
		want(b, isFolded, true)
		want(b, twists, 4)
	})
}

// TestNestChain opens a loop with 400 loops one after the other, which are a chain as long
// as itself: they are in parts.
func TestNestChain(t *testing.T) {
	b := open(t, page(t, rendertest.Nests(1, 2, 400)))
	b.hash("#b1000")
	want(b, drawn, "nest")
	want(b, chosen, "b1000")
	want(b, closed+" < 130", true)
	want(b, frames+" < 6", true)
}

// placesOf are the boxes and open frames of the drawing: what each is, and left, top, right, bottom.
const placesOf = `[...document.querySelectorAll("#picture > svg > .b > .box, #picture > svg > .nestframe")].map((e) => {
	const r = e.getBBox(); return [e.classList.contains("box") ? 1 : 0, r.x, r.y, r.x + r.width, r.y + r.height]; })`

// TestNestPlaces states of open boxes of random programs: no box lies on another, each is
// within the frames around it, no upright line runs through a box, and all blocks are there.
func TestNestPlaces(t *testing.T) {
	for seed := range uint64(2) {
		s := rendertest.Random(1500, 40+seed)
		b := open(t, page(t, s))
		ids := eval[[]string](b, `[...document.querySelectorAll("#picture .b")].filter((e) => / of \d+ blocks/.test(e.textContent)).map((e) => e.id)`)
		if len(ids) == 0 {
			t.Fatal("nothing is folded")
		}
		for _, id := range ids[:min(4, len(ids))] {
			blocks := eval[int](b, fmt.Sprintf(`Number(/ of (\d+) blocks/.exec(document.getElementById(%q).textContent)[1])`, id))
			b.hash("#" + id)
			want(b, drawn, "nest")
			want(b, blocksShown, blocks)
			checkPlaces(b)
			b.do(chromedp.Evaluate[chromedp.Void](`void document.querySelector("#way button").click()`))
			want(b, isFolded, true)
		}
	}
}

// looseEnds are the ends of lines that lie at no box, frame, words or other line.
const looseEnds = `(() => {
	const rects = [...document.querySelectorAll("#picture > svg .box, #picture > svg .nestframe, #picture > svg .chip")].map((e) => e.getBBox());
	const lines = [...document.querySelectorAll("#picture > svg > .e")].map((e) => e.getAttribute("d").match(/-?[\d.]+/g).map(Number));
	const edge = (x, y, r) => x > r.x - 2 && x < r.x + r.width + 2 && y > r.y - 2 && y < r.y + r.height + 2 &&
		!(x > r.x + 2 && x < r.x + r.width - 2 && y > r.y + 2 && y < r.y + r.height - 2);
	const on = (x, y, p) => p.some((_, i) => i % 2 === 0 && i + 3 < p.length && x > Math.min(p[i], p[i + 2]) - 2 && x < Math.max(p[i], p[i + 2]) + 2 &&
		y > Math.min(p[i + 1], p[i + 3]) - 2 && y < Math.max(p[i + 1], p[i + 3]) + 2);
	return lines.flatMap((p) => [[p[0], p[1], p], [p.at(-2), p.at(-1), p]])
		.filter(([x, y, own]) => !rects.some((r) => edge(x, y, r)) && !lines.some((p) => p !== own && on(x, y, p)))
		.slice(0, 5).map(([x, y]) => x + "," + y).join(" ");
})()`

func checkPlaces(b *tab) {
	b.Helper()
	places := eval[[][]float64](b, placesOf)
	within := func(p, q []float64) bool { return p[1] >= q[1] && p[2] >= q[2] && p[3] <= q[3] && p[4] <= q[4] }
	apart := func(p, q []float64) bool { return p[3] <= q[1] || p[1] >= q[3] || p[4] <= q[2] || p[2] >= q[4] }
	for i, p := range places {
		for j, q := range places {
			if i != j && p[0] == 1 && !apart(p, q) && (q[0] == 1 || !within(p, q)) {
				b.Errorf("%v and %v", p, q)
			}
		}
	}
	if loose := eval[string](b, looseEnds); loose != "" {
		b.Errorf("lines end at nothing: %s", loose)
	}
	if n := eval[int](b, fmt.Sprintf(`(() => { const boxes = %s.filter((p) => p[0]); let n = 0;
		for (const e of document.querySelectorAll("#picture > svg > .e")) {
			const length = e.getTotalLength();
			for (let at = 4; at < length - 4; at += 5) {
				const p = e.getPointAtLength(at);
				if (boxes.some((b) => p.x > b[1] + 1 && p.x < b[3] - 1 && p.y > b[2] + 1 && p.y < b[4] - 1)) n++;
			}
		}
		return n; })()`, placesOf)); n > 0 {
		b.Errorf("lines run through boxes at %d points", n)
	}
}

// TestCases: a thousand cases are boxes of about as many each, and what is in one stands in
// rows, each case at the end of a line from one trunk and with words in place of a line to
// where all go on.
func TestCases(t *testing.T) {
	b := open(t, compiled(t, testenv.Path(t, "corpus/out/15_thousand_cases.o")))
	want(b, isFolded, true)
	want(b, `[...document.querySelectorAll("#picture .b")].filter((e) => /^b\d+\s+[\d–]+\s*\d+ cases: \d/.test(e.textContent)).length`, 33)
	b.hash("#b120")
	want(b, drawn, "nest")
	const cases = `[...document.querySelectorAll("#picture .b")]`
	want(b, cases+`.length`, 31)
	want(b, `document.querySelectorAll("#picture path.a3").length`, 31) // heads of lines
	want(b, cases+`.every((e) => e.querySelector('a[href="#b1002"]'))`, true)
	want(b, `document.querySelectorAll("#picture path.e:not(.k3)").length`, 0)
	want(b, `(({ width: w, height: h }) => w.baseVal.value < 2200 && h.baseVal.value < 1600)(document.querySelector("#picture > svg"))`, true)
	// All lines have their trunk at one x; those with one corner end on the way to it.
	want(b, `new Set([...document.querySelectorAll("#picture path.e")].map((e) => e.getAttribute("d")).filter((d) => d.split("Q").length !== 2).map((d) => d.match(/L([\d.]+) [\d.]+$/)[1])).size`, 1)
	checkPlaces(b)
	b.shot("cases")
	b.do(chromedp.Evaluate[chromedp.Void](`void document.querySelector("#b120 a").dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true }))`))
	b.settle()
	want(b, chosen, "b1002")
}

// TestCasesInLoop opens a loop around a switch of 625 cases: they are 25 boxes of 25,
// at one trunk.
func TestCasesInLoop(t *testing.T) {
	s := rendertest.New("loop of cases")
	f := s.Func("loop")
	head, jump := s.Block(f, "if r3 > 7 goto +2"), s.Block(f, "gotox r1")
	body, targets := []int{head, jump}, []int(nil)
	for range 625 {
		targets = append(targets, s.Block(f, "r0 += 1", "goto +9"))
	}
	back := s.Block(f, "r3 += 1", "goto -9")
	s.Fall(head, jump)
	s.Taken(head, s.Block(f, "exit"), "")
	s.Switch("t", jump, targets...)
	for _, c := range targets {
		s.Goto(c, back)
	}
	s.Goto(back, head)
	s.Loop(append(append(body, targets...), back)...)
	b := open(t, page(t, s.Scene()))
	b.hash("#b1")
	want(b, drawn, "nest")
	want(b, `[...document.querySelectorAll("#picture .b.closed")].filter((e) => e.textContent.includes("cases in 25 blocks")).length`, 25)
	want(b, `document.querySelectorAll("#picture path.a3").length`, 25)
	checkPlaces(b)
	b.shot("cases-loop")
}

// TestTallNest opens a loop whose blocks follow each other: they go on in columns, and no box
// is on another.
func TestTallNest(t *testing.T) {
	s := rendertest.New("tall")
	f, last := s.Func("tall"), -1
	for range 30 {
		var body []int
		for i := range 24 {
			b := s.Block(f, "r1 = r2", "r3 += r1", "if r3 > 7 goto +2")
			if last >= 0 {
				s.Fall(last, b)
			}
			if i > 1 {
				s.Taken(body[i-2], b, "")
			}
			body, last = append(body, b), b
		}
		s.Goto(last, body[0])
		s.Loop(body...)
	}
	s.Fall(last, s.Block(f, "r0 = 0", "exit"))
	b := open(t, page(t, s.Scene()))
	want(b, isFolded, true)
	b.keys("n")
	b.focusPicture()
	b.keys(kb.Enter)
	want(b, drawn, "nest")
	want(b, frames, 1)
	want(b, `(({ width: w, height: h }) => w.baseVal.value > h.baseVal.value / 2)(document.querySelector("#picture > svg"))`, true)
	want(b, `(() => {
		const all = [...document.querySelectorAll("#picture .b .box")].map((e) => e.getBBox());
		return all.filter((a, i) => all.some((o, k) => k > i && a.x < o.x + o.width && o.x < a.x + a.width && a.y < o.y + o.height && o.y < a.y + a.height)).length;
	})()`, 0)
	b.shot("tall")
}
