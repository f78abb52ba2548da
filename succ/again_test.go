package succ_test

import (
	"slices"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/testing/progen"
	"github.com/bpfcfg/bpfcfg/succ"
)

// TestReadAgain reads a field of the context twice. It is one number, unless something came
// between that may change it: then it is not known which one the second is.
func TestReadAgain(t *testing.T) {
	for _, tt := range []struct {
		name  string
		again func(a *progen.Asm) // after r2 was read and r1 kept in r6
		known bool                // what executions select is proven
	}{
		{"no less", func(a *progen.Asm) {
			a.If(0x25, 2, 0, 3, "out")
			a.Emit(0x61, 2, 6, 0, 0)
			a.If(0x25, 2, 0, 3, "out")
		}, true},
		{"less", func(a *progen.Asm) {
			a.If(0x25, 2, 0, 1, "out")
			a.Emit(0x61, 2, 6, 0, 0)
			a.If(0x25, 2, 0, 3, "out")
		}, true},
		{"after it was copied", func(a *progen.Asm) {
			a.Emit(0xbf, 7, 2, 0, 0)
			a.Emit(0x61, 2, 6, 0, 0)
			a.If(0x55, 7, 0, 2, "out")
			a.If(0x25, 2, 0, 3, "out")
		}, true},
		{"a part of it", func(a *progen.Asm) {
			a.If(0x55, 2, 0, 256, "out")
			a.Emit(0x71, 2, 6, 0, 0)
			a.If(0x25, 2, 0, 3, "out")
		}, false},
		{"a part of it before", func(a *progen.Asm) {
			a.Emit(0x71, 7, 6, 0, 0)
			a.Emit(0x61, 2, 6, 0, 0)
			a.If(0x55, 2, 0, 256, "out")
			a.Emit(0xbf, 2, 7, 0, 0)
			a.If(0x25, 2, 0, 3, "out")
		}, false},
		{"after a call that may change it", func(a *progen.Asm) {
			a.If(0x55, 2, 0, 1, "out")
			a.Emit(0xbf, 1, 6, 0, 0)
			a.Emit(0xb7, 2, 0, 0, 60)
			a.Emit(0xb7, 3, 0, 0, 0)
			a.Emit(bytecode.CodeCall, 0, 0, 0, helperChangeTail)
			a.Emit(0x61, 2, 6, 0, 0)
			a.If(0x25, 2, 0, 3, "out")
		}, false},
	} {
		p := jumps(4, func(a *progen.Asm) {
			a.Emit(0xbf, 6, 1, 0, 0)
			a.Emit(0x61, 2, 1, 0, 0)
			tt.again(a)
		})
		p.Type = "tc"
		r, err := succ.Resolve(p, succ.Options{})
		if err != nil {
			t.Fatal(err)
		}
		var want []bytecode.PC
		if tt.known {
			want = selects(p)
		}
		if d := r.Indirect[0]; !slices.Equal(d.Proven, want) {
			t.Errorf("%s: %s, %v are proven, want %v", tt.name, d.Status, d.Proven, want)
		}
	}
}

// helperChangeTail is bpf_skb_change_tail, which sets the length of a packet.
const helperChangeTail = 38
