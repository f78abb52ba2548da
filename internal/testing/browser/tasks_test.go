package browser

import (
	"testing"

	"github.com/bpfcfg/bpfcfg/internal/diff"
	"github.com/bpfcfg/bpfcfg/internal/testing/rendertest"
	"github.com/bpfcfg/bpfcfg/internal/union"
)

// TestTasks does what people come for, in the steps that docs/pictures.md counts.
func TestTasks(t *testing.T) {
	t.Run("where does case 7 go, at which byte", func(t *testing.T) {
		b := open(t, sample(t))
		b.search("case:7") // 1
		want(b, `document.querySelector("#tables .want").textContent`, "7626→ 26→ +0x8eb6✓ selected")
	})
	t.Run("why is this dead", func(t *testing.T) {
		b := open(t, sample(t))
		want(b, contents+`.textContent.includes("dead ")`, true)
		b.follow("b10") // 1; the reason stands in the outline, too
		want(b, panel+`.querySelector(".why").textContent.includes("r2 in [0,8]")`, true)
	})
	t.Run("what did the compiler change", func(t *testing.T) {
		const dir = "../../../docs/examples/pipeline/"
		data, err := union.HTML(diff.Compare(side(t, dir+"build/filter.o"), side(t, dir+"change/filter.o")), union.Options{Title: "change"})
		if err != nil {
			t.Fatal(err)
		}
		b := openFile(t, data)
		want(b, titles+`.startsWith("changes 2")`, true)
		b.follow("changed b1") // 1
		want(b, chosen, "b1")
		want(b, panel+`.querySelector(".line.removed").textContent.includes("if w2 > 0x7")`, true)
		want(b, panel+`.querySelector(".line.added").textContent.includes("if w2 > 0x6")`, true)
	})
	t.Run("which loop is hot", func(t *testing.T) {
		s := rendertest.Loops()
		for i := range s.Blocks {
			n := uint64(1)
			if s.Blocks[i].LoopDepth == 2 {
				n = 160
			}
			s.Blocks[i].Count = &n
		}
		s.Counted = "visits in a test"
		b := open(t, page(t, s))
		hot := contents + `.querySelectorAll("details")[1].querySelector("a").textContent`
		want(b, titles+`.includes("hottest")`, true)
		b.follow(eval[string](b, hot)) // 1
		want(b, panel+`.querySelector(".state").textContent.includes("160 visits, loop depth 2")`, true)
	})
	t.Run("which x86 belongs to this C line", func(t *testing.T) {
		b := open(t, sample(t))
		b.search("line:60") // 1
		want(b, `[...document.querySelectorAll("#rows .lit .j")].some((e) => e.textContent.includes("xor"))`, true)
	})
	t.Run("who comes here", func(t *testing.T) {
		b := open(t, sample(t))
		b.hash("#b9") // 1: a click on the block
		want(b, panel+`.textContent.includes("indirect")`, true)
		b.keys("r") // 2: along the edge, back
		want(b, chosen+` !== "b9"`, true)
		want(b, panel+`.querySelector(".state").textContent.includes("exact")`, true)
	})
}
