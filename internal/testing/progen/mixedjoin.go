package progen

import (
	"fmt"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// flagPointer gives a register or slot a pointer if a flag is set, otherwise something else, and
// uses the pointer if the flag is set.
func (g *gen) flagPointer() {
	k, slot := int32(g.rnd.IntN(48)), g.private()
	spilled := g.rnd.IntN(2) == 0
	r := bytecode.Reg(3 + g.rnd.IntN(3))
	g.constantsOnStack()
	g.a.Helper(7) // r1 to r5 hold nothing
	other, meet, end := g.label(), g.label(), g.label()
	g.flag(1, k)
	g.a.If(opJeqK, 1, 0, 0, other)
	g.target(r, 2)
	if spilled {
		g.a.Emit(opStxDW, 10, r, slot, 0)
	}
	g.a.Jump(meet)
	g.a.Label(other)
	if initialised := g.something(r); spilled && initialised {
		g.a.Emit(opStxDW, 10, r, slot, 0)
	}
	g.a.Label(meet)
	if spilled {
		if g.rnd.IntN(2) == 0 {
			g.body()
		}
		g.a.Emit(opLdxDW, r, 10, slot, 0)
	}
	g.flag(1, k)
	g.a.If(opJeqK, 1, 0, 0, end)
	g.through(r)
	g.a.Label(end)
	g.look()
}

// something puts a value that is no pointer to the words of this stack into r, and reports whether
// it did.
func (g *gen) something(r bytecode.Reg) bool {
	switch g.rnd.IntN(6) {
	case 0:
		return false
	case 1:
		g.a.Emit(opMovX, r, g.number(false), 0, 0)
	case 2:
		g.a.Emit(opMovK, r, 0, 0, g.constant())
	case 3:
		g.a.Emit(opMovX, r, 6, 0, 0)
	case 4:
		g.a.MapValue(r, g.array, int64(8*g.rnd.IntN(4)))
	case 5:
		g.a.Emit(opMovK, r, 0, 0, 0)
	}
	return true
}

// small bounds a number and returns its register.
func (g *gen) small() bytecode.Reg {
	r := g.number(true)
	g.a.Emit(opAndK, r, 0, 0, []int32{1, 3, 7, 15}[g.rnd.IntN(4)])
	return r
}

// linked makes r a number at a distance from another, by an addition of 64 or 32
// bits.
func (g *gen) linked(r, from bytecode.Reg, add uint8, delta int32) {
	g.a.Emit(opMovX, r, from, 0, 0)
	if delta != 0 {
		g.a.Emit(add, r, 0, 0, delta)
	}
}

// addition returns the code of an addition of 64 or 32 bits.
func (g *gen) addition() uint8 { return []uint8{opAddK, opAddK, 0x04}[g.rnd.IntN(3)] }

// twoLinks links a number to another by one of two distances, compares it, and looks at the other
// number.
func (g *gen) twoLinks() {
	from, add := g.small(), g.addition()
	other, meet := g.label(), g.label()
	slot, spilled := g.private(), g.rnd.IntN(2) == 0
	g.flag(1, int32(g.rnd.IntN(48)))
	g.a.If(opJeqK, 1, 0, 0, other)
	for i := range 2 {
		g.linked(4, from, add, int32(g.rnd.IntN(4)))
		if spilled {
			g.a.Emit(opStxDW, 10, 4, slot, 0)
		}
		if i == 0 {
			g.a.Jump(meet)
			g.a.Label(other)
		}
	}
	g.a.Label(meet)
	if spilled {
		g.boundary()
		g.a.Emit(opLdxDW, 4, 10, slot, 0)
	}
	g.branchOn(4)
	g.branchOn(from)
}

// selector puts a number below n into r, the same each time for one k.
func (g *gen) selector(r bytecode.Reg, k, n int32) {
	g.a.Emit(opLdxDW, r, 10, flagsAt, 0)
	g.a.Emit(0x77, r, 0, 0, k)
	g.a.Emit(0x97, r, 0, 0, n) // %=
}

// fan jumps to one of n cases by the number in r2, makes each, and joins them. Register 5
// distinguishes the cases.
func (g *gen) fan(n int, body func(i int)) {
	id, meet := g.label(), g.label()
	labels := cases(n, id)
	if g.rnd.IntN(2) == 0 {
		g.a.Emit(opLshK, 2, 0, 0, 3)
		g.a.Table(3, labels...)
		g.a.Emit(opAddX, 3, 2, 0, 0)
		g.a.Emit(opLdxDW, 3, 3, 0, 0)
		g.a.Emit(bytecode.CodeGotox, 3, 0, 0, 0)
	} else {
		for i := 1; i < n; i++ {
			g.a.If(opJeqK, 2, 0, int32(i), labels[i])
		}
	}
	for i, l := range labels {
		g.a.Label(l)
		g.a.Emit(opMovK, 5, 0, 0, int32(i))
		body(i)
		if i < n-1 {
			g.a.Jump(meet)
		}
	}
	g.a.Label(meet)
}

// cases returns n labels.
func cases(n int, id string) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprint(id, "c", i)
	}
	return out
}

// manyMeet joins more than 16 states that differ in links, numbers or stack slots.
func (g *gen) manyMeet() {
	n, k := 17+g.rnd.IntN(10), int32(g.rnd.IntN(40))
	from, slot, add := g.number(true), g.private(), g.addition()
	if g.rnd.IntN(2) == 0 {
		from = g.small()
	}
	theme, spilled := g.rnd.IntN(4), g.rnd.IntN(2) == 0
	g.selector(2, k, int32(n))
	g.fan(n, func(i int) {
		switch theme {
		case 0: // no two states are near to each other
			g.linked(4, from, add, int32(i))
		case 1:
			g.linked(4, from, add, int32(g.rnd.IntN(4)))
		case 2:
			g.a.Emit(opMovK, 4, 0, 0, g.few())
		case 3:
			g.a.Emit(opMovK, 4, 0, 0, int32(i))
			bits, w := g.size()
			if i%2 == 0 {
				g.a.Emit(0x63|bits, 10, from, g.slotOff(w), 0)
			} else {
				g.a.Emit(0x62|bits, 10, 0, g.slotOff(w), int32(i%4))
			}
		}
		if spilled {
			g.a.Emit(opStxDW, 10, 4, slot, 0)
		}
	})
	if spilled {
		g.a.Emit(opLdxDW, 4, 10, slot, 0)
	}
	if theme == 0 {
		l := g.label()
		g.a.If(g.cond(), 4, 0, int32(g.rnd.IntN(20)), l)
		g.branchOn(from)
		g.a.Label(l)
	}
	g.branchOn(4)
	g.branchOn(from)
	g.branchOn(5)
	g.look()
}

// joinedAt loads one of four pointers, by an offset that differs between more than 16 states, and
// uses it.
func (g *gen) joinedAt() {
	g.constantsOnStack()
	for i := range 4 {
		g.target(3, 2)
		g.a.Emit(opStxDW, 10, 3, int16(pointersAt+8*i), 0)
	}
	n := 17 + g.rnd.IntN(10)
	g.selector(2, int32(g.rnd.IntN(40)), int32(n))
	g.fan(n, func(int) {
		g.a.Emit(opMovX, 4, 10, 0, 0)
		g.a.Emit(opAddK, 4, 0, 0, int32(pointersAt+8*g.rnd.IntN(4)))
	})
	g.a.Emit(opLdxDW, 3, 4, 0, 0)
	g.through(3)
	g.branchOn(5)
	g.look()
}

// pointersMeet is manyMeet for pointers and numbers, and uses one of them.
func (g *gen) pointersMeet() {
	n, k := 17+g.rnd.IntN(10), int32(g.rnd.IntN(40))
	slot, end := g.private(), g.label()
	spilled := g.rnd.IntN(3) == 0
	r := []bytecode.Reg{1, 4}[g.rnd.IntN(2)] // 1: an argument
	g.constantsOnStack()
	pointers := g.rnd.IntN(n)             // from here on
	valid := r == 4 && g.rnd.IntN(2) == 0 // the others are pointers, too
	if g.rnd.IntN(2) == 0 {
		g.a.Helper(7)
	} else {
		g.a.Emit(opMovX, r, g.number(false), 0, 0)
	}
	g.selector(2, k, int32(n))
	g.fan(n, func(i int) {
		initialised := true
		switch {
		case i >= pointers:
			g.target(r, 3)
		case valid:
			g.a.MapValue(r, g.array, int64(8*g.rnd.IntN(4)))
		default:
			initialised = g.something(r)
		}
		if spilled && initialised {
			g.a.Emit(opStxDW, 10, r, slot, 0)
		}
	})
	g.branchOn(5)
	if spilled {
		g.boundary()
		g.a.Emit(opLdxDW, r, 10, slot, 0)
	}
	if valid {
		g.through(r)
		g.look()
		return
	}
	g.selector(2, k, int32(n))
	if r == 1 {
		l := g.label()
		g.a.Emit(opMovK, 3, 0, 0, 1)
		g.a.If(0x35, 2, 0, int32(pointers), l) // >=
		g.a.Emit(opMovK, 3, 0, 0, 0)
		g.a.Label(l)
		g.a.Emit(opMovX, 2, 3, 0, 0)
		g.a.Call(g.want(kindMaybe))
		g.look()
		return
	}
	if g.rnd.IntN(2) == 0 {
		g.a.If(opJltK, 2, 0, int32(pointers), end)
	} else {
		g.a.If(0x55, 2, 0, int32(pointers+g.rnd.IntN(n-pointers)), end) // !=
	}
	g.through(r)
	g.a.Label(end)
	g.look()
}
