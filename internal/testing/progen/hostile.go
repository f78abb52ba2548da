package progen

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// Hostile returns shapes that nobody writes by hand but that a file may hold: each is
// expensive for some algorithm. Where a kernel or a stage limits their number, the
// shape has a limit, too, and its text names it.
func Hostile() []Shape {
	return []Shape{
		{"chain", "an indirect jump to the next one, by table address and difference", chain},
		{"tabled", "functions, each with an indirect jump through a table of its own", tabled},
		{"calltable", "one indirect call through a table of functions", callTable},
		{"fan", "indirect jumps that share a table, as many as it has entries", fan},
		{"threaded", "handlers of an interpreter, each jumps to any of the others", threaded},
		{"pointers", "addresses of many tables in one register", pointers},
		{"repeats", "one table with the same target in all entries", repeats},
		{"callbacks", "callbacks, each handed over once", callbacks},
		{"callnest", "callbacks in callbacks", callNest},
		{"irreducible", "pairs of blocks that are entered at both", irreducible},
		{"tangle", "branches from every block to a far one, forth and back", tangle},
		{"comb", "one loop with many ways back", comb},
		{"breaks", "many ways to one exit", breaks},
		{"ifs", "conditions inside of conditions", ifs},
		{"gotos", "jumps to jumps", gotos},
		{"selfloops", "blocks that loop on themselves", selfLoops},
		{"exits", "a return every third slot", exits},
		{"deadcode", "branches that are never taken", deadCode},
		{"unreachable", "code that nothing leads to", unreachable},
		{"faults", "stores that no kernel allows", faults},
		{"maps", "maps, each looked up once", manyMaps},
		{"rodata", "one map of constants, each read once", rodata},
		{"settings", "configuration, each variable read once", settings},
		{"wide", "64-bit immediate loads", wide},
		{"kfuncs", "calls of kernel functions", kfuncs},
		{"helpers", "helper calls, each with a check for null", helperCalls},
		{"tailcalls", "tail calls", tailCalls},
		{"globals", "global functions", globals},
		{"names", "functions with names of 200 characters", longNames},
		{"lines", "a line of C for each instruction", manyLines},
		{"relocations", "a relocation for each instruction", manyRelocs},
		{"frames", "calls that are handed the address of a stack slot", frames},
		{"throws", "exceptions", throws},
		{"holes", "branches that exclude one value each", holes},
	}
}

// AllShapes returns Shapes and Hostile.
func AllShapes() []Shape { return append(Shapes(), Hostile()...) }

// Opcodes that only these shapes use.
const (
	opXorX   = 0xaf
	opJneK   = 0x55
	opStDW   = 0x7a
	opSubX   = 0x1f
	opModK   = 0x97
	mapArray = 2

	helperLookup   = 1
	helperTailCall = 12
	helperLoop     = 181
)

// chain returns indirect jumps each to the next, by the address of a table and a
// difference from read-only data.
func chain(slots int) *bytecode.Program {
	var a Asm
	n := max((slots-2)/9, 1)
	value := make([]byte, 8*n)
	for i := range n {
		binary.LittleEndian.PutUint64(value[8*i:], uint64(9*(i+1)+1-1)*8)
	}
	m := a.Map(bytecode.Map{Name: "ro", Type: mapArray, KeySize: 4, ValueSize: uint32(len(value)), MaxEntries: 1,
		ReadOnly: true, Value: value})
	for i := range n {
		a.Emit(opMovK, 0, 0, 0, 0)
		if i == 0 {
			a.Label("first")
		}
		a.MapValue(3, m, int64(8*i))
		a.Emit(opLdxDW, 3, 3, 0, 0)
		if i == 0 {
			a.Table(2, "first")
		} else {
			a.refs = append(a.refs, bytecode.Ref{PC: a.PC(), Kind: bytecode.RefTable})
			a.Wide(2, bytecode.LdMapValue, 0)
		}
		a.Emit(opLdxDW, 2, 2, 0, 0)
		a.Emit(opAddX, 2, 3, 0, 0)
		a.Emit(bytecode.CodeGotox, 2, 0, 0, 0)
	}
	a.Emit(opMovK, 0, 0, 0, 0)
	a.exit0()
	return a.Program("chain")
}

// pick adds an indirect jump to one of the labels, by the low bits of a register. The
// table is one that was made before, unless table is negative.
func (a *Asm) pick(by bytecode.Reg, table int, labels []string) {
	a.Emit(opMovX, 2, by, 0, 0)
	a.Emit(opModK, 2, 0, 0, int32(len(labels)))
	a.Emit(opLshK, 2, 0, 0, 3)
	if table < 0 {
		a.Table(3, labels...)
	} else {
		a.refs = append(a.refs, bytecode.Ref{PC: a.PC(), Kind: bytecode.RefTable, Index: table})
		a.Wide(3, bytecode.LdMapValue, 0)
	}
	a.Emit(opAddX, 3, 2, 0, 0)
	a.Emit(opLdxDW, 3, 3, 0, 0)
	a.Emit(bytecode.CodeGotox, 3, 0, 0, 0)
}

// numbered returns labels of a name and a number each.
func numbered(name string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprint(name, i)
	}
	return out
}

func tabled(slots int) *bytecode.Program {
	var a Asm
	n := max(slots/15, 1)
	a.Func("tabled", false)
	for i := range n {
		a.Emit(opMovK, 1, 0, 0, int32(i))
		a.Call(fmt.Sprint("f", i))
	}
	a.exit0()
	for i := range n {
		a.Func(fmt.Sprint("f", i), false)
		labels := []string{fmt.Sprint("a", i), fmt.Sprint("b", i)}
		a.pick(1, -1, labels)
		for j, l := range labels {
			a.Label(l)
			a.Emit(opMovK, 0, 0, 0, int32(j))
			a.Emit(bytecode.CodeExit, 0, 0, 0, 0)
		}
	}
	return a.Program("tabled")
}

func callTable(slots int) *bytecode.Program {
	var a Asm
	n := max(slots/3, 1)
	m := a.Map(bytecode.Map{Name: "table", Type: mapArray, KeySize: 4, ValueSize: uint32(8 * n), MaxEntries: 1,
		ReadOnly: true, Value: make([]byte, 8*n)})
	a.Func("calltable", false)
	a.Emit(opLdxDW, 2, 1, 0, 0)
	a.If(opJltK, 2, 0, int32(n), "in")
	a.exit0()
	a.Label("in")
	a.Emit(opLshK, 2, 0, 0, 3)
	a.MapValue(3, m, 0)
	a.Emit(opAddX, 3, 2, 0, 0)
	a.Emit(opLdxDW, 3, 3, 0, 0)
	a.Emit(bytecode.CodeCallx, 3, 0, 0, 0)
	a.Emit(bytecode.CodeExit, 0, 0, 0, 0)
	for i := range n {
		name := fmt.Sprint("f", i)
		a.code = append(a.code, codeCell{m, int64(8 * i), name})
		a.Func(name, false)
		a.Emit(opMovK, 0, 0, 0, int32(i))
		a.Emit(opStxDW, 1, 0, 8, 0)
		a.Emit(bytecode.CodeExit, 0, 0, 0, 0)
	}
	return a.Program("calltable")
}

func fan(slots int) *bytecode.Program {
	var a Asm
	n := max(slots/13, 1)
	labels := numbered("t", n)
	a.Emit(opLdxDW, 6, 1, 0, 0)
	for i := range n {
		next := fmt.Sprint("n", i)
		a.Emit(opLdxDW, 7, 1, 8, 0)
		a.If(opJeqK, 7, 0, int32(i), next)
		a.pick(6, min(i, 1)-1, labels)
		a.Label(next)
	}
	a.exit0()
	for i, l := range labels {
		a.Label(l)
		a.Emit(opMovK, 0, 0, 0, int32(i))
		a.Emit(bytecode.CodeExit, 0, 0, 0, 0)
	}
	return a.Program("fan")
}

func threaded(slots int) *bytecode.Program {
	var a Asm
	n := max(slots/9, 1)
	labels := append(numbered("h", n), "end")
	a.Emit(opLdxDW, 6, 1, 0, 0)
	a.pick(6, -1, labels)
	for i, l := range labels[:n] {
		a.Label(l)
		a.Emit(opAddK, 6, 0, 0, int32(i))
		a.pick(6, 0, labels)
	}
	a.Label("end")
	a.exit0()
	return a.Program("threaded")
}

func pointers(slots int) *bytecode.Program {
	var a Asm
	n := max(slots/5, 1)
	a.Emit(opLdxDW, 6, 1, 0, 0)
	a.Table(3, "x0")
	for i := 1; i < n; i++ {
		next := fmt.Sprint("n", i)
		a.If(opJneK, 6, 0, int32(i), next)
		a.Table(3, fmt.Sprint("x", i))
		a.Label(next)
	}
	a.Emit(opLdxDW, 3, 3, 0, 0)
	a.Emit(bytecode.CodeGotox, 3, 0, 0, 0)
	for i, l := range numbered("x", n) {
		a.Label(l)
		a.Emit(opMovK, 0, 0, 0, int32(i))
		a.Emit(bytecode.CodeExit, 0, 0, 0, 0)
	}
	return a.Program("pointers")
}

func repeats(slots int) *bytecode.Program {
	var a Asm
	labels := make([]string, max(slots-12, 1))
	for i := range labels {
		labels[i] = "same"
	}
	a.Emit(opLdxDW, 6, 1, 0, 0)
	a.pick(6, -1, labels)
	a.Label("same")
	a.exit0()
	return a.Program("repeats")
}

// loop adds a call of bpf_loop with a callback whose context is a stack slot.
func (a *Asm) loop(callback string, off int32) {
	a.Emit(opMovK, 1, 0, 0, 5)
	a.FuncAddr(2, callback)
	a.Emit(opMovX, 3, 10, 0, 0)
	a.Emit(opAddK, 3, 0, 0, off)
	a.Emit(opMovK, 4, 0, 0, 0)
	a.Helper(helperLoop)
}

func callbacks(slots int) *bytecode.Program {
	var a Asm
	n := max(slots/12, 1)
	a.Func("callbacks", false)
	for i := range 60 {
		a.Emit(opStDW, 10, 0, -8*int16(1+i), 0)
	}
	for i := range n {
		a.loop(fmt.Sprint("c", i), -8*int32(1+i%60))
	}
	a.exit0()
	for i := range n {
		a.Func(fmt.Sprint("c", i), false)
		a.Emit(opLdxDW, 3, 2, 0, 0)
		a.Emit(opAddK, 3, 0, 0, 1)
		a.Emit(opStxDW, 2, 3, 0, 0)
		a.exit0()
	}
	return a.Program("callbacks")
}

func callNest(slots int) *bytecode.Program {
	var a Asm
	n := max(slots/11, 1)
	a.Func("callnest", false)
	a.Emit(opStDW, 10, 0, -8, 0)
	a.loop("c0", -8)
	a.exit0()
	for i := range n {
		a.Func(fmt.Sprint("c", i), false)
		a.Emit(opLdxDW, 3, 2, 0, 0)
		a.Emit(opAddK, 3, 0, 0, 1)
		a.Emit(opStxDW, 2, 3, 0, 0)
		if i+1 < n {
			a.Emit(opStDW, 10, 0, -8, 0)
			a.loop(fmt.Sprint("c", i+1), -8)
		}
		a.exit0()
	}
	return a.Program("callnest")
}

func irreducible(slots int) *bytecode.Program {
	var a Asm
	a.Emit(opLdxDW, 2, 1, 0, 0)
	for i := range slots / 6 {
		a.If(opJeqK, 2, 0, int32(i), fmt.Sprint("r", i))
		a.Label(fmt.Sprint("l", i))
		a.Emit(opAddK, 2, 0, 0, 1)
		a.If(opJgtK, 2, 0, 1000, fmt.Sprint("o", i))
		a.Label(fmt.Sprint("r", i))
		a.Emit(opAddK, 2, 0, 0, 2)
		a.If(opJltK, 2, 0, 2000, fmt.Sprint("l", i))
		a.Label(fmt.Sprint("o", i))
		a.Emit(opLdxDW, 2, 1, 8, 0)
	}
	a.exit0()
	return a.Program("irreducible")
}

// reach is how far a conditional jump reaches in the shapes that need it.
const reach = math.MaxInt16 / 4

func tangle(slots int) *bytecode.Program {
	var a Asm
	n := max(slots/3, 1)
	for i := range n {
		a.Label(fmt.Sprint("b", i))
		a.Emit(opLdxDW, 2, 1, int16(8*(i%8)), 0)
		a.Emit(opXorX, 3, 2, 0, 0)
		if i == 0 {
			a.insns[len(a.insns)-1] = bytecode.Insn{Code: opMovX, Dst: 3, Src: 2}
		}
		to := (i*7919 + 13) % n // forth and back
		to = i + (to-i)%reach
		a.If(opJeqK, 2, 0, int32(i), fmt.Sprint("b", to))
	}
	a.exit0()
	return a.Program("tangle")
}

func comb(slots int) *bytecode.Program {
	var a Asm
	n := min(max(slots/3, 1), reach)
	a.Emit(opMovK, 2, 0, 0, 0)
	for i := range max(slots/3, 1) {
		if i%n == 0 {
			a.Label(fmt.Sprint("head", i/n))
		}
		a.Emit(opLdxDW, 3, 1, 0, 0)
		a.Emit(opAddK, 2, 0, 0, 1)
		a.If(opJeqK, 3, 0, int32(i), fmt.Sprint("head", i/n))
	}
	a.exit0()
	return a.Program("comb")
}

func breaks(slots int) *bytecode.Program {
	var a Asm
	n := max(slots/3, 1)
	for i := range n {
		a.Emit(opLdxDW, 3, 1, 0, 0)
		a.Emit(opMovK, 2, 0, 0, int32(i))
		a.If(opJeqK, 3, 0, int32(i), fmt.Sprint("end", i/reach))
		if i%reach == reach-1 || i == n-1 {
			a.Label(fmt.Sprint("end", i/reach))
			a.Emit(opStxDW, 10, 2, -8, 0)
		}
	}
	a.exit0()
	return a.Program("breaks")
}

func ifs(slots int) *bytecode.Program {
	var a Asm
	n := max(slots/4, 1)
	a.Emit(opMovK, 2, 0, 0, 0)
	for lo := 0; lo < n; lo += reach {
		hi := min(n, lo+reach)
		for i := lo; i < hi; i++ {
			a.Emit(opLdxDW, 3, 1, 0, 0)
			a.If(opJeqK, 3, 0, int32(i), fmt.Sprint("e", i))
		}
		for i := hi - 1; i >= lo; i-- {
			a.Emit(opAddK, 2, 0, 0, 1)
			a.Label(fmt.Sprint("e", i))
			a.Emit(opStxDW, 10, 2, -8, 0)
		}
	}
	a.exit0()
	return a.Program("ifs")
}

func gotos(slots int) *bytecode.Program {
	var a Asm
	n := max(slots-2, 2)
	for i := range n { // 0, n-1, 1, n-2 …
		a.Label(fmt.Sprint("g", i))
		switch next := n - 1 - i; {
		case i == n/2:
			a.Jump("end")
		case i < n/2:
			a.Jump(fmt.Sprint("g", next))
		default:
			a.Jump(fmt.Sprint("g", next+1))
		}
	}
	a.Label("end")
	a.exit0()
	return a.Program("gotos")
}

func selfLoops(slots int) *bytecode.Program {
	var a Asm
	for i := range slots / 3 {
		a.Emit(opMovK, 2, 0, 0, 0)
		a.Label(fmt.Sprint("l", i))
		a.Emit(opAddK, 2, 0, 0, 1)
		a.If(opJltK, 2, 0, int32(3+i%5), fmt.Sprint("l", i))
	}
	a.exit0()
	return a.Program("selfloops")
}

func exits(slots int) *bytecode.Program {
	var a Asm
	a.Emit(opLdxDW, 2, 1, 0, 0)
	for i := range slots / 3 {
		a.If(opJneK, 2, 0, int32(i), fmt.Sprint("n", i))
		a.exit0()
		a.Label(fmt.Sprint("n", i))
	}
	a.exit0()
	return a.Program("exits")
}

func deadCode(slots int) *bytecode.Program {
	var a Asm
	for i := range slots / 3 {
		a.Emit(opMovK, 2, 0, 0, int32(i))
		a.If(opJeqK, 2, 0, int32(i), fmt.Sprint("n", i))
		a.Emit(opMovK, 3, 0, 0, int32(i))
		a.Label(fmt.Sprint("n", i))
	}
	a.exit0()
	return a.Program("deadcode")
}

func unreachable(slots int) *bytecode.Program {
	var a Asm
	for i := range slots / 4 {
		a.Jump(fmt.Sprint("n", i))
		a.Emit(opMovK, 3, 0, 0, int32(i))
		a.Emit(opMovK, 4, 0, 0, int32(i))
		a.Label(fmt.Sprint("n", i))
		a.Emit(opMovK, 2, 0, 0, int32(i))
	}
	a.exit0()
	return a.Program("unreachable")
}

func faults(slots int) *bytecode.Program {
	var a Asm
	for i := range slots / 2 {
		a.Emit(opStDW, 10, 0, 8*int16(i%1000), int32(i))
		a.Emit(opSubX, bytecode.Reg(2+i%4), 10, 0, 0)
	}
	a.exit0()
	return a.Program("faults")
}

func manyMaps(slots int) *bytecode.Program {
	var a Asm
	a.Emit(opStDW, 10, 0, -8, 0)
	for i := range slots / 7 {
		m := a.Map(bytecode.Map{Name: fmt.Sprint("m", i), Type: mapArray, KeySize: 4, ValueSize: 8, MaxEntries: 2})
		a.lookup(m, fmt.Sprint("n", i))
	}
	a.exit0()
	return a.Program("maps")
}

// lookup adds a lookup in a map and a store into what it returns.
func (a *Asm) lookup(m int, next string) {
	a.MapAddr(1, m)
	a.Emit(opMovX, 2, 10, 0, 0)
	a.Emit(opAddK, 2, 0, 0, -8)
	a.Helper(helperLookup)
	a.If(opJeqK, 0, 0, 0, next)
	a.Emit(opStDW, 0, 0, 0, 1)
	a.Label(next)
}

func helperCalls(slots int) *bytecode.Program {
	var a Asm
	m := a.Map(bytecode.Map{Name: "m", Type: mapArray, KeySize: 4, ValueSize: 8, MaxEntries: 2})
	a.Emit(opStDW, 10, 0, -8, 0)
	for i := range slots / 7 {
		a.lookup(m, fmt.Sprint("n", i))
	}
	a.exit0()
	return a.Program("helpers")
}

// constants returns a program that reads one variable after the other.
func constants(name string, slots int, config bool) *bytecode.Program {
	var a Asm
	n := max(slots/5, 1)
	m := bytecode.Map{Name: ".rodata", Type: mapArray, KeySize: 4, ValueSize: uint32(8 * n), MaxEntries: 1,
		ReadOnly: true, Value: make([]byte, 8*n)}
	for i := range n {
		binary.LittleEndian.PutUint64(m.Value[8*i:], uint64(i%7))
		m.Symbols = append(m.Symbols,
			bytecode.DataSymbol{Name: fmt.Sprint("v", i), Off: int64(8 * i), Size: 8, Config: config})
	}
	at := a.Map(m)
	for i := range n {
		a.MapValue(2, at, int64(8*i))
		a.Emit(opLdxDW, 2, 2, 0, 0)
		a.If(opJeqK, 2, 0, 3, fmt.Sprint("n", i))
		a.Emit(opMovK, 3, 0, 0, int32(i))
		a.Label(fmt.Sprint("n", i))
	}
	a.exit0()
	return a.Program(name)
}

func rodata(slots int) *bytecode.Program   { return constants("rodata", slots, false) }
func settings(slots int) *bytecode.Program { return constants("settings", slots, true) }

func wide(slots int) *bytecode.Program {
	var a Asm
	for i := range (slots - 2) / 2 {
		a.Wide(bytecode.Reg(i%6), bytecode.LdImm64, uint64(i)*0x9e3779b97f4a7c15)
	}
	a.exit0()
	return a.Program("wide")
}

func kfuncs(slots int) *bytecode.Program {
	var a Asm
	for range slots / 2 {
		a.Kfunc("bpf_rcu_read_lock")
		a.Kfunc("bpf_rcu_read_unlock")
	}
	a.exit0()
	return a.Program("kfuncs")
}

func tailCalls(slots int) *bytecode.Program {
	var a Asm
	m := a.Map(bytecode.Map{Name: "programs", Type: 3, KeySize: 4, ValueSize: 4, MaxEntries: uint32(max(slots/5, 1))})
	a.Emit(opMovX, 6, 1, 0, 0)
	for i := range slots / 5 {
		a.Emit(opMovX, 1, 6, 0, 0)
		a.MapAddr(2, m)
		a.Emit(opMovK, 3, 0, 0, int32(i))
		a.Helper(helperTailCall)
	}
	a.exit0()
	return a.Program("tailcalls")
}

// calls returns a program of so many functions, each called once.
func calls(name string, n int, called func(i int) string, global bool) *bytecode.Program {
	var a Asm
	a.Func(name, false)
	for i := range n {
		a.Emit(opMovK, 1, 0, 0, int32(i))
		a.Call(called(i))
	}
	a.exit0()
	for i := range n {
		a.Func(called(i), global, "scalar")
		a.Emit(opMovX, 0, 1, 0, 0)
		a.Emit(opAddK, 0, 0, 0, int32(i))
		a.Emit(bytecode.CodeExit, 0, 0, 0, 0)
	}
	return a.Program(name)
}

func globals(slots int) *bytecode.Program {
	return calls("globals", slots/5, func(i int) string { return fmt.Sprint("g", i) }, true)
}

func longNames(slots int) *bytecode.Program {
	pad := strings.Repeat("long_", 40)
	return calls("names", slots/5, func(i int) string { return fmt.Sprint(pad, i) }, false)
}

func manyLines(slots int) *bytecode.Program {
	p := blocks(slots)
	p.Name = "lines"
	for pc := range p.Insns {
		p.Lines = append(p.Lines, bytecode.Line{PC: bytecode.PC(pc), File: "src/lines.c", Line: pc/2 + 1, Col: pc%40 + 1,
			Text: fmt.Sprintf("\tif (value[%d] == limit) count += step;", pc/2)})
	}
	return p
}

func manyRelocs(slots int) *bytecode.Program {
	p := Straight(slots)
	p.Name = "relocations"
	for pc := range p.Insns {
		p.Relocs = append(p.Relocs, bytecode.Reloc{PC: bytecode.PC(pc), Was: p.Insns[pc]})
	}
	return p
}

func frames(slots int) *bytecode.Program {
	var a Asm
	a.Func("frames", false)
	n := max(slots/6, 1)
	for i := range n {
		off := -8 * int16(1+i%60)
		a.Emit(opStDW, 10, 0, off, int32(i))
		a.Emit(opMovX, 1, 10, 0, 0)
		a.Emit(opAddK, 1, 0, 0, int32(off))
		a.Emit(opMovK, 2, 0, 0, int32(i))
		a.Call("set")
		a.Emit(opLdxDW, 3, 10, off, 0)
	}
	a.exit0()
	a.Func("set", false)
	a.Emit(opLdxDW, 3, 1, 0, 0)
	a.Emit(opAddX, 3, 2, 0, 0)
	a.Emit(opStxDW, 1, 3, 0, 0)
	a.exit0()
	return a.Program("frames")
}

func throws(slots int) *bytecode.Program {
	var a Asm
	a.Func("throws", false)
	a.Emit(opMovX, 6, 1, 0, 0)
	for i := range slots / 4 {
		a.Emit(opLdxDW, 2, 6, 0, 0)
		a.If(opJneK, 2, 0, int32(i), fmt.Sprint("n", i))
		a.Emit(opMovK, 1, 0, 0, int32(i))
		a.Kfunc("bpf_throw")
		a.Label(fmt.Sprint("n", i))
	}
	a.exit0()
	a.Func("caught", true, "scalar")
	a.Exception()
	a.Emit(opMovX, 0, 1, 0, 0)
	a.Emit(bytecode.CodeExit, 0, 0, 0, 0)
	return a.Program("throws")
}

func holes(slots int) *bytecode.Program {
	var a Asm
	n := max(slots/2, 1)
	a.Emit(opLdxDW, 2, 1, 0, 0)
	for i := range n {
		a.If(opJeqK, 2, 0, int32(3*i+1), fmt.Sprint("end", i/reach))
		a.Emit(opMovX, 3, 2, 0, 0)
		if i%reach == reach-1 || i == n-1 {
			a.Label(fmt.Sprint("end", i/reach))
		}
	}
	a.exit0()
	return a.Program("holes")
}
