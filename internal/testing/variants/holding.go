package variants

import (
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// Helpers that deal with sockets.
const (
	tailCall, skLookupTCP, skLookupUDP, skRelease = 12, 84, 85, 86
)

// Types of maps, and their flags.
const (
	mapHash, mapArray, mapProgArray = 1, 2, 3
)

// lookUp asks for a socket: the reference is in r0, unless that is null. The context is
// in r6.
func (g *gen) lookUp() {
	for off := int16(-48); off < 0; off += 8 {
		g.Emit(stDW, 10, 0, off, 0)
	}
	g.Emit(movReg, 1, 6, 0, 0)
	g.Emit(movReg, 2, 10, 0, 0)
	g.op(addImm, 2, -48)
	g.mov(3, 12)
	g.mov(4, 0)
	g.mov(5, 0)
	g.Helper([]int32{skLookupTCP, skLookupUDP}[g.rnd.IntN(2)])
}

// references holds a reference to a socket and does what it may not, or may.
func references(g *gen) {
	g.typ = "sched_cls"
	g.Emit(movReg, 6, 1, 0, 0)
	for range g.rnd.IntN(3) {
		g.Helper(ktimeGetNS)
	}
	sub := g.n%10 == 9
	if sub {
		g.Call("look")
	} else {
		g.lookUp()
	}
	out := g.label()
	g.Emit(movReg, 7, 0, 0, 0)
	if g.rnd.IntN(2) == 0 || g.n%10 >= 5 {
		g.If(jeq, 7, 0, 0, out)
	}
	switch g.n % 10 {
	case 0, 9: // forgets it
	case 1:
		g.Emit(movReg, 1, 6, 0, 0)
		g.MapAddr(2, g.Map(bytecode.Map{Name: "progs", Type: mapProgArray, KeySize: 4, ValueSize: 4, MaxEntries: 2}))
		g.mov(3, int32(g.rnd.IntN(3)))
		g.Helper(tailCall)
	case 2:
		g.Emit(0x20, 0, 0, 0, int32(g.rnd.IntN(20))) // LD_ABS
	case 3:
		g.mov(8, 3)
		g.Emit(0x40, 0, 8, 0, int32(g.rnd.IntN(20))) // LD_IND
	case 4: // on one path only
		g.Helper(prandom)
		g.If(jgt, 0, 0, 9, "release")
		g.leave()
		g.Label("release")
		g.If(jeq, 7, 0, 0, out)
		g.Emit(movReg, 1, 7, 0, 0)
		g.Helper(skRelease)
	case 5:
		g.Emit(stW, 7, 0, 16, 1)
		g.Emit(movReg, 1, 7, 0, 0)
		g.Helper(skRelease)
	case 6: // releases something else
		g.Emit(movReg, 1, []bytecode.Reg{6, 10}[g.rnd.IntN(2)], 0, 0)
		g.Helper(skRelease)
	default:
		g.Emit(movReg, 1, 7, 0, 0)
		g.Helper(skRelease)
	}
	g.Label(out)
	g.leave()
	if sub {
		g.Func("look", false)
		g.lookUp()
		g.Emit(exit, 0, 0, 0, 0)
	}
}

// valueBounds reads or writes the value of a map at an offset that is inside or not.
func valueBounds(g *gen) {
	size := int32(8 * (1 + g.rnd.IntN(8)))
	m := bytecode.Map{Name: "m", Type: mapHash, KeySize: 4, ValueSize: uint32(size), MaxEntries: 4}
	if g.rnd.IntN(2) == 0 {
		m.Type = mapArray
	}
	g.Helper(prandom)
	g.Emit(stxDW, 10, 0, -8, 0)
	g.MapAddr(1, g.Map(m))
	g.Emit(movReg, 2, 10, 0, 0)
	g.op(addImm, 2, -8)
	g.Helper(mapLookup)
	out := g.label()
	g.If(jeq, 0, 0, 0, out)
	widths := []struct {
		size        int32
		load, store uint8
	}{{1, ldxB, 0x72}, {4, ldxW, stW}, {8, ldxDW, stDW}}
	width := widths[g.rnd.IntN(len(widths))]
	if g.n%5 == 4 {
		width = widths[0] // so that it is aligned
	}
	off := int32(0)
	switch g.n % 5 {
	case 0: // at a constant offset
		off = size - width.size + width.size*int32(g.rnd.IntN(3)-1)
	case 1: // a constant is added
		g.op(addImm, 0, width.size*int32(g.rnd.IntN(int(size/width.size)+2)-1))
	case 2: // a number below a bound
		g.Emit(ldxB, 7, 0, 0, 0)
		g.If(jgt, 7, 0, size-width.size+int32(g.rnd.IntN(3)-1), out)
		g.op(andImm, 7, -width.size)
		g.Emit(addReg, 0, 7, 0, 0)
	case 3: // bits of a number
		g.Emit(ldxDW, 7, 0, 0, 0)
		g.op(andImm, 7, (16<<g.rnd.IntN(4)-1)&^(width.size-1))
		g.Emit(addReg, 0, 7, 0, 0)
	default: // a number without a bound, or that may be negative
		g.Emit(ldxW, 7, 0, 0, 0)
		if g.rnd.IntN(2) == 0 {
			g.Emit(movReg, 7, 7, 32, 0) // with its sign
			g.If(jsgt, 7, 0, size-width.size, out)
		}
		g.Emit(addReg, 0, 7, 0, 0)
	}
	if g.rnd.IntN(2) == 0 {
		g.Emit(width.load, 7, 0, int16(off), 0)
	} else {
		g.Emit(width.store, 0, 0, int16(off), 3)
	}
	g.Label(out)
	g.leave()
}
