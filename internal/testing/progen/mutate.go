package progen

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// Mutate returns a copy of a program with one to four instructions changed: their numbers,
// registers, offsets, widths and operations, or their order. Operands that refer to something stay.
// Kernels refuse most results; the others have unusual shapes.
func Mutate(p *bytecode.Program, seed uint64) *bytecode.Program {
	rnd := rand.New(rand.NewPCG(seed, 13))
	out := *p
	out.Name = fmt.Sprintf("%s-%d", p.Name, seed)
	out.Insns = slices.Clone(p.Insns)
	var free []bytecode.PC // instructions that may change
	for pc := bytecode.PC(0); pc < p.Len(); pc += p.Insns[pc].Slots() {
		if _, refers := p.RefAt(pc); !refers && !p.Insns[pc].IsWide() {
			free = append(free, pc)
		}
	}
	if len(free) == 0 {
		return &out
	}
	for range 1 + rnd.IntN(4) {
		pc := free[rnd.IntN(len(free))]
		if rnd.IntN(8) == 0 { // change places
			other := free[rnd.IntN(len(free))]
			out.Insns[pc], out.Insns[other] = out.Insns[other], out.Insns[pc]
			continue
		}
		change(&out.Insns[pc], rnd)
	}
	return &out
}

// edges are numbers at which values change their kind.
func edges() []int32 {
	return []int32{0, 1, -1, 2, 3, 4, 7, 8, 15, 16, 31, 32, 63, 64, 127, 255, 256, -8, -16, 1<<31 - 1, -1 << 31, 1 << 16}
}

// change changes one field of an instruction that may hold something else.
func change(in *bytecode.Insn, rnd *rand.Rand) {
	class := in.Code & 7
	memory := class == 1 || class == 2 || class == 3 // LDX, ST, STX (RFC 9669, section 3)
	jump := class == 5 || class == 6
	always := jump && in.Code>>4 == 0 || in.Code>>4 == 8 || in.Code>>4 == 9 // goto, call, exit
	register := class == 1 || class == 3 || !memory && in.Code&8 != 0
	switch k := rnd.IntN(6); {
	case jump && always: // what else it holds is reserved
		if in.Code == 0x05 {
			in.Off += int16(rnd.IntN(5))
		}
	case k == 0 && !register:
		list := edges()
		in.Imm = list[rnd.IntN(len(list))]
	case k == 1 && !register:
		in.Imm += int32(rnd.IntN(9) - 4)
	case k == 2 && (memory || jump):
		in.Off += int16(rnd.IntN(9) - 4)
	case k == 3:
		in.Dst = bytecode.Reg(rnd.IntN(10))
	case k <= 4 && register:
		in.Src = bytecode.Reg(rnd.IntN(10))
	case memory:
		in.Code = in.Code&^0x18 | uint8(rnd.IntN(4))<<3
	case jump:
		ops := []uint8{1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 13}
		in.Code = in.Code&0x0f | ops[rnd.IntN(len(ops))]<<4
	case in.Code>>4 != 8 && in.Code>>4 != 13: // neither negation nor byte order
		ops := []uint8{0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12}
		in.Code = (in.Code&0x0f | ops[rnd.IntN(len(ops))]<<4) ^ uint8(rnd.IntN(2))*3 // 32 bits or 64: classes 4 and 7
	}
}
