package soundness

import (
	"math/rand/v2"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// found lists programs, cut down, whose facts were wrong once, with a context
// that showed it.
var found = []struct {
	name  string
	insns []bytecode.Insn
	ctx   []byte
}{
	{
		// Bytes above a narrow spill of 0 were taken for zeros by a load at a
		// variable offset.
		"narrow spill of zero", []bytecode.Insn{
			{Code: 0x79, Dst: 7, Src: 1, Off: 8},    // r7 = *(u64 *)(r1 +8)
			{Code: 0x79, Dst: 8, Src: 1, Off: 16},   // r8 = *(u64 *)(r1 +16)
			{Code: 0x7b, Dst: 10, Src: 7, Off: -16}, // *(u64 *)(r10 -16) = r7
			{Code: 0xb7, Dst: 9},                    // r9 = 0
			{Code: 0x6b, Dst: 10, Src: 9, Off: -16}, // *(u16 *)(r10 -16) = r9
			{Code: 0x57, Dst: 8, Imm: 4},            // r8 &= 4
			{Code: 0xbf, Dst: 3, Src: 10},           // r3 = r10
			{Code: 0x07, Dst: 3, Imm: -16},          // r3 += -16
			{Code: 0x0f, Dst: 3, Src: 8},            // r3 += r8
			{Code: 0x61, Dst: 0, Src: 3},            // r0 = *(u32 *)(r3 +0)
			{Code: 0x55, Dst: 0, Off: 1, Imm: 1},    // if r0 != 1 goto +1
			{Code: 0x07, Dst: 0, Imm: 1},            // r0 += 1
			{Code: bytecode.CodeExit},
		}, []byte{8: 0, 12: 1, 16: 4, 23: 0},
	},
	{
		// Two states that shared a stack frame were compared without a look at
		// which registers the values in the frame are linked to.
		"shared frame with other links", []bytecode.Insn{
			{Code: 0x79, Dst: 7, Src: 1, Off: 8},   // r7 = *(u64 *)(r1 +8)
			{Code: 0x79, Dst: 2, Src: 1, Off: 16},  // r2 = *(u64 *)(r1 +16)
			{Code: 0x79, Dst: 3, Src: 1, Off: 24},  // r3 = *(u64 *)(r1 +24)
			{Code: 0x7b, Dst: 10, Src: 7, Off: -8}, // *(u64 *)(r10 -8) = r7
			{Code: 0xbf, Dst: 0, Src: 7},           // r0 = r7
			{Code: 0xbf, Dst: 9, Src: 7},           // r9 = r7
			{Code: 0x15, Dst: 2, Off: 3},           // if r2 == 0 goto +3
			{Code: 0xa4, Dst: 7, Imm: 7},           // w7 ^= 7
			{Code: 0xbf, Dst: 9, Src: 7},           // r9 = r7
			{Code: 0x05, Off: 1},                   // goto +1
			{Code: 0xbf, Dst: 0, Src: 3},           // r0 = r3
			{Code: 0x55, Dst: 7, Off: 3, Imm: 5},   // if r7 != 5 goto +3
			{Code: 0x79, Dst: 1, Src: 10, Off: -8}, // r1 = *(u64 *)(r10 -8)
			{Code: 0x15, Dst: 1, Off: 1, Imm: 5},   // if r1 == 5 goto +1
			{Code: 0xb7, Dst: 0, Imm: 1},           // r0 = 1
			{Code: 0x0f, Dst: 0, Src: 9},           // r0 += r9
			{Code: bytecode.CodeExit},
		}, []byte{8: 2, 16: 1, 31: 0},
	},
}

// TestFound executes the programs that showed a fault.
func TestFound(t *testing.T) {
	for _, f := range found {
		p := &bytecode.Program{Name: f.name, Type: "syscall", Insns: f.insns}
		p.Subprogs = []bytecode.Subprogram{{Name: f.name, End: p.Len()}}
		s := &subject{name: f.name, p: p, typ: "syscall"}
		rnd := rand.New(rand.NewPCG(*seedFlag, 9))
		var c total
		c.run(t, s, input{ctx: f.ctx}, rnd)
		for range 100 {
			c.run(t, s, mutate(rnd, input{ctx: f.ctx}), rnd)
		}
	}
}
