package browser

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/bpfcfg/bpfcfg/internal/testing/rendertest"
	"github.com/bpfcfg/bpfcfg/render"
)

// TestHostileAddress checks that addresses choose nothing but what is there.
func TestHostileAddress(t *testing.T) {
	for _, pages := range [][]render.Page{two(t), {page(t, windowed())}} {
		b := open(t, pages...)
		b.hash("#b1")
		before := eval[int](b, `document.querySelectorAll("*:not(.b *)").length`)
		for _, hash := range []string{
			"#nobody/b1", "#b9999", "#f77", "#t99", "#b99999999999999999999", "#__proto__/b0", "#constructor/b1", "#b-1",
			"#b1e0", "#b0x1", "#b", "#/", "#%", "#%zz/b0", "#%00/b0", "#<script>alert(1)</script>",
			"#%3Cimg%20src=x%20onerror=alert(1)%3E/b0", "#b0/../b2", "#javascript:alert(1)", "#" + strings.Repeat("a", 1<<16) + "/b0",
		} {
			b.hash(hash)
			want(b, chosen, "b1")
		}
		want(b, `document.querySelectorAll("*:not(.b *)").length`, before)
		b.hash("#b9999")
		want(b, `document.getElementById("count").textContent`, "no block 9999 here")
		b.hash("#nobody/b1")
		want(b, `document.getElementById("count").textContent`, "no such program here")
		b.hash("#b0")
		want(b, chosen, "b0")
	}
}

// TestPolicy checks that the policy stops what a hole in the page would let in.
func TestPolicy(t *testing.T) {
	b := open(t, two(t)...)
	const reports = `new Promise((ok) => { let n = 0; addEventListener("securitypolicyviolation", () => n++);
		const add = (tag, set) => { const e = document.createElement(tag); Object.assign(e, set); document.body.append(e); };
		add("script", { textContent: "window.bad = 1" });
		add("style", { textContent: "body { color: red !important }" });
		add("img", { src: "https://example.invalid/x.png" });
		add("iframe", { src: "https://example.invalid/" });
		fetch("https://example.invalid/").catch(() => n++);
		setTimeout(() => ok(n), 300); })`
	if n := eval[int](b, reports); n < 5 {
		t.Errorf("%d of 5 attempts were stopped", n)
	}
	want(b, `String(window.bad)`, "undefined")
	want(b, `getComputedStyle(document.body).color !== "rgb(255, 0, 0)"`, true)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.trouble = nil // the attempts
}

// TestHostileText checks that texts of a file stay texts, in small programs and
// in large ones.
func TestHostileText(t *testing.T) {
	for _, n := range []int{0, 700} {
		s := rendertest.Hostile("</script><img src=x onerror=alert(1)>")
		for i := range n {
			blk := render.Block{Name: "b<i>x", Reachable: true, LoopDepth: 1, Mark: "<u>x</u>", Why: "<u>x</u>"}
			blk.Lines = []render.Line{{Slot: 1000 + i, Text: "</g></svg><u>x</u>", Source: "<u>&lt;", File: "<u>", LineNo: 1}}
			s.Blocks = append(s.Blocks, blk)
		}
		b := open(t, page(t, s))
		b.keys("n")
		b.keys("n")
		b.search("<u>")
		b.keys("\r")
		want(b, `document.querySelectorAll("#details u, #picture u, img, #picture i, header u").length`, 0)
		want(b, `document.querySelectorAll("body > *").length === document.querySelectorAll(
			"body > header, body > main, body > section, body > p, body > div, body > aside, body > nav, body > dialog, body > script, body > template").length`, true)
	}
}

// TestSecondProgramHostile opens each of two programs by its hostile name.
func TestSecondProgramHostile(t *testing.T) {
	a, c := rendertest.Three(), rendertest.Three()
	a.Title, c.Title = "a/b0#b1?x=%2F&amp;", "a/b0#b1?x=%2F&amp;"
	b := open(t, page(t, a), page(t, c))
	b.keys("]")
	b.keys("n")
	hash := eval[string](b, "location.hash")
	b.keys("[")
	want(b, `document.getElementById("programs").selectedIndex`, 0)
	b.do(chromedp.Evaluate[chromedp.Void](`void (location.hash = ` + "`" + hash + "`" + `)`))
	want(b, `document.getElementById("programs").selectedIndex`, 1)
	want(b, chosen, "b0")
}
