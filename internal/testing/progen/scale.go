package progen

import (
	"fmt"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// Shape is a family of programs that are alike and of any size.
type Shape struct {
	Name  string
	About string
	// Make returns a program of about so many slots, at most one piece of the
	// shape fewer.
	Make func(slots int) *bytecode.Program
}

// Shapes returns programs to measure growth with: what compilers make of large
// sources, and what is worst for one stage or another.
func Shapes() []Shape {
	return []Shape{
		{"straight", "no branch", Straight},
		{"blocks", "one function, a branch every fourth slot", blocks},
		{"diamonds", "branches that join, each sets a bit", func(n int) *bytecode.Program { return Diamonds(n / 4) }},
		{"loops", "counted loops, three deep", func(n int) *bytecode.Program { return Loops(n/12, 3) }},
		{"nest", "one nest of loops, as deep as it gets", nest},
		{"switches", "tables of 16 entries", func(n int) *bytecode.Program { return Switches(n/57, 16) }},
		{"dispatch", "one table, an entry every tenth slot", dispatch},
		{"functions", "subprograms of 100 slots, each called once", functions},
		{"shared", "one subprogram, called every fourth slot", shared},
		{"chains", "chains of eight calls", func(n int) *bytecode.Program { return chains(n, 7) }},
		{"deep", "one chain of calls, as deep as it gets", func(n int) *bytecode.Program { return chains(n, n/6) }},
		{"zigzag", "every jump leaps over half of the program, forth and back", zigzag},
		{"spills", "64 stack slots, stored and loaded between branches", spills},
		{"packets", "headers of an XDP program, each with a bounds check", packets},
	}
}

// blocks returns a program of branches that nothing depends on.
func blocks(slots int) *bytecode.Program {
	var a Asm
	for i := range (slots - 2) / 4 {
		next := fmt.Sprint("b", i)
		a.Emit(opLdxDW, 2, 1, 0, 0)
		a.If(opJeqK, 2, 0, int32(i), next)
		a.Emit(opAddK, 2, 0, 0, 1)
		a.Label(next)
		a.Emit(opAddK, 2, 0, 0, 2)
	}
	a.exit0()
	return a.Program("blocks")
}

// exit0 adds the end of a function that returns 0.
func (a *Asm) exit0() {
	a.Emit(opMovK, 0, 0, 0, 0)
	a.Emit(bytecode.CodeExit, 0, 0, 0, 0)
}

// nest returns a nest of loops, whose counters are stack slots: the outermost 60
// have one of their own, deeper ones share the last.
func nest(slots int) *bytecode.Program {
	var a Asm
	depth := (slots - 2) / 6
	counter := func(d int) int16 { return -8 * int16(min(d, 59)+1) }
	a.Emit(opMovK, 2, 0, 0, 0)
	for d := range depth {
		a.Emit(opStxDW, 10, 2, counter(d), 0)
		a.Label(fmt.Sprint("h", d))
	}
	for d := depth - 1; d >= 0; d-- {
		a.Emit(opLdxDW, 3, 10, counter(d), 0)
		a.Emit(opAddK, 3, 0, 0, 1)
		a.Emit(opStxDW, 10, 3, counter(d), 0)
		a.If(opJgtK, 3, 0, 10, fmt.Sprint("out", d))
		a.Jump(fmt.Sprint("h", d))
		a.Label(fmt.Sprint("out", d))
	}
	a.exit0()
	return a.Program("nest")
}

// dispatch returns a switch through one table.
func dispatch(slots int) *bytecode.Program {
	var a Asm
	cases := max((slots-12)/10, 1)
	labels := make([]string, cases)
	for i := range labels {
		labels[i] = fmt.Sprint("c", i)
	}
	a.Emit(opLdxDW, 2, 1, 0, 0)
	a.Emit(opMovK, 0, 0, 0, 0)
	a.If(opJltK, 2, 0, int32(cases), "in")
	a.Emit(bytecode.CodeExit, 0, 0, 0, 0)
	a.Label("in")
	a.Emit(opLshK, 2, 0, 0, 3)
	a.Table(3, labels...)
	a.Emit(opAddX, 3, 2, 0, 0)
	a.Emit(opLdxDW, 3, 3, 0, 0)
	a.Emit(bytecode.CodeGotox, 3, 0, 0, 0)
	for i, l := range labels {
		a.Label(l)
		a.Emit(opMovK, 4, 0, 0, int32(i))
		for range 8 {
			a.Emit(opAddK, 4, 0, 0, 7)
		}
		a.Jump("end")
	}
	a.Label("end")
	a.exit0()
	return a.Program("dispatch")
}

// body adds some n slots of arithmetic and branches on r1 and r2.
func (a *Asm) body(name string, n int) {
	for i := range n / 5 {
		next := fmt.Sprint(name, "_", i)
		a.Emit(opMovX, 3, 1, 0, 0)
		a.Emit(opAndK, 3, 0, 0, 0xff)
		a.If(opJgtK, 3, 0, int32(i%200), next)
		a.Emit(opAddK, 2, 0, 0, 1)
		a.Label(next)
		a.Emit(opAddX, 2, 3, 0, 0)
	}
}

// functions returns a program of many subprograms; the first calls all others.
func functions(slots int) *bytecode.Program {
	var a Asm
	n := max(slots/104, 1)
	a.Func("functions", false)
	a.Emit(opMovX, 6, 1, 0, 0)
	for i := range n {
		a.Emit(opLdxDW, 1, 6, 0, 0)
		a.Emit(opMovK, 2, 0, 0, int32(i))
		a.Call(fmt.Sprint("f", i))
	}
	a.exit0()
	for i := range n {
		name := fmt.Sprint("f", i)
		a.Func(name, false)
		a.body(name, 97)
		a.Emit(opMovX, 0, 2, 0, 0)
		a.Emit(bytecode.CodeExit, 0, 0, 0, 0)
	}
	return a.Program("functions")
}

// shared returns a program of many calls of one subprogram, each with another
// number.
func shared(slots int) *bytecode.Program {
	var a Asm
	a.Func("shared", false)
	a.Emit(opLdxDW, 6, 1, 0, 0)
	for i := range slots / 4 {
		a.Emit(opMovX, 1, 6, 0, 0)
		a.Emit(opMovK, 2, 0, 0, int32(i))
		a.Call("f")
		a.Emit(opAddX, 6, 0, 0, 0)
	}
	a.exit0()
	a.Func("f", false)
	a.body("f", 20)
	a.Emit(opMovX, 0, 2, 0, 0)
	a.Emit(bytecode.CodeExit, 0, 0, 0, 0)
	return a.Program("shared")
}

// chains returns a program of chains of calls, each so many calls deep below the
// first function.
func chains(slots, depth int) *bytecode.Program {
	var a Asm
	n := max(slots/(6*depth), 1)
	a.Func("chains", false)
	a.Emit(opLdxDW, 6, 1, 0, 0)
	for i := range n {
		a.Emit(opMovX, 1, 6, 0, 0)
		a.Call(fmt.Sprint("f", i, "_0"))
	}
	a.exit0()
	for i := range n {
		for d := range depth {
			a.Func(fmt.Sprint("f", i, "_", d), false)
			a.Emit(opAddK, 1, 0, 0, 1)
			a.Emit(opStxDW, 10, 1, -8, 0)
			if d+1 < depth {
				a.Call(fmt.Sprint("f", i, "_", d+1))
			}
			a.Emit(opMovK, 0, 0, 0, int32(d))
			a.Emit(bytecode.CodeExit, 0, 0, 0, 0)
		}
	}
	return a.Program("chains")
}

// zigzag returns a program whose control goes from its first half to the second
// and back, block by block.
func zigzag(slots int) *bytecode.Program {
	var a Asm
	n := max(slots/8, 1)
	a.Emit(opLdxDW, 2, 1, 0, 0)
	for i := range n {
		a.Label(fmt.Sprint("lo", i))
		a.If(opJeqK, 2, 0, int32(i), fmt.Sprint("skip", i))
		a.Jump(fmt.Sprint("hi", i))
		a.Label(fmt.Sprint("skip", i))
		a.Emit(opAddK, 2, 0, 0, 1)
		a.Jump(fmt.Sprint("hi", i))
	}
	a.Label(fmt.Sprint("lo", n))
	a.exit0()
	for i := range n {
		a.Label(fmt.Sprint("hi", i))
		a.Emit(opMovX, 3, 2, 0, 0)
		a.Emit(opAndK, 3, 0, 0, 7)
		a.Emit(opAddX, 2, 3, 0, 0)
		a.Jump(fmt.Sprint("lo", i+1))
	}
	return a.Program("zigzag")
}

// spills returns a program that keeps 64 numbers on its stack.
func spills(slots int) *bytecode.Program {
	var a Asm
	for i := range 64 {
		a.Emit(opLdxDW, 2, 1, int16(8*(i%8)), 0)
		a.Emit(opStxDW, 10, 2, int16(-8*(i+1)), 0)
	}
	for i := range (slots - 130) / 6 {
		next := fmt.Sprint("s", i)
		a.Emit(opLdxDW, 2, 10, int16(-8*(i%64+1)), 0)
		a.Emit(opAndK, 2, 0, 0, 0xffff)
		a.If(opJgtK, 2, 0, int32(i%1000), next)
		a.Emit(opAddK, 2, 0, 0, 1)
		a.Emit(opStxDW, 10, 2, int16(-8*((i+7)%64+1)), 0)
		a.Label(next)
		a.Emit(opStxDW, 10, 2, int16(-8*((i+31)%64+1)), 0)
	}
	a.exit0()
	return a.Program("spills")
}

// packets returns an XDP program that reads one header after the other: a bounds
// check, a load, and a choice.
func packets(slots int) *bytecode.Program {
	var a Asm
	a.Emit(opLdxW, 2, 1, 0, 0)
	a.Emit(opLdxW, 3, 1, 4, 0)
	for i := range (slots - 4) / 11 {
		in, next := fmt.Sprint("in", i), fmt.Sprint("next", i)
		a.Emit(opMovX, 4, 2, 0, 0)
		a.Emit(opAddK, 4, 0, 0, 14)
		a.If(opJleX, 4, 3, 0, in)
		a.exit0()
		a.Label(in)
		a.Emit(opLdxH, 5, 2, 12, 0)
		a.If(opJeqK, 5, 0, int32(i%1000), next)
		a.If(opJgtK, 5, 0, int32(i%2000), next)
		a.Emit(opMovK, 6, 0, 0, int32(i))
		a.Label(next)
		a.Emit(opMovX, 2, 4, 0, 0)
		a.Emit(opMovX, 7, 5, 0, 0)
	}
	a.exit0()
	p := a.Program("packets")
	p.Type = "xdp"
	return p
}
