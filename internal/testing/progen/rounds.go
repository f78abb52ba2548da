package progen

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// Rounds returns a random program of loops that a verifier ends by forgetting numbers: loops of
// may_goto, nested, one after the other, and in functions that are called in loops. Constants in
// registers and on the stack are changed on some paths of a round, copied, narrowed and counted up,
// and later decide branches. It takes a context of 32 bytes.
func Rounds(seed uint64) *bytecode.Program {
	g := &roundGen{rnd: rand.New(rand.NewPCG(seed, 29)), base: bytecode.R10, low: -16}
	g.a.Func("rounds", false)
	g.a.Emit(opMovX, 6, 1, 0, 0)
	g.begin()
	for range 1 + g.rnd.IntN(2) {
		g.statements(g.rnd.IntN(3))
		g.loops(1 + g.rnd.IntN(3))
	}
	g.decisions(2 + g.rnd.IntN(4))
	g.a.Emit(opMovK, 0, 0, 0, 0)
	g.a.Emit(bytecode.CodeExit, 0, 0, 0, 0)
	if g.called {
		g.callee()
	}
	p := g.a.Program("rounds")
	p.Type = "syscall"
	return p
}

// roundGen is a program of Rounds that is being made. r6 holds the context, r7 to r9 and two slots
// the numbers.
type roundGen struct {
	rnd    *rand.Rand
	a      Asm
	labels int
	called bool
	base   bytecode.Reg // leads to the two slots, from this offset on
	low    int16
}

// Callbacks returns such a program whose loops are callbacks of bpf_loop, which change the numbers
// in the caller's slots.
func Callbacks(seed uint64) *bytecode.Program {
	g := &roundGen{rnd: rand.New(rand.NewPCG(seed, 31)), base: bytecode.R10, low: -16}
	g.a.Func("callbacks", false)
	g.a.Emit(opMovX, 6, 1, 0, 0)
	g.begin()
	calls := 1 + g.rnd.IntN(2)
	for i := range calls {
		g.statements(g.rnd.IntN(4))
		g.a.Emit(opMovK, 1, 0, 0, 1+g.small())
		if g.rnd.IntN(2) == 0 {
			g.a.Emit(opLdxW, 1, 6, 0, 0)
		}
		g.a.FuncAddr(2, fmt.Sprint("round", i))
		g.a.Emit(opMovX, 3, 10, 0, 0)
		g.a.Emit(opAddK, 3, 0, 0, -16)
		g.a.Emit(opMovK, 4, 0, 0, 0)
		g.a.Helper(181)
		if g.rnd.IntN(4) == 0 {
			g.a.Emit(opMovX, g.reg(), 0, 0, 0)
		}
	}
	g.decisions(2 + g.rnd.IntN(4))
	g.a.Emit(opMovK, 0, 0, 0, 0)
	g.a.Emit(bytecode.CodeExit, 0, 0, 0, 0)
	g.base, g.low = bytecode.R6, 0
	for i := range calls {
		g.a.Func(fmt.Sprint("round", i), false)
		g.a.Emit(opMovX, 6, 2, 0, 0)
		for r := bytecode.R7; r < bytecode.R10; r++ {
			g.a.Emit(opMovK, r, 0, 0, g.small())
		}
		g.statements(1 + g.rnd.IntN(6))
		g.a.Emit(opMovK, 0, 0, 0, g.small()&1)
		g.a.Emit(bytecode.CodeExit, 0, 0, 0, 0)
	}
	if g.base = bytecode.R10; g.called {
		g.low = -16
		g.callee()
	}
	p := g.a.Program("callbacks")
	p.Type = "syscall"
	return p
}

// unknown puts any number into a register.
func (g *roundGen) unknown(r bytecode.Reg) {
	if off := int16(4 * g.rnd.IntN(4)); g.base == bytecode.R10 {
		g.a.Emit(opLdxW, r, 6, off, 0)
		return
	}
	g.a.Helper(7) // bpf_get_prandom_u32
	g.a.Emit(opMovX, r, 0, 0, 0)
}

func (g *roundGen) reg() bytecode.Reg { return bytecode.Reg(7 + g.rnd.IntN(3)) }

func (g *roundGen) small() int32 { return int32(g.rnd.IntN(3)) }

func (g *roundGen) slot() int16 { return g.low + 16 - 8*int16(1+g.rnd.IntN(2)) }

func (g *roundGen) label(name string) string {
	g.labels++
	return fmt.Sprint(name, g.labels)
}

// begin gives all numbers a value.
func (g *roundGen) begin() {
	for r := bytecode.R7; r < bytecode.R10; r++ {
		g.a.Emit(opMovK, r, 0, 0, g.small())
	}
	g.a.Emit(opStDW, 10, 0, -8, g.small())
	g.a.Emit(opStDW, 10, 0, -16, g.small())
}

// loops makes loops in each other.
func (g *roundGen) loops(depth int) {
	var ends []func()
	for d := range depth {
		ends = append(ends, g.loop(int16(-24-8*d)))
		g.statements(1 + g.rnd.IntN(4))
	}
	for _, end := range slices.Backward(ends) {
		g.statements(g.rnd.IntN(2))
		end()
	}
}

// loop begins a loop, of may_goto or with a counter in a slot, and returns what ends it.
func (g *roundGen) loop(counter int16) (end func()) {
	again, out := g.label("again"), g.label("out")
	if g.rnd.IntN(5) > 0 {
		g.a.Label(again)
		g.a.If(bytecode.CodeMayGoto, 0, 0, 0, out)
		return func() {
			g.a.Jump(again)
			g.a.Label(out)
		}
	}
	g.a.Emit(opStDW, 10, 0, counter, 0)
	g.a.Label(again)
	return func() {
		g.a.Emit(opLdxDW, 5, 10, counter, 0)
		g.a.Emit(opAddK, 5, 0, 0, 1)
		g.a.Emit(opStxDW, 10, 5, counter, 0)
		g.a.If(opJltK, 5, 0, 3, again)
	}
}

// statements makes so many statements, some of which are on one path only.
func (g *roundGen) statements(n int) {
	for range n {
		skip := ""
		if g.rnd.IntN(2) == 0 {
			skip = g.label("skip")
			g.unknown(0)
			g.a.If(opJeqK, 0, 0, g.small(), skip)
		}
		g.statement()
		if skip != "" {
			g.a.Label(skip)
		}
	}
}

// statement changes a number.
func (g *roundGen) statement() {
	switch g.rnd.IntN(11) {
	case 0, 1, 2:
		g.a.Emit(opMovK, g.reg(), 0, 0, g.small())
	case 3:
		g.a.Emit(opMovX, g.reg(), g.reg(), 0, 0)
	case 4:
		g.a.Emit(opAddK, g.reg(), 0, 0, 1)
	case 5:
		g.a.Emit(opStDW, g.base, 0, g.slot(), g.small())
	case 6:
		g.a.Emit(opStxDW, g.base, g.reg(), g.slot(), 0)
	case 7:
		g.a.Emit(opLdxDW, g.reg(), g.base, g.slot(), 0)
	case 8: // any number up to 3
		r := g.reg()
		g.unknown(r)
		g.a.Emit(opAndK, r, 0, 0, 3)
	case 9:
		g.decisions(1)
	default:
		g.called = true
		g.a.Emit(opMovX, 1, 6, 0, 0)
		g.a.Call("callee")
		if g.rnd.IntN(2) == 0 {
			g.a.Emit(opMovX, g.reg(), 0, 0, 0)
		}
	}
}

// decisions makes branches that the numbers decide.
func (g *roundGen) decisions(n int) {
	for range n {
		end, r := g.label("end"), g.reg()
		if g.rnd.IntN(3) == 0 {
			r = bytecode.R0
			g.a.Emit(opLdxDW, r, g.base, g.slot(), 0)
		}
		code := []uint8{opJeqK, opJneK, opJgtK, opJltK, 0x65}[g.rnd.IntN(5)]
		if g.rnd.IntN(4) == 0 {
			g.a.If(code|8, r, g.reg(), 0, end)
		} else {
			g.a.If(code, r, 0, int32(g.rnd.IntN(4)), end)
		}
		g.a.Emit(opMovK, g.reg(), 0, 0, g.small())
		g.a.Label(end)
	}
}

// callee makes the function that is called, with a loop of its own.
func (g *roundGen) callee() {
	g.a.Func("callee", false)
	g.a.Emit(opMovX, 6, 1, 0, 0)
	g.begin()
	g.called = false
	again, out := g.label("again"), g.label("out")
	g.a.Label(again)
	g.a.If(bytecode.CodeMayGoto, 0, 0, 0, out)
	g.a.Emit(opLdxW, 0, 6, 0, 0)
	g.a.If(opJeqK, 0, 0, 0, again)
	g.a.Emit(opMovK, g.reg(), 0, 0, g.small())
	g.a.Jump(again)
	g.a.Label(out)
	g.decisions(1)
	g.a.Emit(opMovX, 0, g.reg(), 0, 0)
	g.a.Emit(bytecode.CodeExit, 0, 0, 0, 0)
}
