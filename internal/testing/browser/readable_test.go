package browser

import (
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/bpfcfg/bpfcfg/internal/testing/rendertest"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
)

// written keeps what labels say, and where: text, left, top, right and bottom in the window.
const written = `void (() => {
	const fill = CanvasRenderingContext2D.prototype.fillText;
	window.written = [];
	CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
		const at = document.getElementById("picture").getBoundingClientRect(), w = this.measureText(text).width;
		window.written.push({ text, left: at.x + x, top: at.y + y, right: at.x + x + w, bottom: at.y + y + Number(/[\d.]+px/.exec(this.font)[0].slice(0, -2)) });
		fill.call(this, text, x, y);
	};
})()`

// labelled are tools for what is written: which labels begin in an element, and whether one
// lies on an element.
const labelled = `
	const box = (e) => e.getBoundingClientRect(), all = (s) => [...document.querySelectorAll(s)];
	const at = (r) => written.filter((l) => l.right > r.left && l.left < r.right && l.bottom > r.top && l.top < r.bottom);
`

// TestReadable states of a picture that is too small for its text: each block says its name,
// what a label says beyond it is within the box, no function's name lies on a block, and the
// pieces of the machine code and the tables are named, too.
func TestReadable(t *testing.T) {
	for _, name := range []string{"01_ipproto_xdp", "13_subprog_switch"} {
		b := open(t, compiled(t, testenv.Path(t, "corpus/out/"+name+".o")))
		b.do(chromedp.Evaluate[chromedp.Void](written))
		b.keys("0")
		b.settle()
		want(b, `document.getElementById("picture").classList.contains("small")`, true)
		want(b, `(() => {`+labelled+`
			return all("#picture .b").filter((e) => !at(box(e.querySelector(".box"))).some((l) => l.text.split(" ")[0].replace("…", "") === e.id)).map((e) => e.id).join(" ");
		})()`, "")
		want(b, `(() => {`+labelled+`
			const boxes = all("#picture .b").map((e) => ({ id: e.id, r: box(e.querySelector(".box")) }));
			return boxes.flatMap(({ id, r }) => at(r).filter((l) => l.text.startsWith(id + " ") && (l.right > r.right + 1 || l.left < r.left - 1)).map((l) => l.text)).join(", ");
		})()`, "")
		want(b, `(() => {`+labelled+`
			const names = ["parse", "main_", "outer", "inner"];
			return all("#picture .b .box").filter((e) => at(box(e)).some((l) => names.includes(l.text))).length + (written.some((l) => names.includes(l.text)) ? 0 : 1);
		})()`, 0)
		want(b, `(() => {`+labelled+`
			return all("#picture .t > rect:first-of-type").every((e) => at(box(e)).length > 0) && all("#picture .piece").some((e) => at(box(e)).length > 0);
		})()`, true)
		want(b, `written.filter((l) => /^b\d+ .{0,5}…$/.test(l.text)).map((l) => l.text).join(", ")`, "") // no word is cut to nothing
		b.shot("labels-" + name)
	}
	b := open(t, compiled(t, testenv.Path(t, "corpus/out/13_subprog_switch.o")))
	b.do(chromedp.Evaluate[chromedp.Void](written))
	b.keys("0")
	b.settle()
	want(b, `written.some((l) => /^b2 (case )?0\b/.test(l.text)) && written.some((l) => /^b16 (case )?8\b/.test(l.text))`, true)
}

// TestFitNarrow fills the width of a telephone with the graph, without what is beside it.
func TestFitNarrow(t *testing.T) {
	b := open(t, compiled(t, testenv.Path(t, "corpus/out/01_ipproto_xdp.o")))
	b.do(chromedp.EmulateViewport(400, 800))
	b.settle()
	b.keys("0")
	const share = `document.querySelector("#picture .frame").getBoundingClientRect().width / innerWidth`
	want(b, share+` > 0.95`, true)
	b.keys("0") // everything
	want(b, share+` < 0.85`, true)
}

// TestMap states that the frame of the small map is as much of it as the window shows of the
// picture, also after all of it showed, and that the map lies on no box unless one asked for it.
func TestMap(t *testing.T) {
	b := open(t, compiled(t, testenv.Path(t, "corpus/out/12_may_goto_switch.o")))
	b.do(chromedp.EmulateViewport(1280, 900))
	const covers = `getComputedStyle(document.getElementById("minimap")).display !== "none" && (() => {
		const m = document.getElementById("minimap").getBoundingClientRect();
		return [...document.querySelectorAll("#picture .b .box")].some((e) => { const r = e.getBoundingClientRect(); return r.right > m.left && r.bottom > m.top && r.left < m.right && r.top < m.bottom; });
	})()`
	b.keys("0")
	b.hash("#b20")
	want(b, `(() => { const s = document.querySelector("#picture > svg"), m = document.querySelector("#minimap canvas").style, f = document.querySelector("#minimap div").style;
		const share = document.getElementById("picture").clientWidth / s.getBoundingClientRect().width;
		return Math.abs(parseFloat(f.width) / parseFloat(m.width) - share) < 0.02; })()`, true)
	want(b, covers, false)
	for _, block := range []string{"#b0", "#b5", "#b41"} {
		b.hash(block)
		want(b, covers, false)
	}
	b.hash("#b20")
	b.focusPicture()
	b.keys("m")
	want(b, covers, true)
	want(b, `document.getElementById("map").getAttribute("aria-pressed")`, "true")
}

// TestChosenStays states that what one chose is in sight when its details have come, which
// take a part of a telephone's window.
func TestChosenStays(t *testing.T) {
	b := open(t, compiled(t, testenv.Path(t, "corpus/out/08_two_tables_one_gotox.o")))
	b.do(chromedp.EmulateViewport(400, 800))
	b.settle()
	b.hash("#b4")
	want(b, `(() => { const r = document.querySelector("#b4 .box").getBoundingClientRect(), p = document.getElementById("picture").getBoundingClientRect();
		return r.top >= p.top && r.bottom <= p.bottom; })()`, true)
	// One that is higher than what is left is shown from its beginning.
	b.do(chromedp.EmulateViewport(400, 420))
	b.settle()
	b.hash("#b2")
	want(b, `(() => { const r = document.querySelector("#b2 .box").getBoundingClientRect(), p = document.getElementById("picture").getBoundingClientRect();
		return r.top >= p.top && r.top < p.bottom; })()`, true)
}

// TestHome states that the first look at a program can be read, whatever its size.
func TestHome(t *testing.T) {
	for _, name := range []string{"10_single_target", "08_two_tables_one_gotox", "01_ipproto_xdp"} {
		b := open(t, compiled(t, testenv.Path(t, "corpus/out/"+name+".o")))
		want(b, `(() => { const e = document.querySelector("#picture > svg"); return e.getBoundingClientRect().width / e.width.baseVal.value >= 0.65; })()`, true)
		want(b, `(() => { const r = document.querySelector("#b0 .box").getBoundingClientRect(); return r.x >= 0 && r.right < innerWidth && r.y >= 0 && r.bottom < innerHeight; })()`, true)
	}
}

// TestBar states that the bar says all of the stamp, at the width of a screen and a telephone,
// that nothing but the drawing is wider, and that its ring of focus is over the drawing.
func TestBar(t *testing.T) {
	b := open(t, compiled(t, testenv.Path(t, "corpus/out/01_ipproto_xdp.o")))
	for _, w := range []int64{1280, 400} {
		b.do(chromedp.EmulateViewport(w, 800))
		b.settle()
		want(b, `document.getElementById("stamp").textContent.length > 40`, true)
		want(b, `(({ scrollWidth: a, clientWidth: b, scrollHeight: c, clientHeight: d }) => a <= b && c <= d)(document.getElementById("stamp"))`, true)
		want(b, `document.documentElement.scrollWidth <= innerWidth`, true)
	}
	checkLongStamp(t)
	b.keys("0")
	b.focusPicture()
	want(b, `(({ content: c, borderTopWidth: w, zIndex: z }) => [c, w, z].join())(getComputedStyle(document.getElementById("picture"), "::after"))`, `"",2px,1`)
}

// checkLongStamp reads all of a stamp that says what is not proven.
func checkLongStamp(t *testing.T) {
	s := rendertest.Three()
	s.Checked = "control flow of the source = machine code, for linux-7.3, 1532 slots unknown"
	s.Unsure = []string{"855 instructions not predicted", "1532 places known only with the kernel"}
	b := open(t, page(t, s))
	for _, w := range []int64{1280, 400} {
		b.do(chromedp.EmulateViewport(w, 800))
		b.settle()
		want(b, `(({ scrollWidth: a, clientWidth: b, scrollHeight: c, clientHeight: d }) => a <= b && c <= d)(document.getElementById("stamp"))`, true)
		want(b, `document.documentElement.scrollWidth <= innerWidth`, true)
		want(b, `[...document.querySelectorAll("header button:not([hidden])")].every((e) => e.getBoundingClientRect().right <= innerWidth)`, true)
	}
}

// TestStraight opens a chain of blocks that all lead on to its end, too: lines over many rows
// go straight down.
func TestStraight(t *testing.T) {
	s := rendertest.New("straight")
	f, last := s.Func("straight"), -1
	for range 30 {
		var body []int
		for i := range 24 {
			b := s.Block(f, "r1 = r2", "if r3 > 7 goto +2")
			if last >= 0 {
				s.Fall(last, b)
			}
			if i%3 == 2 {
				for _, d := range []int{2, 1} {
					s.Taken(body[i-d], b, "")
				}
			}
			if i > 10 {
				s.Taken(body[i-10], b, "")
			}
			body, last = append(body, b), b
		}
		s.Goto(last, body[0])
		s.Loop(body...)
	}
	s.Fall(last, s.Block(f, "r0 = 0", "exit"))
	b := open(t, page(t, s.Scene()))
	b.hash("#b30")
	want(b, drawn, "nest")
	checkPlaces(b)
	corners := eval[int](b, `[...document.querySelectorAll("#picture > svg > .e")].reduce((n, e) => n + e.getAttribute("d").split("Q").length - 1, 0)`)
	if corners > 240 {
		t.Errorf("lines turn %d times", corners)
	}
}
