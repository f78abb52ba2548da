package browser

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/bpfcfg/bpfcfg/internal/testing/rendertest"
	"github.com/bpfcfg/bpfcfg/render"
)

// windowed is a program of which a page shows only the blocks near the window.
func windowed() *render.Scene {
	s := rendertest.Random(1500, 1)
	for i := range s.Blocks {
		s.Blocks[i].Details = []render.Section{{Title: "facts at the start", Lines: []string{fmt.Sprintf("fact of %d", i)}}}
	}
	return s
}

const (
	inside = `document.querySelectorAll("#picture .b").length`
	// The colours on the canvas that shows a program from afar.
	colours = `new Set(new Uint32Array(document.querySelector("#picture canvas").getContext("2d").getImageData(0, 0,
		document.querySelector("#picture canvas").width, document.querySelector("#picture canvas").height).data.buffer)).size`
	canvasShown = `getComputedStyle(document.querySelector("#picture canvas")).display !== "none"`
)

// TestWindowed checks that a large program has few blocks in the document, and
// that all of them can be reached.
func TestWindowed(t *testing.T) {
	s := windowed()
	b := open(t, page(t, s))
	b.keys("f")
	if n := eval[int](b, inside); n == 0 || n > 400 {
		t.Errorf("%d of %d blocks are in the document", n, len(s.Blocks))
	}
	want(b, canvasShown, false)
	for _, i := range []int{1499, 0, 700, 64, 63} {
		b.hash(fmt.Sprintf("#b%d", i))
		want(b, chosen, fmt.Sprintf("b%d", i))
		want(b, `document.querySelector("#picture .chosen .box").getBoundingClientRect().width > 50`, true)
		want(b, panel+`.textContent.includes("fact of `+fmt.Sprint(i)+`")`, true)
		first := s.Blocks[i].Lines[0]
		want(b, panel+fmt.Sprintf(`.textContent.includes(%q)`, fmt.Sprintf("%d  %s", first.Slot, first.Text)), true)
		if n := eval[int](b, inside); n > 800 {
			t.Errorf("at b%d %d blocks are in the document", i, n)
		}
	}
	// Walking along the program crosses payloads of markup and of details.
	for i := 65; i < 70; i++ {
		b.keys("n")
		want(b, panel+fmt.Sprintf(`.querySelector("h2").textContent.startsWith("b%d ")`, i-1), true)
	}
	want(b, `document.querySelectorAll("#picture .loop").length > 0`, true)
}

// TestFar checks the picture from afar: painted, in both schemes, with blocks
// that answer the pointer in both halves.
func TestFar(t *testing.T) {
	const spots = `[...document.querySelectorAll(".spot")].filter((e) => getComputedStyle(e).display === "block").length`
	b := open(t, page(t, windowed()))
	b.keys("f")
	b.hash("#b700")
	b.keys("0")
	want(b, canvasShown, true)
	b.shot("far-whole")
	// The strip is the rightmost thing in the picture.
	strip := eval[[]float64](b, `(() => { const r = document.getElementById("picture").getBoundingClientRect();
		return [r.right, r.y + r.height / 2]; })()`)
	hovered := `document.getElementById("picture").title`
	for x := strip[0]; x > 0 && eval[string](b, hovered) == ""; x -= 8 {
		b.do(chromedp.MouseEvent("mouseMoved", x, strip[1]))
	}
	want(b, spots, 2)
	b.do(chromedp.MouseEvent("mouseMoved", 700, 5))
	b.hash("#b700")
	b.keys("c")
	b.keys("-----")
	want(b, canvasShown, true)
	want(b, `getComputedStyle(document.querySelector("#picture > svg")).visibility`, "hidden")
	if n := eval[int](b, colours); n < 5 {
		t.Errorf("the canvas has %d colours", n)
	}
	b.shot("far-light")
	const corner = `document.querySelector("#picture canvas").getContext("2d").getImageData(1, 1, 1, 1).data.join()`
	light := eval[string](b, corner)
	b.scheme("dark")
	if dark := eval[string](b, corner); dark == light || dark == "0,0,0,0" {
		t.Errorf("the canvas has the ground %s in light, %s in dark", light, dark)
	}
	b.shot("far-dark")
	b.scheme("light")
	// The chosen block is framed in red: hover over it, and over its code.
	xy := eval[[]float64](b, `(() => { const c = document.querySelector("#picture canvas"), r = c.getBoundingClientRect();
		const d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data; let n = 0, x = 0, y = 0;
		for (let i = 0; i < d.length; i += 4) if (d[i] === 207 && d[i + 1] === 34 && d[i + 2] === 46) { n++; x += i / 4 % c.width; y += Math.floor(i / 4 / c.width); }
		return [r.x + x / n * r.width / c.width, r.y + y / n * r.height / c.height]; })()`)
	b.do(chromedp.MouseEvent("mouseMoved", xy[0], xy[1]))
	want(b, `document.getElementById("picture").title.split(",")[0]`, "b700")
	want(b, spots, 2)
	b.keys("\x1b")
	want(b, panel+".hidden", true)
	b.do(chromedp.MouseClickXY(xy[0], xy[1]))
	want(b, panel+`.querySelector("h2").textContent.split(" ")[0]`, "b700")
	want(b, panel+".hidden", false)
	want(b, canvasShown, true)
	b.do(chromedp.MouseClickXY(xy[0], xy[1]), chromedp.MouseClickXY(xy[0], xy[1], chromedp.ClickCount(2)))
	want(b, canvasShown, false)
}

// TestMixed checks a page of small and large programs.
func TestMixed(t *testing.T) {
	small, large := rendertest.Three(), windowed()
	small.Title, large.Title = "small", "large"
	b := open(t, page(t, large), page(t, small), page(t, rendertest.Switch(5)))
	want(b, shownTitle, "large")
	b.keys("]")
	want(b, shownTitle, "small")
	want(b, inside, 3)
	want(b, `document.querySelectorAll("#picture canvas:not(.labels)").length`, 0)
	b.keys("[")
	want(b, shownTitle, "large")
	b.search("call count")
	want(b, `document.getElementById("count").textContent.length > 0`, true)
	b.hash("#small/b2")
	want(b, shownTitle, "small")
	want(b, chosen, "b2")
	b.search("b1499")
	b.keys("\r")
	want(b, shownTitle, "large")
	want(b, chosen, "b1499")
}

// TestPrintWindowed checks that paper gets what the window shows.
func TestPrintWindowed(t *testing.T) {
	b := open(t, page(t, windowed()))
	b.keys("f")
	b.hash("#b700")
	const box = `document.querySelector("#picture > svg").getAttribute("viewBox")`
	all := eval[string](b, box)
	b.media("print")
	part := eval[string](b, box)
	if part == all || strings.HasPrefix(part, "0 0 ") {
		t.Errorf("paper shows %s of %s", part, all)
	}
	want(b, `getComputedStyle(document.querySelector("#picture > svg")).transform`, "none")
	const shape = `(() => { const s = document.querySelector("#picture > svg"), [, , w, h] = ` + box + `.split(" ");
		return s.getAttribute("width") === w && s.getAttribute("height") === h && s.getBoundingClientRect().height > 300; })()`
	want(b, shape, true)
	b.media("")
	want(b, box, all)
}

// TestLongLines checks that of each long line the part near the window is drawn
// where the drawing has it, and no line twice.
func TestLongLines(t *testing.T) {
	p := page(t, windowed())
	b := open(t, p)
	b.keys("f")
	seen := 0
	for i := range p.Placement.Lines {
		w := &p.Placement.Lines[i]
		length := 0
		for j := w.First + 1; j <= w.Last; j++ {
			length += max(w.Points[j].X-w.Points[j-1].X, w.Points[j-1].X-w.Points[j].X) +
				max(w.Points[j].Y-w.Points[j-1].Y, w.Points[j-1].Y-w.Points[j].Y)
		}
		if length <= 4000 || w.First > 0 || w.Curve || w.ToHub || len(w.Edges) > 1 {
			continue
		}
		from, to := p.Scene.Edges[w.Edges[0]].From, p.Scene.Edges[w.Edges[0]].To
		start, end := w.Points[0], w.Points[len(w.Points)-1]
		paths := `[...document.querySelectorAll("#picture > svg > g:not([id]):not(.b) > path.e")].map((e) => e.getAttribute("d"))`
		b.hash(fmt.Sprintf("#b%d", from))
		want(b, fmt.Sprintf(`%s.filter((d) => d.startsWith("M%d %dL")).length`, paths, start.X, start.Y), 1)
		want(b, `[...document.querySelectorAll("#picture .chosen > .long")].filter((e) => getComputedStyle(e).display !== "none").length`, 0)
		want(b, `document.querySelectorAll("#picture .chosen > .long").length > 0`, true)
		if w.Last == len(w.Points)-1 {
			b.hash(fmt.Sprintf("#b%d", to))
			want(b, fmt.Sprintf(`%s.filter((d) => d.endsWith("L%d %d")).length > 0`, paths, end.X, end.Y), true)
		}
		if seen++; seen == 4 {
			return
		}
	}
	if seen == 0 {
		t.Fatal("no line is long")
	}
}
