package browser

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/bpfcfg/bpfcfg/internal/testing/rendertest"
	"github.com/bpfcfg/bpfcfg/render"
)

// TestManyPrograms finds the way in an object of 170 programs: the list narrows as one
// types, a search says how far it is, and what takes long says that it goes on.
func TestManyPrograms(t *testing.T) {
	var pages []render.Page
	for i := range 170 {
		s := rendertest.Random(40, uint64(i))
		s.Title = fmt.Sprintf("sys_enter_%d", i)
		pages = append(pages, page(t, s))
	}
	b := open(t, pages...)
	const links = contents + `.querySelectorAll("#programlist a").length`
	want(b, links, 150)
	want(b, contents+`.textContent.includes("20 more: type a part of the name")`, true)
	b.do(chromedp.Focus("#programlist input"))
	b.keys("_16")
	want(b, links, 11) // 16 and 160 to 169
	b.keys("4" + kb.Enter)
	want(b, shownTitle, "sys_enter_164")

	// A search in all: the clock of the page runs ahead, so each program takes long.
	b.do(chromedp.Evaluate[chromedp.Void](`(() => { window.told = [];
		let now = 0;
		performance.now = () => now += 30;
		new MutationObserver(() => window.told.push(document.getElementById("count").textContent)).observe(document.getElementById("count"), { childList: true }); })()`))
	b.search("bpf_map_lookup_elem")
	want(b, `window.told.filter((t) => /^searching: \d+ of 170 programs$/.test(t)).length > 20`, true)
	want(b, `/^\d+ blocks, \d+ here$/.test(document.getElementById("count").textContent)`, true)

	const working = `getComputedStyle(document.getElementById("working")).visibility`
	want(b, working, "hidden")
	b.do(chromedp.Evaluate[chromedp.Void](`void document.getElementById("picture").setAttribute("aria-busy", "true")`))
	b.do(chromedp.Poll[chromedp.Void](working + ` === "visible"`))
	b.do(chromedp.Evaluate[chromedp.Void](`void document.getElementById("picture").setAttribute("aria-busy", "false")`))
	want(b, working, "hidden")
}
