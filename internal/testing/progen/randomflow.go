package progen

import (
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// branch makes pieces that a conditional jump may pass over, perhaps with
// others in their place.
func (g *gen) branch() {
	other, end := g.label(), g.label()
	if g.rnd.IntN(3) == 0 {
		g.a.If(g.cond()|8, g.number(false), g.number(false), 0, other)
	} else {
		g.a.If(g.cond(), g.number(false), 0, g.constant(), other)
	}
	g.body()
	if g.rnd.IntN(8) == 0 && g.depth > 0 {
		g.leave()
	} else {
		g.a.Jump(end)
	}
	g.a.Label(other)
	if g.rnd.IntN(2) == 0 {
		g.body()
	}
	g.a.Label(end)
}

// leave ends the function.
func (g *gen) leave() {
	if g.calledBack() {
		g.a.Emit(opMovK, 0, 0, 0, int32(g.rnd.IntN(2)))
	}
	g.a.Emit(bytecode.CodeExit, 0, 0, 0, 0)
}

// index bounds a number to less than n in r2, in one of the ways that compilers
// and people use; out is where to go otherwise.
func (g *gen) index(n int, out string) {
	switch r := g.number(false); g.rnd.IntN(5) {
	case 0:
		g.a.Emit(opMovX, 2, r, 0, 0)
		g.a.If(opJgtK, 2, 0, int32(n-1), out)
	case 1:
		g.a.Emit(opMovX32, 2, r, 0, 0)
		g.a.If(0x26, 2, 0, int32(n-1), out)
	case 2:
		g.a.Emit(opMovX, 2, r, 0, 0)
		g.a.Emit(0x97, 2, 0, 0, int32(n)) // %=
	case 3:
		k := 1
		for k*2 <= n {
			k *= 2
		}
		g.a.Emit(opMovX, 2, r, 0, 0)
		g.a.Emit(opAndK, 2, 0, 0, int32(k-1)&^int32(g.rnd.IntN(3)))
	case 4:
		g.a.Emit(opMovX, 2, r, 0, 0)
		g.a.If(0x65, 2, 0, int32(n-1), out) // s>
		g.a.If(0xc5, 2, 0, 0, out)          // s<
	}
	g.a.Emit(opLshK, 2, 0, 0, 3)
}

// table makes a switch: one or two tables into one jump, the address perhaps
// over the stack, in the middle of which other pieces may be.
func (g *gen) table() {
	n, end := 2+g.rnd.IntN(9), g.label()
	cases := make([]string, 1+g.rnd.IntN(n))
	for i := range cases {
		cases[i] = g.label()
	}
	pick := func() []string {
		out := make([]string, n)
		for i := range out {
			out[i] = cases[g.rnd.IntN(len(cases))]
		}
		return out
	}
	g.index(n, end)
	g.a.Table(3, pick()...)
	if g.rnd.IntN(3) == 0 {
		skip := g.label()
		g.a.If(g.cond(), g.number(false), 0, g.constant(), skip)
		g.a.Table(3, pick()...)
		g.a.Label(skip)
	}
	g.a.Emit(opAddX, 3, 2, 0, 0)
	switch g.rnd.IntN(3) {
	case 0:
		g.a.Emit(opAddK, 3, 0, 0, -16)
		g.a.Emit(opLdxDW, 4, 3, 16, 0)
	default:
		g.a.Emit(opLdxDW, 4, 3, 0, 0)
	}
	if g.rnd.IntN(3) == 0 {
		const slot = -8*scratch - 16
		g.a.Emit(opStxDW, 10, 4, slot, 0)
		if g.rnd.IntN(2) == 0 && g.locked&1 == 0 {
			g.a.Helper(7)
		}
		g.a.Emit(opLdxDW, 4, 10, slot, 0)
	}
	g.a.Emit(bytecode.CodeGotox, 4, 0, 0, 0)
	for _, c := range cases {
		g.a.Label(c)
		if g.rnd.IntN(2) == 0 {
			g.body()
		} else {
			g.alu()
		}
		if g.rnd.IntN(3) > 0 {
			g.a.Jump(end)
		}
	}
	g.a.Label(end)
}

// loop makes a counted loop, with the counter in a register.
func (g *gen) loop() {
	r := g.number(true)
	if g.locked != 0 || r == 0 {
		return
	}
	head := g.label()
	step, to := int32(1+g.rnd.IntN(3)), int32(1+g.rnd.IntN(40))
	g.a.Emit(opMovK, r, 0, 0, 0)
	g.a.Label(head)
	g.locked |= 1 << r
	g.body()
	g.locked &^= 1 << r
	g.a.Emit(opAddK, r, 0, 0, step)
	g.a.If([3]uint8{opJltK, 0xa6, 0xc5}[g.rnd.IntN(3)], r, 0, to, head)
}

// mayGoto makes a loop that the kernel's counter ends.
func (g *gen) mayGoto() {
	head, end := g.label(), g.label()
	g.a.Label(head)
	g.a.If(bytecode.CodeMayGoto, 0, 0, 0, end)
	g.body()
	g.a.Jump(head)
	g.a.Label(end)
}

// callLeaf calls a function that gets numbers and calls nothing.
func (g *gen) callLeaf() { g.callNumbers(kindLeaf) }

// call calls a function that gets numbers.
func (g *gen) call() { g.callNumbers(kindNumbers) }

func (g *gen) callNumbers(k funcKind) {
	if g.locked&1 != 0 {
		return
	}
	if g.rnd.IntN(2) == 0 {
		g.a.Emit(opMovK, 1, 0, 0, g.constant())
	} else {
		g.a.Emit(opMovX, 1, g.number(false), 0, 0)
	}
	g.a.Emit(opMovX, 2, g.number(false), 0, 0)
	g.a.Call(g.want(k))
}

// ownStack loads the address of 32 bytes of this function's stack.
func (g *gen) ownStack(r bytecode.Reg) {
	g.a.Emit(opMovX, r, 10, 0, 0)
	g.a.Emit(opAddK, r, 0, 0, int32(-8*(4+g.rnd.IntN(scratch-4))))
}

// callPointer calls a function that gets a pointer to this one's stack.
func (g *gen) callPointer() {
	if g.locked&1 != 0 {
		return
	}
	g.ownStack(1)
	g.a.Emit(opMovX, 2, g.number(false), 0, 0)
	g.a.Call(g.want(kindPointer))
}

// bpfLoop has a helper call a function.
func (g *gen) bpfLoop() {
	if g.locked&1 != 0 {
		return
	}
	g.a.Emit(opMovK, 1, 0, 0, int32(g.rnd.IntN(4)))
	g.a.FuncAddr(2, g.want(kindCallback))
	g.ownStack(3)
	g.a.Emit(opMovK, 4, 0, 0, 0)
	g.a.Helper(181)
}

// callx calls one of two functions by address.
func (g *gen) callx() {
	if g.locked&1 != 0 {
		return
	}
	skip := g.label()
	g.a.FuncAddr(3, g.want(kindNumbers))
	g.a.If(g.cond(), g.number(false), 0, g.constant(), skip)
	g.a.FuncAddr(3, g.want(kindNumbers))
	g.a.Label(skip)
	if g.rnd.IntN(2) == 0 {
		g.a.Emit(opStxDW, 10, 3, -8*scratch-16, 0)
		g.a.Emit(opLdxDW, 3, 10, -8*scratch-16, 0)
	}
	g.a.Emit(opMovX, 1, g.number(false), 0, 0)
	g.a.Emit(opMovX, 2, g.number(false), 0, 0)
	g.a.Emit(bytecode.CodeCallx, 3, 0, 0, 0)
}

// callTable calls a function through a table of addresses.
func (g *gen) callTable() {
	if g.locked&1 != 0 {
		return
	}
	end := g.label()
	n := 2 + g.rnd.IntN(4)
	names := make([]string, n)
	for i := range names {
		names[i] = g.want(kindNumbers)
	}
	g.index(n, end)
	g.a.MapValue(3, g.codeMap(names), 0)
	g.a.Emit(opAddX, 3, 2, 0, 0)
	g.a.Emit(opLdxDW, 3, 3, 0, 0)
	g.a.Emit(opMovX, 1, g.number(false), 0, 0)
	g.a.Emit(opMovX, 2, g.number(false), 0, 0)
	g.a.Emit(bytecode.CodeCallx, 3, 0, 0, 0)
	g.a.Label(end)
}

// codeMap adds a section of function addresses.
func (g *gen) codeMap(names []string) int {
	m := bytecode.Map{
		Name: ".data.rel.ro", Type: 2, KeySize: 4, ValueSize: uint32(8 * len(names)), MaxEntries: 1,
		ReadOnly: true, Value: make([]byte, 8*len(names)),
	}
	i := g.a.Map(m)
	for j, name := range names {
		g.a.code = append(g.a.code, codeCell{i, int64(8 * j), name})
	}
	return i
}
