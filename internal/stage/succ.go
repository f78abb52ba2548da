package stage

import (
	"fmt"
	"io"
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/visible"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/succ"
)

// succText prints the answers on each indirect jump and call.
func succText(w io.Writer, v *View) error {
	a := v.Analysis
	var count [cfg.Yes + 1]int
	for b := range a.Graph.Blocks {
		count[a.Succ.Facts.ReachBlock(cfg.BlockID(b))]++
	}
	perhaps := ""
	if n := count[cfg.Maybe]; n > 0 {
		perhaps = fmt.Sprintf(", %d of them perhaps", n)
	}
	Title(w, v.Program, fmt.Sprintf(", %d of %s reachable%s, %s", count[cfg.Yes]+count[cfg.Maybe],
		visible.Count(len(a.Graph.Blocks), "block"), perhaps, IndirectText(countOps(a))))
	printed := printedLists{all: v.All}
	for _, in := range a.Succ.Indirect {
		targets := func(pcs []bytecode.PC) string { return printed.text(pcs, in.PC) }
		fmt.Fprintf(w, "  insn %d  %s %s  %s\n", in.PC, in.Op, in.Reg, in.Status)
		if l, ok := v.Program.LineAt(in.PC); ok {
			fmt.Fprintf(w, "    %s\n", sourceLine(l))
		}
		for _, u := range in.Tables {
			fmt.Fprintf(w, "    table   %s[%d]  index %d..%d  selected %s\n", visible.Text(u.Name), u.Entries, u.Min, u.Max,
				runs(u.Selected))
		}
		fmt.Fprintf(w, "    exact   %s\n", targets(in.Exact))
		if in.Status == succ.OverApproximate && len(in.Proven) > 0 {
			fmt.Fprintf(w, "    proven  %s\n", targets(in.Proven))
		}
		fmt.Fprintf(w, "    range   %s\n", sameAs(in.Range, in.Exact, "exact", targets))
		fmt.Fprintf(w, "    kernel  %s\n", sameAs(in.Kernel, in.Range, "range", targets))
		if in.Reason != "" {
			fmt.Fprintf(w, "    why     %s\n", visible.Text(in.Reason))
		}
	}
	if printed.left > 0 {
		fmt.Fprintf(w, "  %s stand at another instruction (--all)\n", visible.Count(printed.left, "list"))
	}
	k, hazards := kernelVerdict(a)
	mark := ""
	if !a.Profile.Verified() {
		mark = " (unverified)"
	}
	fmt.Fprintf(w, "  rules of %s%s: %s\n", k.Rules, mark, k.text())
	for _, h := range hazards {
		fmt.Fprintf(w, "  %s: %s\n    path %s\n", h.Kind, visible.Text(h.Text), pathText(h.Path))
	}
	for _, d := range diagnostics(a) {
		fmt.Fprintf(w, "  note: %s\n", visible.Text(d))
	}
	return nil
}

// countOps returns the number of indirect jumps and calls.
func countOps(a *pipeline.Analysis) (jumps, calls int) {
	for _, in := range a.Succ.Indirect {
		if in.Op == "callx" {
			calls++
		} else {
			jumps++
		}
	}
	return jumps, calls
}

func succJSON(v *View) (any, error) {
	k, hazards := kernelVerdict(v.Analysis)
	d := succDocOf(v.Analysis, k, v.All)
	d.Hazards = hazardDocs(hazards)
	return d, nil
}

// targets lists slots: "→ 9 12 15 (3)".
func targets(pcs []bytecode.PC) string {
	if len(pcs) == 0 {
		return "none"
	}
	var b strings.Builder
	b.WriteString("→")
	for _, pc := range pcs {
		fmt.Fprintf(&b, " %d", pc)
	}
	return fmt.Sprintf("%s (%d)", b.String(), len(pcs))
}

// maxListed bounds the targets that a program's text repeats. After it, an earlier list is referred
// to instead: every jump through a table has as many targets as the table has entries.
const maxListed = 10_000

// printedLists holds the lists of targets that were printed.
type printedLists struct {
	all    bool // list everything
	listed int
	left   int                          // lists that were not written again
	at     map[*bytecode.PC]printedList // by first element: equal lists are one (succ.Indirect)
}

// printedList is the list of an instruction.
type printedList struct {
	n  int
	pc bytecode.PC
}

// text lists targets of an instruction, or names another that has the same.
func (t *printedLists) text(pcs []bytecode.PC, pc bytecode.PC) string {
	if len(pcs) == 0 {
		return targets(pcs)
	}
	old, ok := t.at[&pcs[0]]
	switch {
	case ok && old.n == len(pcs) && t.listed > maxListed && !t.all:
		t.left++
		return fmt.Sprintf("as at insn %d (%d)", old.pc, old.n)
	case t.at == nil:
		t.at = map[*bytecode.PC]printedList{}
	}
	if !ok {
		t.at[&pcs[0]] = printedList{len(pcs), pc}
	}
	t.listed += len(pcs)
	return targets(pcs)
}

// sameAs is targets, or a word if the list equals that of another line.
func sameAs(pcs, other []bytecode.PC, word string, targets func([]bytecode.PC) string) string {
	if len(pcs) != len(other) {
		return targets(pcs)
	}
	for i := range pcs {
		if pcs[i] != other[i] {
			return targets(pcs)
		}
	}
	return fmt.Sprintf("as %s (%d)", word, len(pcs))
}

// runs lists ascending numbers with runs folded: "0-4 7 9-11".
func runs(s []int) string {
	if len(s) == 0 {
		return "none"
	}
	var b strings.Builder
	for first, last := range visible.Runs(s) {
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		if last > first {
			fmt.Fprintf(&b, "%d-%d", first, last)
		} else {
			fmt.Fprintf(&b, "%d", first)
		}
	}
	return b.String()
}

// IndirectText counts indirect jumps and calls in words.
func IndirectText(jumps, calls int) string {
	switch {
	case calls == 0:
		return fmt.Sprintf("%d gotox", jumps)
	case jumps == 0:
		return fmt.Sprintf("%d callx", calls)
	default:
		return fmt.Sprintf("%d gotox, %d callx", jumps, calls)
	}
}
