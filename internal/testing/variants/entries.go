package variants

import (
	"fmt"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// argOffset is the place of argument number i of a call: below r11 for the caller, above it for the
// callee.
func argOffset(i int) int16 { return int16(8 * (i - 5)) }

// numbers returns the kinds of n parameters that are all numbers.
func numbers(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = "scalar"
	}
	return out
}

// stackArguments calls a function with more than five arguments: with all of them stored, one too
// few, one too many, loaded too late, or with a load of one that does not exist.
func stackArguments(g *gen) {
	n := 6 + g.rnd.IntN(5)
	fault := g.n % 6
	left := 0 // the argument that is not stored
	if fault == 1 {
		left = 6 + g.rnd.IntN(n-5)
	}
	for i := range 5 {
		g.mov(bytecode.Reg(i+1), int32(10+i))
	}
	last := n
	if fault == 2 {
		last++
	}
	for i := last; i >= 6; i-- {
		switch {
		case i == left:
		case g.rnd.IntN(2) == 0:
			g.Emit(stxDW, 11, bytecode.Reg(1+g.rnd.IntN(5)), -argOffset(i), 0)
		default:
			g.Emit(stDW, 11, 0, -argOffset(i), int32(i))
		}
	}
	g.Call("callee")
	g.leave()
	g.Func("callee", false, numbers(n)...)
	if fault == 3 {
		g.argLate()
	}
	at := 6 + g.rnd.IntN(n-5)
	if fault == 4 {
		at = n + 1 + g.rnd.IntN(2)
	}
	g.Emit(ldxDW, 6, 11, argOffset(at), 0)
	bad := g.label()
	g.If(jgt, 6, 0, int32(5+g.rnd.IntN(11)), bad)
	g.leave()
	g.Label(bad)
	g.unset(9)
}

// argLate makes what ends the life of the arguments on the stack: a call or a store.
func (g *gen) argLate() {
	if g.rnd.IntN(2) == 0 {
		g.Helper(prandom)
		return
	}
	g.Emit(stDW, 11, 0, -argOffset(6), 1)
}

// kinds are parameters of global functions.
func kinds() []string { return []string{"scalar", "mem:4", "mem:8", "mem:16", "nonnull:8", "ctx"} }

// typedFunction calls a global function, whose registers hold at its start what its prototype
// states.
func typedFunction(g *gen) {
	args := g.parameters(0, kinds())
	g.Emit(movReg, 6, 1, 0, 0)
	g.arguments(args)
	g.Call("typed")
	g.leave()
	g.Func("typed", true, args...)
	g.useParameters(args)
}

// replacement is a program that replaces a function of another one: at its start the registers hold
// what that function's prototype states.
func replacement(g *gen) {
	g.typ = "ext"
	all := kinds()
	g.entry = g.parameters(1, all[:len(all)-1]) // a context would be of the other program's type
	g.useParameters(g.entry)
}

// parameters chooses parameters of these kinds, at least so many.
func (g *gen) parameters(least int, all []string) []string {
	args := make([]string, least+g.rnd.IntN(6-least))
	for i := range args {
		args[i] = all[g.rnd.IntN(len(all))]
	}
	return args
}

// arguments puts values for the parameters into registers. The context is in r6.
func (g *gen) arguments(args []string) {
	g.Emit(stDW, 10, 0, -8, 1)
	g.Emit(stDW, 10, 0, -16, 2)
	for i, a := range args {
		r := bytecode.Reg(i + 1)
		switch a {
		case "scalar":
			g.mov(r, int32(i))
		case "ctx":
			g.Emit(movReg, r, 6, 0, 0)
		default:
			g.Emit(movReg, r, 10, 0, 0)
			g.op(addImm, r, -16)
		}
	}
}

// useParameters uses the parameters of the function that begins here: rightly, with a
// number that may be anything, without a test for null, or one more than there are.
func (g *gen) useParameters(args []string) {
	bad := g.label()
	wrong := g.n % 4
	for i, a := range args {
		r := bytecode.Reg(i + 1)
		size := 0
		if _, err := fmt.Sscanf(a, "mem:%d", &size); err == nil {
			if wrong != 1 {
				g.If(jeq, r, 0, 0, bad)
			}
			g.Emit(ldxB, 0, r, int16(g.rnd.IntN(size)), 0)
			continue
		}
		if _, err := fmt.Sscanf(a, "nonnull:%d", &size); err == nil {
			g.Emit(ldxB, 0, r, int16(g.rnd.IntN(size)), 0)
		}
		if a == "scalar" && wrong == 2 {
			g.If(jeq, r, 0, int32(g.rnd.IntN(5)), "unset")
		}
	}
	if wrong == 3 && len(args) < 5 {
		g.Emit(movReg, 0, bytecode.Reg(len(args)+1), 0, 0)
	}
	g.Label(bad)
	g.leave()
	if wrong == 2 {
		g.Label("unset")
		g.unset(9)
	}
}
