package cfg

import (
	"slices"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// Unions returns for each subprogram the targets that Linux's control-flow passes assume for
// every gotox in it: all entries of all tables whose smallest entry lies in the subprogram,
// ascending and without duplicates. Linux refuses a program with an entry outside the subprogram;
// such an entry is returned all the same. The cost is linear in the size of all tables.
//
// Source: kernel/bpf/cfg.c create_jt, jt_from_subprog and jt_from_map, Linux
// 7.3.
func Unions(p *bytecode.Program) [][]bytecode.PC {
	out := make([][]bytecode.PC, len(p.Subprogs))
	for sub := range out {
		out[sub] = []bytecode.PC{}
	}
	for i := range p.Tables {
		t := p.Tables[i].Targets
		if len(t) == 0 {
			continue
		}
		if sub := p.SubprogAt(slices.Min(t)); sub >= 0 {
			out[sub] = append(out[sub], t...)
		}
	}
	for sub := range out {
		slices.Sort(out[sub])
		out[sub] = slices.Compact(out[sub])
	}
	return out
}
