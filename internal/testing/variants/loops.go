package variants

import (
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// closedLoop makes a loop that nothing leaves, with a body of several pieces.
func closedLoop(g *gen) {
	pieces := 1 + g.rnd.IntN(3)
	sub := false
	g.mov(6, int32(g.rnd.IntN(5)))
	g.mov(7, 0)
	for range g.rnd.IntN(6) {
		g.op(addImm, 7, 3)
	}
	head := g.label()
	g.Label(head)
	for range pieces {
		sub = g.loopPiece() || sub
	}
	g.If(ja, 0, 0, 0, head)
	if sub {
		g.Func("leaf", false)
		g.mov(0, int32(g.rnd.IntN(9)))
		if g.rnd.IntN(2) == 0 {
			over := g.label()
			g.If(jeq, 1, 0, 4, over)
			g.op(addImm, 0, 1)
			g.Label(over)
		}
		g.Emit(exit, 0, 0, 0, 0)
	}
}

// loopPiece adds a piece of a loop's body and reports whether it calls leaf.
func (g *gen) loopPiece() (calls bool) {
	switch g.rnd.IntN(10) {
	case 0:
		g.op(addImm, 6, 1)
	case 1:
		g.op(xorImm, 6, 1)
	case 2:
		g.Helper(ktimeGetNS)
	case 3:
		g.Helper(prandom)
		g.Emit(movReg, 8, 0, 0, 0)
	case 4:
		over := g.label()
		g.Helper(prandom)
		g.If(jgt, 0, 0, 10, over)
		g.mov(7, 2)
		g.Label(over)
	case 5:
		g.Emit(stxDW, 10, 6, -8, 0)
		g.Emit(ldxDW, 7, 10, -8, 0)
	case 6:
		g.op(mulImm, 7, 3)
	case 7:
		g.Emit(movReg, 1, 6, 0, 0)
		g.Call("leaf")
		return true
	case 8:
		g.Helper(prandom)
		g.Emit(stxDW, 10, 0, -16, 0)
	default:
		g.op(andImm, 6, 3)
	}
	return false
}

// loopNumber makes a cycle that changes nothing, after some instructions and jumps and made of
// some. The kernel finds it at an instruction that depends on its counts.
func loopNumber(g *gen) {
	for i := range g.n % 10 {
		if g.rnd.IntN(3) == 0 {
			next := g.label()
			g.If(ja, 0, 0, 0, next)
			g.Label(next)
		}
		g.mov(bytecode.Reg(g.rnd.IntN(6)), int32(i))
	}
	head := g.label()
	g.Label(head)
	for i := range 1 + g.rnd.IntN(12) {
		switch g.rnd.IntN(4) {
		case 0:
			next := g.label()
			g.If(ja, 0, 0, 0, next)
			g.Label(next)
		case 1:
			g.Helper(ktimeGetNS)
		default:
			g.mov(bytecode.Reg(6+g.rnd.IntN(4)), int32(i))
		}
	}
	g.If(ja, 0, 0, 0, head)
}

// loopExit makes a loop with a way out: one that ends, one in which a state repeats,
// or one that is too long.
func loopExit(g *gen) {
	head, out := g.label(), g.label()
	switch g.n % 6 {
	case 0: // ends after so many rounds
		g.mov(6, 0)
		g.Label(head)
		g.op(addImm, 6, 1)
		g.If(jlt, 6, 0, 10+int32(g.rnd.IntN(3000)), head)
	case 1: // waits for a number
		g.Label(head)
		for range g.rnd.IntN(4) {
			g.Helper(ktimeGetNS)
		}
		g.Helper(prandom)
		g.If(jgt, 0, 0, int32(g.rnd.IntN(100)), head)
	case 2: // steps over its end
		g.mov(6, 1)
		g.Label(head)
		g.op(addImm, 6, 2)
		g.If(jeq, 6, 0, 100, out)
		g.If(ja, 0, 0, 0, head)
	case 3: // more than a million instructions
		g.mov(6, 0)
		g.Label(head)
		g.op(addImm, 6, 1)
		g.If(jlt, 6, 0, 600_000+int32(g.rnd.IntN(1000)), head)
	case 4: // a side way in each round
		side := g.label()
		g.mov(6, 0)
		g.Label(head)
		g.Helper(prandom)
		g.If(jgt, 0, 0, 7, side)
		g.mov(7, int32(g.rnd.IntN(4)))
		g.Label(side)
		g.op(addImm, 6, 1)
		g.If(jlt, 6, 0, 2+int32(g.rnd.IntN(12)), head)
	default: // may_goto
		g.mov(6, 0)
		g.Label(head)
		g.If(bytecode.CodeMayGoto, 0, 0, 0, out)
		if g.rnd.IntN(2) == 0 {
			g.op(addImm, 6, 1)
		}
		g.If(ja, 0, 0, 0, head)
	}
	g.Label(out)
	g.leave()
}

// frames makes a chain of functions, up to 19 of them, or one that leads back.
func frames(g *gen) {
	n := 1 + g.n%19
	back := g.n >= 19
	if g.rnd.IntN(2) == 0 {
		over := g.label()
		g.Helper(prandom)
		g.If(jeq, 0, 0, 1, over)
		g.Label(over)
	}
	g.Call("f1")
	g.leave()
	for i := 1; i <= n; i++ {
		name := func(i int) string { return "f" + string(rune('a'+i)) }
		if i == 1 {
			g.Func("f1", false)
		} else {
			g.Func(name(i), false)
		}
		switch {
		case i < n:
			g.Call(name(i + 1))
		case back:
			g.Call("f1")
		}
		g.leave()
	}
}

// loopZero calls bpf_loop with no rounds, some, or perhaps none, and a callback that
// must not be reached, or may be.
func loopZero(g *gen) {
	switch g.n % 5 {
	case 0, 1:
		g.mov(1, 0)
	case 2:
		g.mov(1, 1+int32(g.rnd.IntN(5)))
	case 3:
		g.Helper(prandom)
		g.Emit(movReg, 1, 0, 0, 0)
		g.op(andImm, 1, 3)
	default:
		g.mov(1, 4)
		g.op(andImm, 1, 3)
	}
	g.FuncAddr(2, "callback")
	g.mov(3, 0)
	g.mov(4, 0)
	g.Helper(bpfLoop)
	g.mov(0, int32(g.rnd.IntN(9)))
	g.Emit(exit, 0, 0, 0, 0)
	g.Func("callback", false)
	switch g.rnd.IntN(3) {
	case 0:
		g.unset(4)
	case 1:
		g.leave()
	default:
		g.mov(0, 1)
		g.Emit(exit, 0, 0, 0, 0)
	}
}
