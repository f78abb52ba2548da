package check

import (
	"slices"

	"github.com/bpfcfg/bpfcfg/jit/pipeline"
)

// Across returns the findings of one program on several kernels, and the code of it by the first of
// them. Checks that do not depend on the kernel run once.
func Across(as []*pipeline.Analysis, e Expect) ([][]Finding, *Code) {
	var out [][]Finding
	var code *Code
	common := map[any]*context{} // by Succ
	for _, a := range as {
		c := common[a.Succ]
		if c == nil {
			c = newContext(a)
			c.common()
			common[a.Succ] = c
		}
		d := *c
		d.a, d.found, d.left = a, slices.Clone(c.found), c.left.clone()
		d.onKernel(e)
		c.tree = d.tree
		if code == nil {
			code = d.code()
		}
		out = append(out, d.done())
	}
	return out, code
}

// Kernels is a finding and the indices of the analyses that have it.
type Kernels struct {
	Finding
	On []int
}

// OneList merges the findings of several kernels: equal findings at the same place become one, in
// order of places.
func OneList(lists [][]Finding) []Kernels {
	type key struct{ fingerprint, message, kernel, level string }
	at := map[key]int{}
	var out []Kernels
	for i, fs := range lists {
		for _, f := range fs {
			k := key{f.Fingerprint, f.Message, f.Kernel, string(f.Level)}
			if j, ok := at[k]; ok {
				if on := &out[j].On; (*on)[len(*on)-1] != i {
					*on = append(*on, i)
				}
				continue
			}
			at[k] = len(out)
			out = append(out, Kernels{f, []int{i}})
		}
	}
	slices.SortStableFunc(out, func(a, b Kernels) int { return order(&a.Finding, &b.Finding) })
	return out
}
