package abstract

import (
	"fmt"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/testing/progen"
)

// manyWays are more ways than there are states, so that some are joined.
const manyWays = 100

// joinWays leaves in r4 a number and in r3 what each makes of it, by the number in r6.
func joinWays(a *progen.Asm, each func(i int32)) {
	a.Emit(0x61, 7, 6, 0, 0)
	a.Emit(0xb7, 4, 0, 0, 0)
	each(0)
	for i := range int32(manyWays) {
		l := fmt.Sprint("way", i)
		a.If(0x55, 7, 0, i, l)
		a.Emit(0xb7, 4, 0, 0, i)
		each(i)
		a.Label(l)
	}
}

// joinTwoSlots leaves in r3 the address of one of two slots.
func joinTwoSlots(a *progen.Asm) {
	joinWays(a, func(i int32) {
		a.Emit(0xbf, 3, 10, 0, 0)
		a.Emit(0x07, 3, 0, 0, -24-8*(i&1))
	})
}

// odd returns every second of the ends.
func odd(ends []bytecode.PC) (out []bytecode.PC) {
	for i := 1; i < len(ends); i += 2 {
		out = append(out, ends[i])
	}
	return out
}

// ownEnds gives each number in r4 an end of its own and returns these.
func ownEnds(a *progen.Asm) (ends []bytecode.PC) {
	for i := range int32(manyWays) {
		l := fmt.Sprint("end", i)
		a.If(0x55, 4, 0, i, l)
		ends = append(ends, a.PC())
		a.Emit(0xb7, 0, 0, 0, i)
		a.Emit(0x95, 0, 0, 0, 0)
		a.Label(l)
	}
	a.Emit(0xb7, 0, 0, 0, 0)
	a.Emit(0x95, 0, 0, 0, 0)
	return ends
}

// noNumber goes on where r8 is more than 5 and at most 3, as only a pointer is to the verifier.
func noNumber(a *progen.Asm) {
	a.If(0x65, 8, 0, 5, "more")
	a.Label("out")
	a.Emit(0xb7, 0, 0, 0, 0)
	a.Emit(0x95, 0, 0, 0, 0)
	a.Label("more")
	a.If(0xd5, 8, 0, 3, "less")
	a.Jump("out")
	a.Label("less")
}

// TestJoined: where many ways have joined, each is one for the verifier: an access at an offset that differs between
// them is one at a constant offset for the verifier, and a pointer that it loads or leaves in
// its slot is one. Linux 7.3.4 visits each of the ends.
func TestJoined(t *testing.T) {
	tests := []struct {
		name  string
		rules []Rules
		build func(a *progen.Asm) []bytecode.PC
	}{
		{"a store by what was loaded", []Rules{Verifier, Executions}, func(a *progen.Asm) []bytecode.PC {
			a.Emit(0xbf, 2, 10, 0, 0)
			a.Emit(0x07, 2, 0, 0, -16)
			a.Emit(0x7b, 10, 2, -24, 0)
			a.Emit(0x7b, 10, 2, -32, 0)
			a.Emit(0x7a, 10, 0, -16, 0)
			joinTwoSlots(a)
			a.Emit(0x79, 8, 3, 0, 0)
			a.Emit(0x7a, 8, 0, 0, 5)
			a.Emit(0x79, 9, 10, -16, 0)
			a.If(0x15, 9, 0, 5, "stored")
			a.Emit(0xb7, 0, 0, 0, 0)
			a.Emit(0x95, 0, 0, 0, 0)
			a.Label("stored")
			return ownEnds(a)
		}},
		{"comparisons of what was loaded", []Rules{Verifier}, func(a *progen.Asm) []bytecode.PC {
			a.Emit(0x7b, 10, 6, -24, 0)
			a.Emit(0x7b, 10, 6, -32, 0)
			joinTwoSlots(a)
			a.Emit(0x79, 8, 3, 0, 0)
			noNumber(a)
			return ownEnds(a)
		}},
		{"a store perhaps beside", []Rules{Verifier}, func(a *progen.Asm) []bytecode.PC {
			a.MapValue(9, a.Map(bytecode.Map{Name: "m", Type: bytecode.MapArray, KeySize: 4, ValueSize: 8, MaxEntries: 1}), 0)
			a.Emit(0x7b, 10, 9, -24, 0)
			a.Emit(0x7b, 10, 9, -32, 0)
			joinTwoSlots(a)
			a.Emit(0x7a, 3, 0, 0, 5)
			a.Emit(0x79, 8, 10, -24, 0)
			noNumber(a)
			return odd(ownEnds(a)) // the others have stored to this slot
		}},
		// See TestNarrowGoesOn.
		{"a range that has no hole", []Rules{Verifier}, func(a *progen.Asm) []bytecode.PC {
			a.Emit(0x79, 8, 6, 8, 0)
			a.Emit(0xbf, 9, 8, 0, 0)
			a.Emit(0x57, 9, 0, 0, 15)
			joinWays(a, func(i int32) { a.Emit(0xbf, 3, bytecode.Reg(8+i&1), 0, 0) })
			a.If(0x15, 3, 0, 5, "out")
			a.If(0x15, 3, 0, 5, "again")
			a.Label("out")
			a.Emit(0xb7, 0, 0, 0, 0)
			a.Emit(0x95, 0, 0, 0, 0)
			a.Label("again")
			return odd(ownEnds(a)) // of the other number 5 is known to be excluded
		}},
	}
	for _, tt := range tests {
		for _, rules := range tt.rules {
			var a progen.Asm
			a.Emit(0xbf, 6, 1, 0, 0)
			ends := tt.build(&a)
			_, f := fixpointOf(t, a.Program("joined"), Options{Rules: rules})
			missed := 0
			for _, pc := range ends {
				if !f.Reached(pc) {
					missed++
				}
			}
			if missed > 0 {
				t.Errorf("%s, rules %v: %d of %d ends are not reached", tt.name, rules, missed, len(ends))
			}
		}
	}
}

// TestBytesBeforePointer: the verifier leaves out the way with a pointer in a slot, because it has
// followed one with bytes there to its end. 7.3.4 was asked: it visits none of what only the
// pointer reaches.
func TestBytesBeforePointer(t *testing.T) {
	p, only := bytesBeforePointer()
	_, f := fixpoint(t, p)
	if f.Reach(only) != cfg.Maybe {
		t.Errorf("what only the pointer reaches: %v, want maybe", f.Reach(only))
	}
}

func bytesBeforePointer() (p *bytecode.Program, only bytecode.PC) {
	var a progen.Asm
	a.Emit(0x61, 2, 1, 0, 0)
	a.MapValue(7, a.Map(bytecode.Map{Name: "m", Type: bytecode.MapArray, KeySize: 4, ValueSize: 8, MaxEntries: 1}), 0)
	a.Emit(0x7b, 10, 7, -8, 0)
	a.If(0x15, 2, 0, 0, "meet")
	a.Emit(0x63, 10, 2, -8, 0)
	a.Emit(0x63, 10, 2, -4, 0)
	a.Label("meet")
	for range 8 {
		a.Emit(0xb7, 2, 0, 0, 0)
	}
	for _, l := range []string{"x", "y", "z"} {
		a.Jump(l)
		a.Label(l)
	}
	a.Emit(0xb7, 7, 0, 0, 0)
	a.Emit(0x79, 8, 10, -8, 0)
	noNumber(&a)
	only = a.PC()
	a.Emit(0xb7, 0, 0, 0, 1)
	a.Emit(0x95, 0, 0, 0, 0)
	return a.Program("bytes_before_pointer"), only
}

// TestVariableCovers: a state with a variable offset stands for one with a constant offset, which
// loads the pointer. Linux 7.2.7's log shows both.
func TestVariableCovers(t *testing.T) {
	var a progen.Asm
	a.Emit(0xbf, 6, 1, 0, 0)
	a.Emit(0x61, 7, 6, 0, 0)
	a.Emit(0x7b, 10, 6, -24, 0)
	a.Emit(0x7b, 10, 6, -32, 0)
	a.Emit(0x61, 2, 6, 8, 0)
	a.Emit(0x57, 2, 0, 0, 8)
	a.If(0x15, 7, 0, 0, "meet")
	a.Emit(0xb7, 2, 0, 0, 0)
	a.Label("meet")
	a.Emit(0xbf, 3, 10, 0, 0)
	a.Emit(0x07, 3, 0, 0, -32)
	a.Emit(0x0f, 3, 2, 0, 0)
	a.Emit(0x79, 8, 3, 0, 0)
	noNumber(&a)
	only := a.PC()
	a.Emit(0xb7, 0, 0, 0, 1)
	a.Emit(0x95, 0, 0, 0, 0)
	_, f := fixpoint(t, a.Program("variable"))
	if f.Reach(only) == cfg.No {
		t.Error("what only the pointer reaches is dead")
	}
}
