package browser

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
	"github.com/bpfcfg/bpfcfg/jit/verify"
	"github.com/bpfcfg/bpfcfg/render"
	"github.com/bpfcfg/bpfcfg/render/picture"
)

// sample returns the page of the command's sample.
func sample(t *testing.T) render.Page {
	t.Helper()
	return compiled(t, "../../../cmd/bpfcfg/sample/sample.o")
}

// compiled returns the page of the first program of an object.
func compiled(t *testing.T, path string) render.Page {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Base(path)
	o, err := load.ELF(name, data)
	if err != nil {
		t.Fatal(err)
	}
	prof, err := jit.LookupProfile(jit.DefaultProfile)
	if err != nil {
		t.Fatal(err)
	}
	a, err := pipeline.Run(o.Programs[0], prof, rewrite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := picture.Scene(a, name)
	picture.AddDetails(s, a)
	picture.AddVerified(s, a, verify.Check(a.Rewrite.Program, a.Image, pipeline.VerifyKernel(a.Profile)))
	return page(t, s)
}

// row finds the row of the columns whose cells begin with texts.
const row = `((slot) => [...document.querySelectorAll("#rows .row:not(.head)")].find((e) => e.querySelector(".b i")?.textContent === slot))`

func (b *tab) over(js string) {
	b.Helper()
	xy := eval[[]float64](b, `(() => { const e = `+js+`; e.scrollIntoView({ block: "nearest" }); const r = e.getBoundingClientRect();
		return [r.x + 12, r.y + r.height / 2]; })()`)
	b.do(chromedp.MouseEvent("mouseMoved", xy[0], xy[1]))
	b.settle()
}

// TestColumns points at each kind of thing and looks for the same in the others.
func TestColumns(t *testing.T) {
	b := open(t, sample(t))
	want(b, `document.getElementById("code").hidden`, false)
	want(b, `document.getElementById("stamp").textContent.startsWith("✓ ")`, true)
	b.shot("columns")
	// b9 is case 8: instruction 36, `r2 ^= 1` at line 60, becomes xor.
	b.search("case:8")
	b.keys(kb.Enter)
	want(b, chosen, "b9")
	want(b, `document.querySelector("#tables .want").textContent`, "8733→ 33→ +0xb0b9✓ selected")
	want(b, row+`("36").textContent.includes("same") && `+row+`("36").querySelector(".j").textContent.includes("xor")`, true)
	b.over(row + `("36").querySelector(".j")`)
	want(b, row+`("36").classList.contains("lit")`, true)
	want(b, `document.querySelector("#b9").classList.contains("lit") && !document.querySelector("#b8").classList.contains("lit")`, true)
	want(b, `document.querySelector("#b9 .litrow").textContent.includes("r2 ^= 1")`, true)
	want(b, `document.getElementById("litbytes") !== null`, true)
	want(b, row+`("35").classList.contains("def")`, true) // where r2 was loaded
	// A C line lights up all that it became, a block its rows.
	b.over(row + `("33").querySelector(".c")`)
	want(b, `[...document.querySelectorAll("#rows .lit .b i")].map((e) => e.textContent).join(" ")`, "33 35 36 37")
	b.shot("columns-case")
	b.focusPicture()
	b.keys("0")
	b.over(`document.querySelector("#b10 .box")`)
	want(b, `[...document.querySelectorAll("#rows .lit.dead .x")].some((e) => e.textContent.includes("deleted"))`, true)
	want(b, `document.querySelector("#tables tr.lit").textContent.includes("× deleted")`, true)
	// The reason of a dead block names the value that decides.
	b.search("is:dead")
	b.keys(kb.Enter)
	want(b, panel+`.textContent.includes("r2 in [0,8]")`, true)
	b.search("line:60")
	b.keys(kb.Enter)
	want(b, chosen, "b9")
}

// TestColumnsByKey goes through the columns without a pointer.
func TestColumnsByKey(t *testing.T) {
	b := open(t, sample(t))
	b.do(chromedp.Evaluate[chromedp.Void](`document.getElementById("code").focus()`))
	for range 3 {
		b.keys("j")
	}
	want(b, `document.getElementById("said").textContent !== ""`, true)
	want(b, `document.querySelectorAll("#rows .cursor").length`, 1)
	b.keys(kb.Enter)
	want(b, chosen, "b0")
	b.keys("x")
	want(b, `document.getElementById("code").hidden`, true)
	b.do(chromedp.EmulateViewport(400, 800))
	b.scheme("dark")
	b.keys("x")
	want(b, `getComputedStyle(document.querySelector("#rows .b")).display`, "none")
	want(b, `document.documentElement.scrollWidth <= innerWidth`, true)
	b.shot("columns-400")
}
