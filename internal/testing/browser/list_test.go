package browser

import (
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/internal/testing/rendertest"
	"github.com/bpfcfg/bpfcfg/render"
)

// bare is the drawing without titles and the names of what parts stand for: lines and
// pieces of the first program, which is in the document as a whole, have their titles
// from the start, those of others when the pointer is over them.
const bare = `(() => {
	const svg = document.querySelector("#picture svg").cloneNode(true), out = [];
	for (const e of svg.querySelectorAll("title")) e.remove();
	for (const e of svg.querySelectorAll("*")) {
		for (const a of ["data-edge", "data-piece", "style"]) e.removeAttribute(a);
		if (e.matches(".b")) e.removeAttribute("aria-label");
		if (e.hasAttribute("d")) {
			const p = document.createElementNS("http://www.w3.org/2000/svg", "path");
			p.setAttribute("d", e.getAttribute("d"));
			e.removeAttribute("d");
			e.setAttribute("data-shape", p.getTotalLength().toFixed(1) + " " + [0, 0.3, 0.6, 1].map((k) => {
				const q = p.getPointAtLength(k * p.getTotalLength());
				return q.x.toFixed(1) + "," + q.y.toFixed(1);
			}).join(" "));
		}
		out.push(e.tagName + " " + [...e.attributes].map((a) => a.name + "=" + a.value).sort().join(" ") + (e.children.length ? "" : e.textContent));
	}
	return out.join("\n");
})()`

// TestList compares a drawing that the page makes of a list of items with the one
// that is written into the document: of our sample, a hostile program, one with all
// kinds of marks, and a comparison.
func TestList(t *testing.T) {
	for name, p := range map[string]render.Page{
		"sample": sample(t), "hostile": page(t, rendertest.Hostile("</script><b>&amp;'")),
		"marked": page(t, marked()), "random": page(t, rendertest.Random(90, 3)),
	} {
		b := open(t, p, p)
		first := eval[string](b, bare)
		b.keys("]")
		want(b, `document.getElementById("programs").selectedIndex`, 1)
		second := eval[string](b, bare)
		if first == second && strings.Contains(first, "path") {
			continue
		}
		x, y := strings.Split(first, "\n"), strings.Split(second, "\n")
		for i := range min(len(x), len(y)) {
			if x[i] != y[i] {
				t.Errorf("%s: item %d is\n%s, want\n%s", name, i, y[i], x[i])
				break
			}
		}
		if len(x) != len(y) {
			t.Errorf("%s: %d items, want %d", name, len(y), len(x))
		}
	}
}

// TestTitles points at lines and pieces of a program whose titles the page makes.
func TestTitles(t *testing.T) {
	p := sample(t)
	b := open(t, p, p)
	const titles = `(() => {
		const out = [];
		for (const e of document.querySelectorAll("#picture .b > .e:not(.hl), #picture .b > g")) {
			if (e.querySelector("a, text") && !e.querySelector(".piece")) continue;
			e.dispatchEvent(new PointerEvent("pointerover", { bubbles: true }));
			out.push(e.querySelector(":scope > title")?.textContent ?? "none");
		}
		return out.join("\n");
	})()`
	first := eval[string](b, titles)
	b.keys("]")
	if second := eval[string](b, titles); first != second || !strings.Contains(first, "→") || !strings.Contains(first, "bytes") {
		t.Errorf("titles\n%s, want\n%s", second, first)
	}
}
