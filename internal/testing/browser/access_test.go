package browser

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/bpfcfg/bpfcfg/internal/testing/rendertest"
	"github.com/bpfcfg/bpfcfg/render"
)

// TestTree reads the tree that screen readers get: every block has a name, in
// small programs and in large ones, and every control.
func TestTree(t *testing.T) {
	for _, large := range []bool{false, true} {
		pages := two(t)
		if large {
			pages = []render.Page{page(t, windowed())}
		}
		b := open(t, pages...)
		b.keys("n")
		tree, err := chromedp.Call(b.ctx, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
		if err != nil {
			t.Fatal(err)
		}
		names := map[string][]string{}
		for _, n := range tree.Nodes {
			if n.Ignored || n.Role == nil || n.Name == nil {
				continue
			}
			role, name := strings.Trim(string(n.Role.Value), `"`), strings.Trim(string(n.Name.Value), `"`)
			names[role] = append(names[role], name)
			if name == "" && slices.Contains([]string{"button", "searchbox", "combobox", "link", "main", "complementary"}, role) {
				t.Errorf("a %s has no name", role)
			}
		}
		blocks := 0
		for _, name := range names["group"] {
			if strings.HasPrefix(name, "b") && strings.Contains(name, "instructions ") {
				blocks++
			}
		}
		if n := eval[int](b, inside); blocks != n || n == 0 {
			t.Errorf("%d of the %d blocks in the document have a name: %q", blocks, n, names["group"])
		}
		for _, role := range []string{"button", "searchbox", "main", "complementary"} {
			if len(names[role]) == 0 {
				t.Errorf("no %s in the tree: %v", role, names)
			}
		}
		want(b, `document.getElementById("said").textContent.startsWith("b0, instructions 0 to ")`, true)
	}
}

// TestFocus goes through the page with the Tab key.
func TestFocus(t *testing.T) {
	b := open(t, two(t)...)
	b.keys("n")
	b.do(chromedp.Evaluate[chromedp.Void](`void document.activeElement.blur()`))
	var order []string
	for range 14 {
		b.keys(kb.Tab)
		order = append(order, eval[string](b, `document.activeElement.id || document.activeElement.textContent.slice(0, 12)`))
		want(b, `getComputedStyle(document.activeElement).outlineStyle !== "none"`, true)
	}
	order = slices.DeleteFunc(order, func(s string) bool { return strings.HasPrefix(s, "table") }) // links in the picture
	wanted := []string{"programs", "search", "zoomin", "zoomout", "fit", "actual", "contents", "columns", "map", "help",
		"picture", "code", "details", "close"}
	if !slices.Equal(order, wanted) {
		t.Errorf("Tab goes to %q, want %q", order, wanted)
	}
	b.do(chromedp.Evaluate[chromedp.Void](`document.querySelector("#details a").focus()`))
	b.keys(kb.Enter)
	want(b, chosen+` !== "b0"`, true)
}

// contrast is the ratio of the contrast of two colours (WCAG 2.1, "contrast
// ratio").
const contrast = `((a, b) => {
	const l = (c) => c.match(/[\d.]+/g).slice(0, 3).map((v) => v / 255).map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
		.reduce((s, v, i) => s + v * [0.2126, 0.7152, 0.0722][i], 0);
	const [x, y] = [l(a), l(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); })`

// TestContrast measures texts on their background, in both schemes, and
// checks that the schemes differ.
func TestContrast(t *testing.T) {
	b := open(t, page(t, marked()))
	b.hash("#b1")
	b.search("is:marked")
	texts := []struct{ ink, property, ground string }{
		{"#details h2", "color", "body"}, {"#details .state", "color", "body"}, {"#details .src", "color", "body"},
		{"#details .slot", "color", "body"}, {"#details summary", "color", "body"}, {"#details a", "color", "body"},
		{"#count", "color", "body"}, {"#fit", "color", "#fit"}, {"#search", "color", "body"}, {"header strong", "color", "body"},
		{"#b0 .name", "fill", "#b0 .head"}, {"#b0 .slot", "fill", "#b0 .box"}, {"#b0 .src", "fill", "#b0 .box"},
		{"#b6 .state", "fill", "#b6 .box"}, {"#picture .title", "fill", "#picture .page"}, {"#picture .sub", "fill", "#picture .page"},
		{"#picture .badtext", "fill", "#picture .bad"}, {"#keys dd", "color", "#keys"},
	}
	seen := map[string]string{}
	for _, scheme := range []string{"light", "dark"} {
		b.scheme(scheme)
		for _, x := range texts {
			ground := `getComputedStyle(document.querySelector("` + x.ground + `"))`
			if strings.HasPrefix(x.ground, "#picture") || strings.HasPrefix(x.ground, "#b") {
				ground += ".fill"
			} else {
				ground += ".backgroundColor"
			}
			ink := `getComputedStyle(document.querySelector("` + x.ink + `")).` + x.property
			if r := eval[float64](b, contrast+"("+ink+", "+ground+")"); r < 4.5 {
				t.Errorf("%s: %s on %s has the contrast %.1f", scheme, x.ink, x.ground, r)
			}
			colours := eval[string](b, ink+"+"+ground)
			if scheme == "dark" && colours == seen[x.ink] {
				t.Errorf("%s looks the same in both schemes: %s", x.ink, colours)
			}
			seen[x.ink] = colours
		}
		b.shot("marked-" + scheme)
	}
}

// TestKeyList presses every key of the list of keys, and every other: the list
// is complete.
func TestKeyList(t *testing.T) {
	b := open(t, two(t)...)
	b.keys("n")
	const taken = `((k) => { const taken = !document.getElementById("picture").dispatchEvent(new KeyboardEvent("keydown",
		{ key: k, bubbles: true, cancelable: true })); document.getElementById("keys").close(); document.getElementById("picture").focus(); return taken; })`
	words := eval[[]string](b, `[...document.querySelectorAll("#keys dt")].flatMap((e) => e.textContent.split(" "))`)
	listed := map[string]bool{"=": true} // + without Shift
	for _, w := range words {
		switch w {
		case "−":
			w = "-"
		case "Esc":
			w = "Escape"
		case "arrows":
			for _, a := range []string{"ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight"} {
				listed[a] = true
			}
			continue
		}
		listed[w] = true
	}
	if len(listed) < 15 {
		t.Fatalf("only %v are listed", listed)
	}
	all := []string{"ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight", "Escape", "Enter", "Home", "End", "PageUp", "PageDown", "Tab", "F1"}
	for c := ' '; c < 0x7f; c++ {
		all = append(all, string(c))
	}
	for _, k := range all {
		if got := eval[bool](b, fmt.Sprintf("%s(%q)", taken, k)); got != listed[k] {
			t.Errorf("key %q is answered: %v, listed: %v", k, got, listed[k])
		}
	}
}

// TestNarrow checks a telephone's window: everything is in it, nothing is
// scrolled sideways, two fingers zoom.
func TestNarrow(t *testing.T) {
	for _, large := range []bool{false, true} {
		pages := two(t)
		if large {
			pages = []render.Page{page(t, windowed())}
		}
		b := open(t, pages...)
		b.do(chromedp.EmulateViewport(400, 800))
		if _, err := chromedp.Call(b.ctx, emulation.SetTouchEmulationEnabled,
			emulation.SetTouchEmulationEnabledParams{Enabled: true}); err != nil {
			t.Fatal(err)
		}
		b.hash("#b1")
		want(b, `document.scrollingElement.scrollWidth <= 400`, true)
		want(b, `[...document.querySelectorAll("header *, #details, #minimap:not([hidden])")].filter((e) => {
			const r = e.getBoundingClientRect(); return r.width && (r.left < 0 || r.right > 400 || r.bottom > 800); }).map((e) => e.id || e.tagName).join()`, "")
		want(b, `document.getElementById("picture").getBoundingClientRect().height >= 250`, true)
		want(b, `document.getElementById("details").getBoundingClientRect().top > document.getElementById("picture").getBoundingClientRect().top`, true)
		want(b, `[...document.querySelectorAll("header button:not([hidden])")].every((e) => e.getBoundingClientRect().height >= 24)`, true)
		b.shot("narrow-" + fmt.Sprint(large))
		before := eval[[]float64](b, place)
		touch := func(kind input.DispatchTouchEventType, points ...float64) {
			p := input.DispatchTouchEventParams{Type: kind, TouchPoints: []*input.TouchPoint{}}
			for i := 0; i < len(points); i += 2 {
				id := float64(i)
				p.TouchPoints = append(p.TouchPoints, &input.TouchPoint{X: points[i], Y: points[i+1], ID: &id})
			}
			if _, err := chromedp.Call(b.ctx, input.DispatchTouchEvent, p); err != nil {
				t.Fatal(err)
			}
		}
		touch("touchStart", 180, 250)
		touch("touchStart", 180, 250, 220, 250)
		touch("touchMove", 140, 250, 260, 250)
		touch("touchMove", 120, 250, 280, 250)
		touch("touchEnd")
		if after := eval[[]float64](b, place); after[2] < 2*before[2] {
			t.Errorf("two fingers that part make a width of %.0f to %.0f", before[2], after[2])
		}
	}
}

// TestMotion checks that nothing moves by itself, so that there is nothing to
// reduce for those who ask for that.
func TestMotion(t *testing.T) {
	b := open(t, two(t)...)
	b.keys("n")
	b.keys("s")
	want(b, `document.getAnimations().length`, 0)
	want(b, `[...document.querySelectorAll("*")].filter((e) => { const s = getComputedStyle(e);
		return s.animationName !== "none" || s.transitionDuration !== "0s" || s.scrollBehavior !== "auto"; }).length`, 0)
}

// TestWheel checks that the point under the pointer stays when the wheel turns.
func TestWheel(t *testing.T) {
	b := open(t, page(t, rendertest.Random(200, 1)))
	const x, y = 500.0, 400.0
	point := func() (px, py, width float64) {
		p := eval[[]float64](b, place)
		return (x + p[0]) / p[2], (y + p[1]) / p[2], p[2]
	}
	x0, y0, w0 := point()
	b.do(chromedp.MouseEvent("mouseWheel", x, y, func(p *input.DispatchMouseEventParams) { p.DeltaX, p.DeltaY = 1, -300 }))
	x1, y1, w1 := point()
	if w1 <= w0*1.3 {
		t.Errorf("the wheel makes a width of %.0f to %.0f", w0, w1)
	}
	if d := max(x1-x0, x0-x1, y1-y0, y0-y1) * w1; d > 1 {
		t.Errorf("the point under the pointer moves %.1f pixels", d)
	}
}
