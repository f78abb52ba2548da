package progen

import "github.com/bpfcfg/bpfcfg/cfg/bytecode"

// callGlobal calls a global function with a pointer, or with 0.
func (g *gen) callGlobal() {
	look := g.twins()
	if g.rnd.IntN(8) == 0 {
		g.a.Emit(opMovK, 1, 0, 0, 0)
	} else {
		g.pass(1)
	}
	g.a.Emit(opMovX, 2, g.number(false), 0, 0)
	g.boundary()
	g.a.Call(g.want(kindGlobal))
	look()
}

// callStatic calls a static function with a pointer to this function's stack, or with the caller's
// pointer.
func (g *gen) callStatic() {
	k := kindDeep
	if g.kind == kindMain && g.rnd.IntN(2) == 0 {
		k = kindPointer
	}
	look := g.twins()
	switch g.kind {
	case kindPointer, kindCallback, kindMap, kindVMA, kindBuffer:
		if g.rnd.IntN(2) == 0 {
			g.a.Emit(opMovX, 1, 6, 0, 0)
			break
		}
		fallthrough
	default:
		g.pass(1)
	}
	g.a.Emit(opMovX, 2, g.number(false), 0, 0)
	g.boundary()
	g.a.Call(g.want(k))
	look()
}

// stackArgs calls a function with seven arguments.
func (g *gen) stackArgs() {
	look := g.twins()
	g.pass(1)
	g.a.Emit(opStxDW, bytecode.R11, g.number(false), -8, 0)
	g.a.Emit(opStxDW, bytecode.R11, 1, -16, 0)
	for r := bytecode.R1; r <= bytecode.R5; r++ {
		g.a.Emit(opMovK, r, 0, 0, g.few())
	}
	g.boundary()
	g.a.Call(g.want(kindArgs))
	look()
}

// pointerBack calls a function that stores a pointer to the stack, and uses that.
func (g *gen) pointerBack() {
	base := int32(-8 * (4 + g.rnd.IntN(scratch-4)))
	g.a.Emit(opMovX, 1, 10, 0, 0)
	g.a.Emit(opAddK, 1, 0, 0, base)
	g.a.Emit(opMovX, 2, g.number(false), 0, 0)
	g.a.Call(g.want(kindGiver))
	g.boundary()
	g.a.Emit(opLdxDW, 4, 10, int16(base), 0)
	g.a.Emit(opStxDW, 10, g.number(false), int16(base), 0) // no pointer stays among the numbers
	g.through(4)
	g.look()
}

// packetLoad loads from the packet, often from after its end. R6 is the context.
func (g *gen) packetLoad(scr bytecode.Reg) {
	size := uint8(g.rnd.IntN(3)) << 3
	if g.rnd.IntN(2) == 0 {
		g.a.Emit(0x20|size, 0, 0, 0, int32(g.rnd.IntN(40)))
		return
	}
	g.a.Emit(opLdxDW, scr, 6, 48, 0)
	g.a.Emit(opAndK, scr, 0, 0, 31)
	g.a.Emit(0x40|size, 0, scr, 0, int32(g.rnd.IntN(20)))
}

// ldAbs loads from the packet in a function, which may leave it, or here.
func (g *gen) ldAbs() {
	if !g.skb {
		g.look()
		return
	}
	if g.rnd.IntN(8) == 0 {
		g.packetLoad(2)
		g.branchOn(0)
		return
	}
	look := g.twins()
	g.a.Emit(opMovX, 1, 6, 0, 0)
	g.pass(2)
	g.boundary()
	g.a.Call(g.want(kindPacket))
	g.branchOn(0)
	look()
}

// walk stores to one word after the other until may_goto or a counter ends it.
func (g *gen) walk() {
	head, end := g.label(), g.label()
	r := g.number(false)
	g.a.Emit(opMovX, 2, 10, 0, 0)
	g.a.Emit(opAddK, 2, 0, 0, -8*scratch)
	g.a.Emit(opMovK, 3, 0, 0, 0)
	g.a.Label(head)
	g.a.If(bytecode.CodeMayGoto, 0, 0, 0, end)
	g.a.Emit(opStxDW, 2, r, 0, 0)
	g.a.Emit(opAddK, 2, 0, 0, 8)
	g.a.Emit(opAddK, 3, 0, 0, 1)
	g.a.If(opJltK, 3, 0, int32(1+g.rnd.IntN(scratch)), head)
	g.a.Label(end)
	g.branchOn(3)
	g.look()
}

// stackLabels jumps to one of a few code addresses that it has put on the stack.
func (g *gen) stackLabels() {
	n := 2 + g.rnd.IntN(3)
	list, end := cases(n, g.label()), g.label()
	g.a.Table(3, list...)
	for i := range n {
		g.a.Emit(opLdxDW, 4, 3, int16(8*i), 0)
		g.a.Emit(opStxDW, 10, 4, int16(pointersAt+8*i), 0)
	}
	g.a.Emit(opMovX, 2, g.number(false), 0, 0)
	g.a.Emit(0x97, 2, 0, 0, int32(n)) // %=
	g.a.Emit(opLshK, 2, 0, 0, 3)
	g.a.Emit(opMovX, 3, 10, 0, 0)
	g.a.Emit(opAddX, 3, 2, 0, 0)
	if g.rnd.IntN(2) == 0 {
		g.a.Emit(opAddK, 3, 0, 0, pointersAt)
		g.a.Emit(opLdxDW, 4, 3, 0, 0)
	} else {
		g.a.Emit(opLdxDW, 4, 3, pointersAt, 0)
	}
	g.a.Emit(bytecode.CodeGotox, 4, 0, 0, 0)
	for _, l := range list {
		g.a.Label(l)
		g.alu()
		g.look()
		if g.rnd.IntN(3) > 0 {
			g.a.Jump(end)
		}
	}
	g.a.Label(end)
}

// tailCall calls another program, which is rarely there.
func (g *gen) tailCall() {
	g.branchOver(g.number(false), func() {
		g.a.Emit(opMovX, 1, 6, 0, 0)
		g.a.MapAddr(2, g.progs)
		g.a.Emit(opMovK, 3, 0, 0, 0)
		g.a.Helper(12)
	})
	g.look()
}

// constLookup looks up a constant key, which always exists in an array; in a hash it may add it
// first.
func (g *gen) constLookup() {
	end, off := g.label(), int16(-4*(1+g.rnd.IntN(2*scratch)))
	m := []int{g.array, g.hash}[g.rnd.IntN(2)]
	if g.rnd.IntN(2) == 0 {
		g.a.Emit(0x62, 10, 0, off, int32(g.rnd.IntN(6)))
	}
	key := func() {
		g.a.MapAddr(1, m)
		g.a.Emit(opMovX, 2, 10, 0, 0)
		g.a.Emit(opAddK, 2, 0, 0, int32(off))
	}
	if g.rnd.IntN(3) == 0 {
		key()
		g.a.Emit(opMovX, 3, 10, 0, 0)
		g.a.Emit(opAddK, 3, 0, 0, -8*scratch)
		g.a.Emit(opMovK, 4, 0, 0, 0)
		g.a.Helper(2)
	}
	key()
	g.a.Helper(1)
	g.a.Emit(opMovX, 3, 0, 0, 0)
	g.a.Emit(opMovK, 0, 0, 0, 0)
	g.a.If(opJeqK, 3, 0, 0, end)
	g.a.Emit(opStxDW, 3, g.number(false), int16(8*g.rnd.IntN(8)), 0)
	g.a.Emit(opLdxDW, 0, 3, int16(8*g.rnd.IntN(8)), 0)
	g.a.Label(end)
	g.look()
}
