package progen

import (
	"fmt"
	"math/rand/v2"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// Idle returns a random program whose paths store one thing or another in slots of the stack and
// meet. Afterwards a slot is read, overwritten or left alone: as a whole, in halves and in parts; by
// r10, by pointers made of it, which lie in slots themselves, by helpers and by functions that are
// called. What was read decides what comes next. It takes a context of 64 bytes.
func Idle(seed uint64) *bytecode.Program {
	g := &idleGen{rnd: rand.New(rand.NewPCG(seed, 41)), called: map[string]bool{}}
	g.a.Func("idle", false)
	g.keys = g.a.Map(bytecode.Map{Name: "keys", Type: bytecode.MapArray, KeySize: 4, ValueSize: 8, MaxEntries: 2})
	g.a.Emit(opMovX, 6, 1, 0, 0)
	for r := bytecode.R7; r < bytecode.R10; r++ {
		g.a.Emit(opMovK, r, 0, 0, g.small())
	}
	g.point(2, g.slot())
	g.a.Emit(opStxDW, 10, 2, idlePointer, 0)
	for range idleSlots {
		g.store()
	}
	pieces := []func(){g.either, g.either, g.either, g.either, g.read, g.read, g.read, g.store, g.through, g.repoint,
		g.lookup, g.overwrite, g.call, g.nested, g.nested, g.branch, g.halves, g.bytes, g.chosen}
	for range 4 + g.rnd.IntN(12) {
		pieces[g.rnd.IntN(len(pieces))]()
	}
	g.a.Emit(opMovK, 0, 0, 0, 0)
	g.a.Emit(bytecode.CodeExit, 0, 0, 0, 0)
	g.callees()
	p := g.a.Program("idle")
	p.Type = "syscall"
	return p
}

const (
	opStW  = 0x62
	opStB  = 0x72
	opLdxB = 0x71

	idleSlots   = 4                // slots that are stored to, from -8 on
	idlePointer = -8*idleSlots - 8 // the slot with a pointer to one of them
)

// idleGen is a program of Idle that is being made. r6 holds the context.
type idleGen struct {
	rnd    *rand.Rand
	a      Asm
	keys   int // the map
	labels int
	called map[string]bool
}

func (g *idleGen) small() int32 { return int32(g.rnd.IntN(4)) }

// slot returns the offset of a slot.
func (g *idleGen) slot() int16 { return -8 * int16(1+g.rnd.IntN(idleSlots)) }

// kept returns a register that calls keep.
func (g *idleGen) kept() bytecode.Reg { return bytecode.R7 + bytecode.Reg(g.rnd.IntN(3)) }

func (g *idleGen) label() string {
	g.labels++
	return fmt.Sprint("label", g.labels)
}

// point makes a register point to an offset in the frame.
func (g *idleGen) point(r bytecode.Reg, off int16) {
	g.a.Emit(opMovX, r, 10, 0, 0)
	g.a.Emit(opAddK, r, 0, 0, int32(off))
}

// unless lets a path pass over what is made.
func (g *idleGen) unless(make func()) {
	end := g.label()
	g.a.Emit(opLdxW, 0, 6, int16(4*g.rnd.IntN(16)), 0)
	g.a.If(opJeqK, 0, 0, 0, end)
	make()
	g.a.Label(end)
}

// store stores a number to a slot, or a half of it, or a part.
func (g *idleGen) store() {
	off := g.slot()
	base := bytecode.R10
	if g.rnd.IntN(3) == 0 {
		g.point(2, off)
		base, off = 2, 0
	}
	switch g.rnd.IntN(6) {
	case 0:
		g.a.Emit(opStW, base, 0, off, g.small())
	case 1:
		g.a.Emit(opStW, base, 0, off+4, g.small())
	case 2:
		g.a.Emit(opStB, base, 0, off+int16(g.rnd.IntN(8)), g.small())
	case 3:
		g.a.Emit(opStxDW, base, g.kept(), off, 0)
	default:
		g.a.Emit(opStDW, base, 0, off, g.small())
	}
}

// either stores on one of two paths, a number, the context, or what a helper reads, or changes a
// register.
func (g *idleGen) either() {
	g.unless(func() {
		switch g.rnd.IntN(8) {
		case 0:
			g.a.Emit(opStxDW, 10, 6, g.slot(), 0)
		case 1:
			g.overwrite()
		case 2, 3:
			g.a.Emit(opMovK, g.kept(), 0, 0, g.small())
		default:
			g.store()
		}
	})
}

// branch makes two paths that differ in nothing.
func (g *idleGen) branch() {
	g.unless(func() { g.a.Emit(opMovK, 3, 0, 0, 0) })
}

// decide compares a register.
func (g *idleGen) decide(r bytecode.Reg) {
	end := g.label()
	g.a.If([]uint8{opJeqK, opJneK, opJgtK}[g.rnd.IntN(3)], r, 0, g.small(), end)
	g.a.Emit(opMovK, 4, 0, 0, g.small())
	g.a.Emit(opMovX, 5, 4, 0, 0)
	g.a.Label(end)
}

// load loads a slot or a part of it into r3.
func (g *idleGen) load(base bytecode.Reg, off int16) {
	switch g.rnd.IntN(6) {
	case 0:
		g.a.Emit(opLdxW, 3, base, off, 0)
	case 1:
		g.a.Emit(opLdxW, 3, base, off+4, 0)
	case 2:
		g.a.Emit(opLdxB, 3, base, off+int16(g.rnd.IntN(8)), 0)
	default:
		g.a.Emit(opLdxDW, 3, base, off, 0)
	}
}

// read reads a slot, or takes a register, and decides by it.
func (g *idleGen) read() {
	off := g.slot()
	switch g.rnd.IntN(4) {
	case 0:
		g.decide(g.kept())
		return
	case 1:
		g.point(2, off)
		g.load(2, 0)
	default:
		g.load(10, off)
	}
	g.decide(3)
}

// through reads or stores through the pointer in a slot.
func (g *idleGen) through() {
	g.a.Emit(opLdxDW, 2, 10, idlePointer, 0)
	if g.rnd.IntN(3) == 0 {
		g.a.Emit(opStDW, 2, 0, 0, g.small())
		return
	}
	g.load(2, 0)
	g.decide(3)
}

// repoint changes the pointer in a slot, perhaps on one of two paths.
func (g *idleGen) repoint() {
	change := func() {
		g.point(2, g.slot())
		g.a.Emit(opStxDW, 10, 2, idlePointer, 0)
	}
	if g.rnd.IntN(2) == 0 {
		change()
		return
	}
	g.unless(change)
}

// halves stores to both halves of a slot, to one of them on one path only, and reads that.
func (g *idleGen) halves() {
	off, half := g.slot(), int16(4*g.rnd.IntN(2))
	g.a.Emit(opStW, 10, 0, off+half, g.small()&1)
	g.unless(func() { g.a.Emit(opStW, 10, 0, off+half, g.small()&1) })
	g.branch()
	g.a.Emit(opStW, 10, 0, off+4-half, g.small())
	g.a.Emit(opLdxW, 3, 10, off+half, 0)
	g.decide(3)
}

// bytes is halves for single bytes.
func (g *idleGen) bytes() {
	off, b := g.slot(), int16(g.rnd.IntN(2))
	g.a.Emit(opStB, 10, 0, off+1-b, 0)
	g.a.Emit(opStB, 10, 0, off+b, g.small()&1)
	g.unless(func() { g.a.Emit(opStB, 10, 0, off+b, g.small()&1) })
	g.branch()
	g.a.Emit(opStB, 10, 0, off+1-b, g.small())
	g.a.Emit(opLdxB, 3, 10, off+b, 0)
	g.decide(3)
}

// chosen reads through a pointer that is one of two.
func (g *idleGen) chosen() {
	off := g.slot()
	g.a.Emit(opStDW, 10, 0, off, g.small())
	g.unless(func() { g.a.Emit(opStDW, 10, 0, off, g.small()) })
	g.branch()
	g.point(2, g.slot())
	g.unless(func() { g.point(2, off) })
	g.load(2, 0)
	g.decide(3)
}

// lookup looks an element up by the key in a slot: if that is known, so is whether there is one.
func (g *idleGen) lookup() {
	off := g.slot() + 4*int16(g.rnd.IntN(2))
	if g.rnd.IntN(2) == 0 {
		g.a.Emit(opStW, 10, 0, off, g.small())
		g.unless(func() { g.a.Emit(opStW, 10, 0, off, g.small()) })
	}
	g.a.MapAddr(1, g.keys)
	g.point(2, off)
	g.a.Helper(1) // bpf_map_lookup_elem
	end := g.label()
	g.a.If(opJneK, 0, 0, 0, end)
	g.a.Emit(opMovK, 4, 0, 0, 1)
	g.a.Label(end)
}

// overwrite lets a helper write a slot or a half of it.
func (g *idleGen) overwrite() {
	g.point(1, g.slot())
	g.a.Emit(opMovK, 2, 0, 0, 4+4*int32(g.rnd.IntN(2)))
	g.a.Emit(opMovK, 3, 0, 0, 0)
	g.a.Helper(113) // bpf_probe_read_kernel
}

// call calls a function with a pointer to a slot, which reads or writes it.
func (g *idleGen) call() {
	g.point(1, g.slot())
	g.calls([]string{"reads", "writes"}[g.rnd.IntN(2)])
	g.decide(0)
}

// nested calls a function that has paths of its own.
func (g *idleGen) nested() {
	g.a.Emit(opMovX, 1, 6, 0, 0)
	g.calls("paths")
	if g.rnd.IntN(2) == 0 {
		g.decide(g.kept())
	}
}

// calls calls a function, which is made later.
func (g *idleGen) calls(name string) {
	g.called[name] = true
	g.a.Call(name)
}

// callees makes the functions that are called.
func (g *idleGen) callees() {
	if g.called["reads"] {
		g.a.Func("reads", false)
		g.a.Emit(opLdxDW, 0, 1, 0, 0)
		g.a.Emit(bytecode.CodeExit, 0, 0, 0, 0)
	}
	if g.called["writes"] {
		g.a.Func("writes", false)
		g.a.Emit(opStDW, 1, 0, 0, g.small())
		g.a.Emit(opMovK, 0, 0, 0, g.small())
		g.a.Emit(bytecode.CodeExit, 0, 0, 0, 0)
	}
	if g.called["paths"] {
		g.paths()
	}
}

// paths makes a function with paths of its own.
func (g *idleGen) paths() {
	g.a.Func("paths", false)
	g.a.Emit(opMovX, 6, 1, 0, 0)
	g.a.Emit(opMovK, 7, 0, 0, 0)
	g.a.Emit(opStDW, 10, 0, -8, g.small())
	for range 4 {
		g.unless(func() {
			g.a.Emit(opMovK, 7, 0, 0, g.small())
			g.a.Emit(opStDW, 10, 0, -8, g.small())
		})
	}
	if g.rnd.IntN(2) == 0 {
		g.a.Emit(opLdxDW, 3, 10, -8, 0)
		g.decide(3)
	}
	g.a.Emit(opMovX, 0, 7, 0, 0)
	g.a.Emit(bytecode.CodeExit, 0, 0, 0, 0)
}
