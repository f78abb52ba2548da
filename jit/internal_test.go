package jit

import (
	"errors"
	"fmt"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// TestPad checks which gaps a shrunken jump may leave: 4 before a
// conditional jump, 3 before a goto or later exit, 2 or 5 in place of a
// goto that vanished; anything else fails as in do_jit.
func TestPad(t *testing.T) {
	tests := []struct {
		name    string
		size    int32 // of the jump in its short form
		allowed paddings
		want    map[int32]string
	}{
		{"conditional", 2, padCond, map[int32]string{0: "", 4: "0f1f4000"}},
		{"goto", 2, padGoto, map[int32]string{0: "", 3: "0f1f00"}},
		{"vanished", 0, padNone, map[int32]string{0: "", 2: "6690", 5: "0f1f440000"}},
	}
	for _, tt := range tests {
		for gap := int32(-2); gap <= 8; gap++ {
			c := function{
				prog: &Program{}, fn: &Func{}, insns: make([]bytecode.Insn, 1),
				padding: true, addrs: []int32{100, 103 + tt.size + gap},
			}
			c.x.Put(1, 2, 3) // a comparison
			c.pad(tt.size, tt.allowed)
			want, ok := tt.want[gap]
			if got := fmt.Sprintf("%x", c.x.Bytes()[3:]); got != want || ok != (c.err == nil) {
				t.Errorf("%s, gap %d: %s, %v", tt.name, gap, got, c.err)
			}
			if !ok && !errors.Is(c.err, ErrPadding) {
				t.Errorf("%s, gap %d: %v", tt.name, gap, c.err)
			}
		}
	}
}
