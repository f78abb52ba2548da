package browser

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/bpfcfg/bpfcfg/internal/testing/rendertest"
	"github.com/bpfcfg/bpfcfg/render"
)

// TestFindings shows what a checker found: in a drawing as a whole, in a folded one and
// in one of which only a part is in the document.
func TestFindings(t *testing.T) {
	for _, blocks := range []int{40, 1500} {
		s := rendertest.Random(blocks, 1)
		slot := s.Blocks[3].Lines[0].Slot
		s.Findings = []render.Finding{
			{Block: 3, Slot: slot, Level: "error", ID: "kernel-refuses", Message: "R1 <b>", Fix: "do not"},
			{Block: 3, Slot: slot, Level: "warning", ID: "dead-branch", Message: "never"},
			{Block: 5, Slot: -1, Level: "warning", ID: "dead-branch", Message: "never, too"},
			{Block: 6, Slot: -1, Level: "note", ID: "small", Message: "by the way"},
			{Block: render.Outside, Slot: -1, Level: "error", ID: "whole", Message: "of the program"},
		}
		b := open(t, page(t, s))
		want(b, isFolded, blocks > 600)
		want(b, `[...document.querySelectorAll("#picture .sign.error")].map((e) => e.textContent.slice(0, 16)).join()`, "⊘ kernel-refuses")
		want(b, `document.querySelector("#picture .sign").closest(".b").getAttribute("aria-label").includes("error kernel-refuses")`, true)
		want(b, `[...document.querySelectorAll("#outline summary")].map((e) => e.textContent).filter((t) => /findings|notes/.test(t)).join()`, "findings 4,notes 1")
		b.follow("b3 kernel-refuses")
		want(b, isFolded, false)
		want(b, `document.querySelector("#picture .chosen").id`, "b3")
		want(b, `document.querySelector("#picture .chosen .sign").textContent`, "⊘ kernel-refuses and 1 more")
		want(b, panel+fmt.Sprintf(`.textContent.includes("error kernel-refuses at %d: R1 <b>fix: do not")`, slot), true)
		b.keys("0") // from afar, too
		b.do(chromedp.EmulateViewport(700, 300))
		b.keys("0")
		b.do(chromedp.EmulateViewport(1400, 900))
		for q, n := range map[string]string{"is:finding": "2 blocks", "is:error": "1 block", "is:note": "1 block"} {
			b.search(q)
			want(b, `document.getElementById("count").textContent`, n)
		}
	}
}
