package browser

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/performance"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/bpfcfg/bpfcfg/internal/testing/rendertest"
	"github.com/bpfcfg/bpfcfg/render"
)

// page places a scene.
func page(t *testing.T, s *render.Scene) render.Page {
	t.Helper()
	l, err := render.Place(s, render.PlaceOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return render.Page{Scene: s, Placement: l}
}

// two returns a page's two programs, with details and counts in the first.
func two(t *testing.T) []render.Page {
	a, b := rendertest.Three(), rendertest.Switch(15)
	a.Title, b.Title = "first", "a/b ü <i>"
	n := uint64(7)
	a.Counted = "visits in a test"
	for i := range a.Blocks {
		a.Blocks[i].Count = &n
		a.Blocks[i].Details = []render.Section{{Title: "x86-64", Lines: []string{"endbr64", "<b>no markup</b>"}}}
	}
	return []render.Page{page(t, a), page(t, b)}
}

const (
	shownTitle = `document.querySelector("#picture > svg > title").textContent`
	chosen     = `(document.querySelector("#picture .chosen")?.id ?? "")`
	panel      = `document.getElementById("details")`
	// Left, top and width of what the window shows, in screen pixels.
	place = `(() => { const r = document.querySelector("#picture > svg").getBoundingClientRect();
		return [-r.x, -r.y, r.width]; })()`
)

func TestSearch(t *testing.T) {
	b := open(t, two(t)...)
	want(b, shownTitle, "first")
	b.keys("/")
	want(b, `document.activeElement.id`, "search")
	// The browser that the test drives types the slash too, a user's does not.
	b.do(chromedp.Evaluate[chromedp.Void](`void (document.activeElement.value = "")`))
	b.keys("cases")
	want(b, `document.getElementById("count").textContent`, "1 block, 0 here")
	b.keys(kb.Enter)
	want(b, shownTitle, "a/b ü <i>")
	want(b, `document.querySelectorAll("#picture .hit").length`, 1)
	want(b, `location.hash.startsWith("#a%2Fb%20%C3%BC%20%3Ci%3E/b")`, true)
	want(b, panel+`.textContent.includes("cases")`, true)
	b.keys(kb.Escape)
	want(b, `document.querySelectorAll("#picture .hit").length`, 0)
	want(b, `document.activeElement.id`, "picture")
}

func TestClick(t *testing.T) {
	b := open(t, two(t)...)
	want(b, panel+`.hidden`, true)
	// The middle of a block's box, and then of its piece of the machine code.
	for _, part := range []string{".box", ".piece"} {
		b.keys("0")
		xy := eval[[]float64](b, `(() => { const r = document.querySelector("#b1 `+part+`").getBoundingClientRect();
			return [r.x + r.width / 2, r.y + r.height / 2]; })()`)
		b.do(chromedp.MouseClickXY(xy[0], xy[1]))
		want(b, chosen, "b1")
		want(b, `location.hash`, "#first/b1")
		b.keys("p")
		want(b, chosen, "b0")
	}
	want(b, panel+`.querySelector("pre").textContent.includes("r0 = 1")`, true)
	want(b, panel+`.textContent.includes("<b>no markup</b>")`, true)
	want(b, panel+`.querySelector("b")`+` === null`, true)
	want(b, panel+`.textContent.includes("7 visits")`, true)
	// A link in the panel leads to the other end of an edge.
	b.do(chromedp.Evaluate[chromedp.Void](panel + `.querySelector("a").click()`))
	want(b, chosen+` !== "b0"`, true)
	b.keys(kb.Escape)
	want(b, panel+`.hidden`, true)
}

// TestHover checks that the pointer over one half lights up the block in the
// other.
func TestHover(t *testing.T) {
	b := open(t, two(t)...)
	for _, halves := range [][2]string{{".piece", ".box"}, {".box", ".piece"}} {
		b.do(chromedp.MouseEvent("mouseMoved", 5, 5))
		width := `getComputedStyle(document.querySelector("#b2 ` + halves[1] + `")).strokeWidth`
		before := eval[string](b, width)
		xy := eval[[]float64](b, `(() => { const r = document.querySelector("#b2 `+halves[0]+`").getBoundingClientRect();
			return [r.x + r.width / 2, r.y + r.height / 2]; })()`)
		b.do(chromedp.MouseEvent("mouseMoved", xy[0], xy[1]))
		if after := eval[string](b, width); after == before {
			t.Errorf("over the %s, the line of the %s stays %s", halves[0], halves[1], after)
		}
	}
}

func TestPermalink(t *testing.T) {
	b := open(t, two(t)...)
	for _, c := range []struct{ hash, title, block string }{
		{"#first/b2", "first", "b2"},
		{"#a%2Fb%20%C3%BC%20%3Ci%3E/b3", "a/b ü <i>", "b3"},
		{"#b1", "a/b ü <i>", "b1"},
		{"#f0", "a/b ü <i>", "b0"},
		{"#first/f0", "first", "b0"},
	} {
		b.do(chromedp.Evaluate[chromedp.Void](`void (location.hash = "` + c.hash + `")`))
		want(b, shownTitle, c.title)
		want(b, chosen, c.block)
	}
	for _, hash := range []string{"#nobody/b1", "#first/b99", "#%zz/b1", "#b", "#t9", "#<script>"} {
		b.do(chromedp.Evaluate[chromedp.Void](`void (location.hash = "` + hash + `")`))
		want(b, chosen, "b0")
	}
	// From a new window, as from a bookmark.
	b.do(chromedp.Navigate("about:blank"))
	b.url = strings.TrimSuffix(b.url, "#")
	b.mu.Lock()
	b.trouble = nil // the request for about:blank
	b.mu.Unlock()
	b.do(chromedp.Navigate(b.url + "#a%2Fb%20%C3%BC%20%3Ci%3E/b4"))
	want(b, shownTitle, "a/b ü <i>")
	want(b, chosen, "b4")
}

// TestNamesLikeAddresses opens programs that are called as blocks, functions and
// tables are in addresses.
func TestNamesLikeAddresses(t *testing.T) {
	var pages []render.Page
	names := []string{"arith", "b1", "f1", "t2", "b0"}
	for _, name := range names {
		s := rendertest.Three()
		s.Title = name
		pages = append(pages, page(t, s))
	}
	b := open(t, pages...)
	for _, name := range names[1:] {
		b.keys("]")
		want(b, shownTitle, name)
	}
	for _, name := range names {
		b.hash("#" + name)
		want(b, shownTitle, name)
		want(b, chosen, "")
		b.do(chromedp.Evaluate[chromedp.Void](`(() => { const s = document.getElementById("programs"); s.value = "f1"; s.onchange(); })()`))
		b.settle()
		want(b, shownTitle, "f1")
		b.hash("#" + name + "/b1")
		want(b, shownTitle, name)
		want(b, chosen, "b1")
	}
}

func TestKeys(t *testing.T) {
	b := open(t, two(t)...)
	box := eval[string](b, place+`.join(" ")`)
	for _, k := range []string{"+", "-", "1", kb.ArrowLeft, kb.ArrowUp, "0"} {
		b.keys(k)
		now := eval[string](b, place+`.join(" ")`)
		if now == box && k != "0" {
			t.Errorf("key %q does not move the picture from %s", k, now)
		}
		box = now
	}
	b.keys("n")
	want(b, chosen, "b0")
	b.keys("s")
	want(b, chosen+` !== "b0"`, true)
	b.keys("r")
	want(b, chosen, "b0")
	b.keys("]")
	want(b, shownTitle, "a/b ü <i>")
	b.keys("[")
	want(b, shownTitle, "first")
	b.keys("?")
	want(b, `document.getElementById("keys").open`, true)
	b.keys(kb.Escape)
	want(b, `document.getElementById("keys").open`, false)
	b.keys("m")
	want(b, `document.getElementById("minimap").hidden`, true)
}

func TestDrag(t *testing.T) {
	b := open(t, page(t, rendertest.Random(200, 1)))
	want(b, `getComputedStyle(document.getElementById("minimap")).display !== "none"`, true)
	before := eval[[]float64](b, place)
	b.do(chromedp.DragAndDropXY(700, 500, 500, 450))
	after := eval[[]float64](b, place)
	if after[0] <= before[0] || after[1] <= before[1] || after[2] != before[2] {
		t.Errorf("dragging 200 left and 50 up moves %v to %v", before, after)
	}
	want(b, chosen, "")
	// The small map leads to its lower right corner. Where it would lie on a box one asks for it.
	if eval[bool](b, `getComputedStyle(document.getElementById("minimap")).display === "none"`) {
		b.focusPicture()
		b.keys("m")
	}
	xy := eval[[]float64](b, `(() => { const r = document.querySelector("#minimap canvas").getBoundingClientRect();
		return [r.right - 3, r.bottom - 3]; })()`)
	b.do(chromedp.MouseClickXY(xy[0], xy[1]))
	end := eval[[]float64](b, place)
	if end[0] <= after[0] || end[1] <= after[1] {
		t.Errorf("the small map moves %v to %v", after, end)
	}
}

// TestSchemes checks that text is dark on light and light on dark.
func TestSchemes(t *testing.T) {
	b := open(t, two(t)...)
	const lum = `((c) => c.match(/[0-9]+/g).slice(0, 3).reduce((a, v) => a + Number(v), 0))`
	for _, scheme := range []string{"light", "dark"} {
		b.scheme(scheme)
		b.keys("n")
		for _, pair := range [][2]string{
			{`getComputedStyle(document.querySelector("#b0 .name")).fill`, `getComputedStyle(document.querySelector("#b0 .box")).fill`},
			{`getComputedStyle(document.getElementById("details")).color`, `getComputedStyle(document.body).backgroundColor`},
			{`getComputedStyle(document.getElementById("fit")).color`, `getComputedStyle(document.getElementById("fit")).backgroundColor`},
		} {
			ink, paper := eval[int](b, lum+"("+pair[0]+")"), eval[int](b, lum+"("+pair[1]+")")
			if scheme == "light" && paper-ink < 400 || scheme == "dark" && ink-paper < 400 {
				t.Errorf("%s: %s is %d on %d", scheme, pair[0], ink, paper)
			}
		}
		b.shot("two-" + scheme)
	}
}

// TestNames checks that everything to act on has a name for those who do not
// see it, and that every block has one.
func TestNames(t *testing.T) {
	b := open(t, two(t)...)
	b.keys("n")
	want(b, `[...document.querySelectorAll("button, input, select, a, main, aside, dialog, svg, #picture .b")].filter((e) =>
		!(e.getAttribute("aria-label") || e.textContent).trim()).map((e) => e.outerHTML.slice(0, 80)).join("\n")`, "")
	want(b, `document.querySelector("#b0").getAttribute("aria-label")`, "b0, instructions 0 to 2, entry, 7 visits, to b1 b2")
	want(b, `document.documentElement.lang`, "en")
}

// TestPrint checks that paper gets all of the picture and no buttons.
func TestPrint(t *testing.T) {
	b := open(t, page(t, rendertest.Random(200, 1)))
	b.keys("1")
	b.media("print")
	want(b, `getComputedStyle(document.querySelector("#picture > svg")).transform`, "none")
	want(b, `document.querySelector("#picture > svg").getBoundingClientRect().width <= innerWidth`, true)
	want(b, `getComputedStyle(document.querySelector("header")).display`, "none")
	b.media("")
	pdf, err := chromedp.Run(b.ctx, chromedp.PrintToPDF())
	if err != nil || !strings.HasPrefix(string(pdf), "%PDF-") {
		t.Errorf("no PDF: %v", err)
	}
}

// TestLarge opens a large page and moves about in it. PAGE_BLOCKS asks for
// another size than what takes seconds.
func TestLarge(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	out, query := []byte(nil), "bpf_map_lookup"
	if path := os.Getenv("PAGE_FILE"); path != "" {
		query = "exit"
		var err error
		if out, err = os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
	} else {
		blocks := 2000
		if n, err := strconv.Atoi(os.Getenv("PAGE_BLOCKS")); err == nil {
			blocks = n
		}
		var err error
		if out, err = render.HTMLPages("test", []render.Page{page(t, rendertest.Random(blocks, 1))}); err != nil {
			t.Fatal(err)
		}
	}
	b := openFile(t, out)
	t.Logf("%d kB, usable after %.0f ms", len(out)/1000, eval[float64](b, "performance.now()"))
	timed := func(what, js string) {
		ms := eval[float64](b, `(async () => { const t = performance.now(); `+js+`; do await new Promise((ok) =>
			requestAnimationFrame(() => setTimeout(ok))); while (!(`+settled+`)); return performance.now() - t; })()`)
		t.Logf("%-24s %6.0f ms", what, ms)
	}
	key := func(k string) string { return `dispatchEvent(new KeyboardEvent("keydown", { key: "` + k + `" }))` }
	timed("step, readable", key("ArrowDown"))
	timed("step, readable", key("ArrowRight"))
	timed("zoom out", key("-"))
	timed("everything", key("0"))
	timed("step, everything", key("ArrowDown"))
	timed("step, everything", key("ArrowRight"))
	timed("actual size", key("1"))
	timed("choose", key("n"))
	timed("search", `const s = document.getElementById("search"); s.value = "`+query+`"; s.dispatchEvent(new Event("input"))`)
	want(b, `Number(document.getElementById("count").textContent.split(" ")[0]) > 0`, true)
	b.shot("large")
	if _, err := chromedp.Call(b.ctx, performance.Enable, performance.EnableParams{}); err != nil {
		t.Fatal(err)
	}
	m, err := chromedp.Call(b.ctx, performance.GetMetrics, cdp.Empty{})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range m.Metrics {
		switch v.Name {
		case "Nodes", "JSHeapUsedSize", "JSHeapTotalSize":
			t.Logf("%s %.0f", v.Name, v.Value)
		}
	}
}
