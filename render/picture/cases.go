package picture

import (
	"slices"
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/cases"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/render"
	"github.com/bpfcfg/bpfcfg/succ"
)

// jump names an indirect jump and one of its targets.
type jump struct{ from, to bytecode.PC }

// caseLabels returns for each target of an indirect jump the label that selects it: the case values
// in C, "4, 7–9", if the source and the code before the jump give them, else the entries of the
// table in brackets, "[3, 6–8]". With several tables each is named: "JT.0.0[0]; JT.0.1[4]".
func caseLabels(a *pipeline.Analysis) map[jump]string {
	out := map[jump]string{}
	for i := range a.Succ.Indirect {
		in := &a.Succ.Indirect[i]
		bias, known := cases.Bias(a, in)
		for _, u := range in.Tables {
			if u.Table < 0 || u.Table >= len(a.Program.Tables) {
				continue
			}
			byTarget := map[bytecode.PC][]int{}
			entries := a.Program.Tables[u.Table].Targets
			for _, i := range u.Selected {
				if i < len(entries) {
					byTarget[entries[i]] = append(byTarget[entries[i]], i)
				}
			}
			for to, idx := range byTarget {
				k := jump{in.PC, to}
				text := "[" + render.Ranges(idx) + "]"
				if len(in.Tables) > 1 {
					// LLVM calls all its tables BPF.JT.function.table.
					text = strings.TrimPrefix(u.Name, "BPF.") + text
				} else if known {
					text = render.Ranges(addAll(idx, bias))
				}
				if out[k] != "" {
					text = out[k] + "; " + text
				}
				out[k] = text
			}
		}
	}
	return out
}

func addAll(list []int, n int) []int {
	out := make([]int, len(list))
	for i, v := range list {
		out[i] = v + n
	}
	return out
}

// tableBiases returns for each table the number to add to an index to get a case's value: nil
// unless all jumps that use it agree.
func tableBiases(a *pipeline.Analysis) []*int {
	out := make([]*int, len(a.Program.Tables))
	seen := make([]bool, len(out))
	for i := range a.Succ.Indirect {
		in := &a.Succ.Indirect[i]
		bias, known := cases.Bias(a, in)
		for _, u := range in.Tables {
			if u.Table < 0 || u.Table >= len(out) {
				continue
			}
			switch {
			case !known, seen[u.Table] && (out[u.Table] == nil || *out[u.Table] != bias):
				out[u.Table] = nil
			default:
				out[u.Table] = &bias
			}
			seen[u.Table] = true
		}
	}
	return out
}

// unselected returns edges that are never taken: from indirect jumps to targets that only
// unselected entries have.
func unselected(a *pipeline.Analysis, labels map[jump]string) []render.Edge {
	var out []render.Edge
	for i := range a.Succ.Indirect {
		in := &a.Succ.Indirect[i]
		if in.Op != "gotox" || in.Status == succ.Unresolved || len(in.Tables) != 1 || in.Tables[0].Table < 0 {
			continue
		}
		u := &in.Tables[0]
		from, _ := a.Graph.BlockAt(in.PC)
		bias, known := cases.Bias(a, in)
		selected := map[int]bool{}
		for _, k := range u.Selected {
			selected[k] = true
		}
		var order []bytecode.PC
		indices := map[bytecode.PC][]int{}
		for k, pc := range a.Program.Tables[u.Table].Targets {
			if selected[k] || labels[jump{in.PC, pc}] != "" {
				continue
			}
			if indices[pc] == nil {
				order = append(order, pc)
			}
			indices[pc] = append(indices[pc], k)
		}
		for _, pc := range order {
			to, ok := a.Graph.BlockAt(pc)
			if !ok || a.Graph.Blocks[to].Start != pc || hasEdge(a.Graph, from, to) {
				continue
			}
			label := "[" + render.Ranges(indices[pc]) + "]"
			if known {
				label = render.Ranges(addAll(indices[pc], bias))
			}
			out = append(out, render.Edge{From: int(from), To: int(to), Kind: render.Indirect, Label: label, Dead: true})
		}
	}
	return out
}

func hasEdge(g *cfg.Graph, from, to cfg.BlockID) bool {
	return slices.ContainsFunc(g.Succs(from), func(e cfg.Edge) bool { return e.To == to })
}
