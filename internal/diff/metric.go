package diff

import (
	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
)

// metrics returns the numbers of two versions.
func metrics(old, new *version) []Metric {
	var out []Metric
	add := func(name string, f func(v *version) int) {
		out = append(out, Metric{name, f(old), f(new)})
	}
	add("instructions", func(v *version) int { return len(v.a.Program.Insns) })
	add("xlated", func(v *version) int {
		if v.a.Rewrite == nil {
			return -1
		}
		return len(v.a.Rewrite.Original)
	})
	add("image bytes", func(v *version) int {
		if v.a.Image == nil {
			return -1
		}
		return len(v.a.Image.Code)
	})
	add("functions", func(v *version) int { return len(v.a.Program.Subprogs) })
	add("blocks", func(v *version) int { return len(v.a.Graph.Blocks) })
	add("reachable blocks", func(v *version) int {
		n := 0
		for b := range v.a.Graph.Blocks {
			if reached(v.a, cfg.BlockID(b)) {
				n++
			}
		}
		return n
	})
	add("edges", func(v *version) int { return v.a.Graph.NumEdges() })
	add("loops", func(v *version) int { return len(cfg.Loops(v.a.Graph).All) })
	add("stack bytes", stackOf)
	add("gotox", func(v *version) int { n, _ := indirect(v.a, "gotox"); return n })
	add("gotox targets", func(v *version) int { _, n := indirect(v.a, "gotox"); return n })
	add("callx", func(v *version) int { n, _ := indirect(v.a, "callx"); return n })
	add("callx targets", func(v *version) int { _, n := indirect(v.a, "callx"); return n })
	add("table entries", func(v *version) int {
		n := 0
		for i := range v.a.Program.Tables {
			n += len(v.a.Program.Tables[i].Targets)
		}
		return n
	})
	return out
}

// stackOf returns the bytes of stack of the function that uses most.
func stackOf(v *version) int {
	n := 0
	for sub := range v.a.Program.Subprogs {
		n = max(n, v.a.Succ.Facts.StackDepth(sub))
	}
	return n
}

// indirect counts indirect jumps or calls and the targets that executions can
// select.
func indirect(a *pipeline.Analysis, op string) (jumps, targets int) {
	for _, d := range a.Succ.Indirect {
		if d.Op == op {
			jumps++
			targets += len(d.Exact)
		}
	}
	return jumps, targets
}

// Verdict returns the verdict of the kernel's rules on a program: NotRefused, or the message.
func Verdict(a *pipeline.Analysis) string {
	if v := a.Verdict(); !v.Accept {
		return v.Message
	}
	return NotRefused
}

// NotRefused is the verdict on a program that no modelled rule refuses.
const NotRefused = "not refused"
