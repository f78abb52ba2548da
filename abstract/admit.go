package abstract

import (
	"fmt"
	"slices"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// Concrete is the state at one moment of an execution, for comparison with facts.
type Concrete interface {
	// Reg returns what a register holds.
	Reg(r bytecode.Reg) uint64
	// Base returns the address of an object, to which the offset of a pointer
	// of this kind is added. For Stack, obj counts frames from the current one
	// and the address is that of the frame's top. For MapValue it is that of the
	// element of the map that x points into.
	Base(k Kind, obj int, x uint64) uint64
	// Cells returns the byte offsets of the entries of a table (Insn) or of the
	// code addresses of a data section (Code) that hold this code address.
	Cells(k Kind, obj int, addr uint64) []uint64
	// StackWord returns eight aligned bytes of a frame: those that begin 8*num
	// below its top.
	StackWord(frame, num int) uint64
}

// Admits reports whether one of the states at the entry of a block describes a moment of an
// execution. It is for tests: it must be true for every moment that happens.
func (f *Facts) Admits(b cfg.BlockID, c Concrete) bool {
	for _, s := range f.statesAt(b) {
		if s.misfit(c) == nil {
			return true
		}
	}
	return false
}

// Refusals returns for each state at the entry of a block the first register or
// stack slot that does not fit a moment of an execution, "" for none.
func (f *Facts) Refusals(b cfg.BlockID, c Concrete) []string {
	var out []string
	for _, s := range f.statesAt(b) {
		out = append(out, s.refuses(c))
	}
	return out
}

// refuses is Refusals for one state.
func (s *State) refuses(c Concrete) string {
	if text := s.misfit(c); text != nil {
		return text()
	}
	return ""
}

// misfit returns a function that describes the register or slot that does not fit, nil if all
// fit.
func (s *State) misfit(c Concrete) func() string {
	var base links
	for r, v := range s.regs {
		if x := c.Reg(bytecode.Reg(r)); v != nil && !v.admits(x, c, &base) {
			return func() string { return fmt.Sprintf("r%d=%v is %#x", r, v, x) }
		}
	}
	for i, f := range s.frames {
		for num, sl := range f.all {
			if x := c.StackWord(i, int(num)); !sl.admits(x, c, &base) {
				return func() string {
					t := (*Facts)(nil).Texts()
					return fmt.Sprintf("fp[%d]-%d=%s is %#x", i, 8*num, t.Text(t.stored(sl)), x)
				}
			}
		}
	}
	return nil
}

// links holds for the ids of values that are linked the number without its delta.
type links []struct {
	id uint32
	n  uint64
}

// same reports whether n is the number of this id, or the first one.
func (l *links) same(id uint32, n uint64) bool {
	for _, k := range *l {
		if k.id == id {
			return k.n == n
		}
	}
	*l = append(*l, struct {
		id uint32
		n  uint64
	}{id, n})
	return true
}

// admits reports whether the slot may hold these eight bytes.
func (s *slot) admits(word uint64, c Concrete, base *links) bool {
	for i, b := range s.bytes {
		if b == byteZero && byte(word>>(8*i)) != 0 {
			return false
		}
	}
	if s.val == nil {
		return true
	}
	n := s.spilled()
	if n == 8 {
		return s.val.admits(word, c, base)
	}
	// The slot has only the low bytes of the value.
	low := word & (1<<(8*n) - 1)
	off := s.val.Off.Narrow(n, false)
	return off.Contains(low)
}

// admits reports whether the value may be the number x.
func (v *Value) admits(x uint64, c Concrete, base *links) bool {
	if v.id != 0 && v.is(Number) {
		b := x - uint64(int64(v.delta))
		if v.add == 32 {
			b = uint64(uint32(b))
		}
		if !base.same(v.id, b) {
			return false
		}
	}
	return v.has(func(a *Alt) bool { return a.admits(x, c) })
}

// admits reports whether the alternative may be the number x.
func (a *Alt) admits(x uint64, c Concrete) bool {
	if a.flags&maybeNull != 0 && x == 0 {
		return true
	}
	switch a.Kind {
	case Number:
		return a.contains(x)
	case Other:
		return true
	case Insn, Code:
		return slices.ContainsFunc(c.Cells(a.Kind, int(a.Obj), x), a.contains)
	}
	return a.contains(x - c.Base(a.Kind, int(a.Obj), x))
}

// contains reports whether off is one of the alternative's offsets.
func (a *Alt) contains(off uint64) bool {
	return a.Off.Contains(off) && a.str.has(off) && !a.src.hole(off)
}
