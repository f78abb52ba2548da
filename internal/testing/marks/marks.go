// Package marks compares predicted programs that are marked incomplete with a kernel's: everything
// beside the marks must be equal.
package marks

import (
	"fmt"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/record"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
)

// Unmarked compares a prediction that has unpredicted slots with the program that a kernel shows.
// The kernel's line records show what replaced each source instruction; where no slot of that is
// unpredicted, it must be equal. Jumps are compared by the places that they lead to. It returns the
// first difference, "" for none.
func Unmarked(res *rewrite.Result, d rewrite.Dumped, real []bytecode.Insn, lines []record.Line) string {
	unknown := map[bytecode.PC]bool{}
	for _, pc := range res.Unpredicted {
		unknown[pc] = true
	}
	var source, a, b []int
	for _, l := range lines {
		to := res.Xlated[l.Insn]
		if to == jit.Deleted {
			return fmt.Sprintf("source slot %d is still there, predicted removed", l.Insn)
		}
		source, a, b = append(source, int(l.Insn)), append(a, int(to)), append(b, int(l.Xlated))
	}
	pa, pb := places(source, a, len(d.Insns)), places(source, b, len(real))
	for k := range source {
		endA, endB := len(d.Insns), len(real)
		if k+1 < len(source) {
			endA, endB = a[k+1], b[k+1]
		}
		skip := false
		for pc := a[k]; pc < endA; pc++ {
			skip = skip || unknown[bytecode.PC(pc)]
		}
		if skip {
			continue
		}
		if endA-a[k] != endB-b[k] {
			return fmt.Sprintf("source slot %d became %d slots, predicted %d", source[k], endB-b[k], endA-a[k])
		}
		for i := range endA - a[k] {
			if why := samePlace(d, a[k]+i, pa, real, b[k]+i, pb); why != "" {
				return fmt.Sprintf("source slot %d: %s", source[k], why)
			}
		}
	}
	return ""
}

// place is a slot as part of what replaced a source instruction.
type place struct{ source, offset int }

// places returns for each slot the source instruction that it stands for.
func places(source, first []int, n int) []place {
	out := make([]place, n)
	k := -1
	for pc := range out {
		for k+1 < len(first) && first[k+1] <= pc {
			k++
		}
		if k >= 0 {
			out[pc] = place{source[k], pc - first[k]}
		}
	}
	return out
}

// samePlace compares two slots of programs of different length.
func samePlace(d rewrite.Dumped, i int, pa []place, real []bytecode.Insn, j int, pb []place) string {
	x, y := d.Insns[i], real[j]
	if d.Masked[i] {
		x.Imm, y.Imm = 0, 0
	}
	fx, fy := bytecode.FlowAt(d.Insns, bytecode.PC(i)), bytecode.FlowAt(real, bytecode.PC(j))
	switch fx.Kind {
	case bytecode.FlowGoto, bytecode.FlowCond:
		if fx.Kind == fy.Kind && pa[fx.Target] == pb[fy.Target] {
			x.Off, y.Off = 0, 0
		}
	case bytecode.FlowCall, bytecode.FlowFuncAddr:
		x.Off, y.Off = 0, 0
		if x.IsWide() {
			x.Imm, y.Imm = 0, 0
		}
	}
	if x != y {
		return fmt.Sprintf("slot %d: %v, predicted %v", j, y, x)
	}
	return ""
}
