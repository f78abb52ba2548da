package main

import (
	"fmt"
	"io"
)

// printStages prints every stage of every program, a line each.
func printStages(w io.Writer, all []result) {
	fmt.Fprintln(w, "| shape | slots | stage | ns of CPU a slot | bytes a slot | allocations a slot | peak |")
	fmt.Fprintln(w, "|---|---:|---|---:|---:|---:|---:|")
	for i := range all {
		r := &all[i]
		for _, s := range append(r.Stages, r.total()) {
			n := float64(r.Slots)
			fmt.Fprintf(w, "| `%s` | %d | %s | %.0f | %.0f | %.2f | %d MB |\n", r.Shape, r.Slots, s.Name, s.CPU*1e9/n,
				float64(s.Bytes)/n, float64(s.Allocs)/n, s.Peak>>20)
		}
	}
}

// printShapes prints a line a shape: what a slot costs at each size, over all
// stages, what the proof costs beside the analysis, and how much memory the largest
// program takes.
func printShapes(w io.Writer, all []result, sizes []int) {
	fmt.Fprint(w, "| shape | slots | blocks | µs of CPU a slot | bytes a slot | allocations a slot | verify | peak |\n")
	fmt.Fprint(w, "|---|---:|---:|---|---|---|---|---|\n")
	for i := 0; i+len(sizes) <= len(all); i += len(sizes) {
		var times, bytes, allocs, proofs, peaks string
		for j, r := range all[i : i+len(sizes)] {
			t, n, sep := r.total(), float64(r.Slots), " → "
			if j == 0 {
				sep = ""
			}
			times += fmt.Sprintf("%s%.1f", sep, t.CPU*1e6/n)
			bytes += fmt.Sprintf("%s%.0f", sep, float64(t.Bytes)/n)
			allocs += fmt.Sprintf("%s%.1f", sep, float64(t.Allocs)/n)
			proofs += sep + r.proofShare()
			peaks += fmt.Sprintf("%s%d", sep, r.Peak>>20)
		}
		last := all[i+len(sizes)-1]
		fmt.Fprintf(w, "| `%s` | %d | %d | %s | %s | %s | %s | %s MB |\n", last.Shape, last.Slots, last.Blocks,
			times, bytes, allocs, proofs, peaks)
	}
	fmt.Fprintln(w)
}

// proofShare returns the processor time of the proof as a share of that of the stages that it
// checks, "–" where there is no machine code.
func (r *result) proofShare() string {
	var proof, analysis float64
	for _, s := range r.Stages {
		switch s.Name {
		case "verify":
			proof = s.CPU
		case "graph, facts, targets", "rewrite", "machine code", "verdict":
			analysis += s.CPU
		}
	}
	if !r.Proven || analysis == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f", proof/analysis)
}

// printGrowth prints a line a stage: what a slot costs at the largest size, and
// how its cost grows from the size before, at best and at worst over the shapes.
func printGrowth(w io.Writer, all []result, sizes []int) {
	n := len(sizes)
	if n < 2 || len(all) == 0 {
		return
	}
	fmt.Fprintf(w, "| stage | bytes a slot at %d | growth from %d | worst shape | allocations a slot | peak, worst |\n",
		sizes[n-1], sizes[n-2])
	fmt.Fprint(w, "|---|---|---|---|---|---:|\n")
	for s := range all[0].Stages {
		var bytes, allocs, growth span
		var peak int64
		worst := ""
		for i := n - 1; i < len(all); i += n {
			big, small := &all[i], &all[i-1]
			b := float64(big.Stages[s].Bytes) / float64(big.Slots)
			if big.Stages[s].Bytes < 1<<20 {
				continue // too little to compare
			}
			if g := b / (float64(small.Stages[s].Bytes) / float64(small.Slots)); growth.add(g) {
				worst = big.Shape
			}
			bytes.add(b)
			allocs.add(float64(big.Stages[s].Allocs) / float64(big.Slots))
			peak = max(peak, big.Stages[s].Peak)
		}
		fmt.Fprintf(w, "| %s | %.0f to %.0f | %.2f to %.2f | `%s` | %.2f to %.2f | %d MB |\n", all[0].Stages[s].Name,
			bytes.lo, bytes.hi, growth.lo, growth.hi, worst, allocs.lo, allocs.hi, peak>>20)
	}
}

// steep is how much more a slot may cost at the larger of two sizes before printSteep lists it.
// Stages that allocate or run less than small are noise.
const (
	steep      = 1.3
	smallBytes = 4 << 20
	smallCPU   = 0.1 // seconds
)

// printSteep prints a line for each stage of a shape that costs more for a slot at one size than at
// the size before: its cost is not linear, or a limit bounds it only later. Times vary on a machine
// with other load.
func printSteep(w io.Writer, all []result, sizes []int) {
	fmt.Fprintf(w, "\nSteeper than %.1f times linear:\n\n", steep)
	fmt.Fprint(w, "| shape | stage | slots | bytes | CPU |\n|---|---|---|---:|---:|\n")
	for i := range all {
		if i%len(sizes) == 0 {
			continue
		}
		a, b := &all[i-1], &all[i]
		per := float64(sizes[i%len(sizes)-1]) / float64(sizes[i%len(sizes)]) // one shape has entries for slots
		for s := range min(len(a.Stages), len(b.Stages)) {
			old, now := a.Stages[s], b.Stages[s]
			bytes, cpu := float64(now.Bytes)/float64(old.Bytes)*per, now.CPU/old.CPU*per
			if bytes > steep && now.Bytes > smallBytes || cpu > steep && now.CPU > smallCPU {
				fmt.Fprintf(w, "| `%s` | %s | %d → %d | %.2f | %.2f |\n", b.Shape, now.Name, a.Slots, b.Slots, bytes, cpu)
			}
		}
	}
}

// span is the smallest and the largest of some numbers.
type span struct {
	lo, hi float64
	any    bool
}

// add adds a number and reports whether it is the largest.
func (s *span) add(v float64) bool {
	if !s.any {
		*s = span{v, v, true}
		return true
	}
	s.lo = min(s.lo, v)
	if v > s.hi {
		s.hi = v
		return true
	}
	return false
}
