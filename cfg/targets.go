package cfg

import (
	"maps"
	"slices"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// Targets holds the control flow that an analysis has found and the instructions do not state:
// for the slot of an indirect jump (gotox) the slots it may go to, for the slot of an indirect
// call (callx) the subprograms it may call, and for the slot of a helper or kfunc call the
// subprograms that the helper may call back. Targets are only ever added. The zero value is empty
// and ready to use, and a nil *Targets is empty.
type Targets struct {
	of map[bytecode.PC][]bytecode.PC // sorted, without duplicates
}

// Of returns the targets of the instruction at pc, ascending and without duplicates. Callers do
// not change the slice.
func (t *Targets) Of(pc bytecode.PC) []bytecode.PC {
	if t == nil {
		return nil
	}
	return slices.Clip(t.of[pc])
}

// Add adds targets of the instruction at pc and reports whether any was new. Slices that Of
// returned before stay unchanged.
func (t *Targets) Add(pc bytecode.PC, targets ...bytecode.PC) bool {
	old := t.of[pc]
	var add []bytecode.PC
	for _, to := range targets {
		if _, ok := slices.BinarySearch(old, to); !ok {
			add = append(add, to)
		}
	}
	if len(add) == 0 {
		return false
	}
	if t.of == nil {
		t.of = make(map[bytecode.PC][]bytecode.PC)
	}
	slices.Sort(add)
	t.of[pc] = merge(old, slices.Compact(add))
	return true
}

// merge returns the sorted union of two sorted slices without common elements.
func merge(a, b []bytecode.PC) []bytecode.PC {
	out := make([]bytecode.PC, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		if a[0] < b[0] {
			out, a = append(out, a[0]), a[1:]
		} else {
			out, b = append(out, b[0]), b[1:]
		}
	}
	return append(append(out, a...), b...)
}

// Equal reports whether both hold the same targets.
func (t *Targets) Equal(u *Targets) bool {
	if t == nil || u == nil {
		return len(t.PCs()) == len(u.PCs())
	}
	return maps.EqualFunc(t.of, u.of, slices.Equal)
}

// PCs returns the slots of the instructions that have targets, ascending.
func (t *Targets) PCs() []bytecode.PC {
	if t == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(t.of))
}

// Clone returns a copy that shares nothing with t.
func (t *Targets) Clone() *Targets {
	c := &Targets{}
	if t == nil || len(t.of) == 0 {
		return c
	}
	c.of = make(map[bytecode.PC][]bytecode.PC, len(t.of))
	for pc, to := range t.of {
		c.of[pc] = slices.Clone(to)
	}
	return c
}
