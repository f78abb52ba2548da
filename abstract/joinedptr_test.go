package abstract

import (
	"fmt"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/testing/progen"
)

// manyWays are more ways than there are states, so that some are joined.
const manyWays = 100

// joinWays leaves in r4 a number and in r3 the address of one of two slots, by what is in r6.
func joinWays(a *progen.Asm) {
	a.Emit(0x61, 7, 6, 0, 0)
	a.Emit(0xb7, 4, 0, 0, 0)
	a.Emit(0xbf, 3, 10, 0, 0)
	a.Emit(0x07, 3, 0, 0, -24)
	for i := range int32(manyWays) {
		l := fmt.Sprint("way", i)
		a.If(0x55, 7, 0, i, l)
		a.Emit(0xb7, 4, 0, 0, i)
		a.Emit(0xbf, 3, 10, 0, 0)
		a.Emit(0x07, 3, 0, 0, -24-8*(i&1))
		a.Label(l)
	}
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

// TestJoinedPointer: where many ways have joined, an access at an offset that differs between
// them is one at a constant offset for the verifier, and a pointer that it loads or leaves in
// its slot is one. Linux 7.3.4 visits each of the ends.
func TestJoinedPointer(t *testing.T) {
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
			joinWays(a)
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
			joinWays(a)
			a.Emit(0x79, 8, 3, 0, 0)
			noNumber(a)
			return ownEnds(a)
		}},
		{"a store perhaps beside", []Rules{Verifier}, func(a *progen.Asm) []bytecode.PC {
			a.MapValue(9, a.Map(bytecode.Map{Name: "m", Type: bytecode.MapArray, KeySize: 4, ValueSize: 8, MaxEntries: 1}), 0)
			a.Emit(0x7b, 10, 9, -24, 0)
			a.Emit(0x7b, 10, 9, -32, 0)
			joinWays(a)
			a.Emit(0x7a, 3, 0, 0, 5)
			a.Emit(0x79, 8, 10, -24, 0)
			noNumber(a)
			var ends []bytecode.PC
			for i, pc := range ownEnds(a) {
				if i&1 != 0 { // the others have stored to this slot
					ends = append(ends, pc)
				}
			}
			return ends
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
