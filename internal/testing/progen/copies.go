package progen

import (
	"math/rand/v2"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// Copies returns a random program of numbers that are copies of each other, or sums of copies and
// constants: in registers and on the stack, by moves of all widths, across joins and calls, more of
// them than a verifier keeps together. Each comparison narrows all linked numbers, and decides
// later ones. It takes a context of 64 bytes.
func Copies(seed uint64) *bytecode.Program {
	g := &copyGen{rnd: rand.New(rand.NewPCG(seed, 23))}
	g.a.Func("copies", false)
	g.a.Emit(opMovX, 6, 1, 0, 0)
	for r := bytecode.R0; r < bytecode.R10; r++ {
		if r != 6 {
			g.load(r)
		}
	}
	pieces := []func(){g.copy, g.copy, g.copy, g.add, g.add, g.compare, g.compare, g.compare, g.spill, g.fill, g.many,
		g.fresh}
	if g.rnd.IntN(2) == 0 {
		pieces = append(pieces, g.call)
	}
	for range 8 + g.rnd.IntN(40) {
		pieces[g.rnd.IntN(len(pieces))]()
	}
	g.a.Emit(opMovK, 0, 0, 0, 0)
	g.a.Emit(bytecode.CodeExit, 0, 0, 0, 0)
	if g.called {
		g.callee()
	}
	p := g.a.Program("copies")
	p.Type = "syscall"
	return p
}

// copyGen is a program of Copies that is being made. r6 holds the context, all other
// registers numbers.
type copyGen struct {
	rnd    *rand.Rand
	a      Asm
	called bool
	slots  []numberSlot // that hold a number
}

// numberSlot is a part of the stack that holds a number.
type numberSlot struct {
	off  int16
	bits uint8
}

func (g *copyGen) reg() bytecode.Reg {
	for {
		if r := bytecode.Reg(g.rnd.IntN(10)); r != 6 {
			return r
		}
	}
}

// small returns a number of the size that most registers hold.
func (g *copyGen) small() int32 { return int32(g.rnd.IntN(40)) - 4 }

// load gives a register a number of the context, mostly one with bounds.
func (g *copyGen) load(r bytecode.Reg) {
	g.a.Emit([]uint8{opLdxDW, opLdxW, opLdxDW}[g.rnd.IntN(3)], r, 6, int16(8*g.rnd.IntN(8)), 0)
	if g.rnd.IntN(3) > 0 {
		g.a.Emit(opAndK, r, 0, 0, []int32{7, 15, 31, 63, 255}[g.rnd.IntN(5)])
	}
}

func (g *copyGen) fresh() { g.load(g.reg()) }

// copy moves a number by an instruction of some width.
func (g *copyGen) copy() {
	code, off := uint8(opMovX), int16(0)
	switch g.rnd.IntN(8) {
	case 0, 1:
		code = opMovX32
	case 2:
		off = []int16{8, 16, 32}[g.rnd.IntN(3)]
	case 3:
		code, off = opMovX32, []int16{8, 16}[g.rnd.IntN(2)]
	}
	g.a.Emit(code, g.reg(), g.reg(), off, 0)
}

// many makes copies of one number, and adds a constant to some.
func (g *copyGen) many() {
	src := g.reg()
	for range 2 + g.rnd.IntN(8) {
		r := g.reg()
		g.a.Emit(opMovX, r, src, 0, 0)
		if g.rnd.IntN(3) == 0 && r != src {
			g.a.Emit(opAddK, r, 0, 0, g.small())
		}
	}
}

// add adds a constant to a number, or subtracts it.
func (g *copyGen) add() {
	code := []uint8{0x07, 0x04, 0x17, 0x14}[g.rnd.IntN(4)]
	if g.rnd.IntN(6) > 0 {
		g.a.Emit(code, g.reg(), 0, 0, g.small())
		return
	}
	k := g.reg()
	g.a.Emit(opMovK, k, 0, 0, g.small())
	g.a.Emit(code|8, g.reg(), k, 0, 0)
}

// compare skips a change when a comparison holds, or leaves the program.
func (g *copyGen) compare() {
	ops := []uint8{0x10, 0x20, 0x30, 0x50, 0x60, 0x70, 0xa0, 0xb0, 0xc0, 0xd0}
	code := ops[g.rnd.IntN(len(ops))] | 5
	if g.rnd.IntN(4) == 0 {
		code++ // of 32 bits
	}
	skip, a, b := int16(1), g.reg(), g.reg()
	if g.rnd.IntN(4) == 0 {
		skip = 2
	}
	if g.rnd.IntN(4) == 0 && a != b {
		g.a.Emit(code|8, a, b, skip, 0)
	} else {
		g.a.Emit(code, a, 0, skip, g.small())
	}
	if skip == 2 {
		g.a.Emit(opMovK, 0, 0, 0, 1)
		g.a.Emit(bytecode.CodeExit, 0, 0, 0, 0)
		return
	}
	switch g.rnd.IntN(3) {
	case 0:
		g.a.Emit(opMovX, g.reg(), g.reg(), 0, 0)
	case 1:
		g.a.Emit(opAddK, g.reg(), 0, 0, g.small())
	default:
		g.a.Emit(opMovK, g.reg(), 0, 0, g.small())
	}
}

// spill stores a number.
func (g *copyGen) spill() {
	s := numberSlot{off: -8 * int16(1+g.rnd.IntN(4)), bits: []uint8{0x18, 0x18, 0x00, 0x08}[g.rnd.IntN(4)]}
	g.a.Emit(0x63|s.bits, 10, g.reg(), s.off, 0)
	g.slots = append(g.slots, s)
}

// fill loads a number that was stored.
func (g *copyGen) fill() {
	if len(g.slots) == 0 {
		g.spill()
	}
	s := g.slots[g.rnd.IntN(len(g.slots))]
	g.a.Emit(0x61|s.bits, g.reg(), 10, s.off, 0)
}

// call passes numbers to a function that compares them.
func (g *copyGen) call() {
	g.called = true
	g.a.Call("f")
	if g.rnd.IntN(4) == 0 {
		g.a.Emit(opMovX, g.reg(), 0, 0, 0)
	}
	for r := bytecode.R1; r <= bytecode.R5; r++ {
		if g.rnd.IntN(2) == 0 {
			g.load(r)
			continue
		}
		g.a.Emit(opMovX, r, []bytecode.Reg{0, 7, 8, 9}[g.rnd.IntN(4)], 0, 0)
	}
}

// callee is the function that is called: it compares its arguments and returns some of them.
func (g *copyGen) callee() {
	g.a.Func("f", false)
	if g.rnd.IntN(2) == 0 {
		g.a.Emit(opMovX, 2, 1, 0, 0)
	}
	for range 1 + g.rnd.IntN(3) {
		code := []uint8{opJeqK, opJgtK, opJltK, 0xb5}[g.rnd.IntN(4)]
		g.a.Emit(code, bytecode.Reg(1+g.rnd.IntN(3)), 0, 2, g.small())
		g.a.Emit(opMovX, 0, bytecode.Reg(1+g.rnd.IntN(3)), 0, 0)
		g.a.Emit(bytecode.CodeExit, 0, 0, 0, 0)
	}
	g.a.Emit(opMovX, 0, bytecode.Reg(1+g.rnd.IntN(3)), 0, 0)
	g.a.Emit(bytecode.CodeExit, 0, 0, 0, 0)
}
