package progen

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// Opcodes that the shapes use (RFC 9669 sections 4 and 5).
const (
	opMovK   = 0xb7
	opMovX   = 0xbf
	opMovX32 = 0xbc
	opAddK   = 0x07
	opAddX   = 0x0f
	opAndK   = 0x57
	opOrK    = 0x47
	opLshK   = 0x67
	opLdxW   = 0x61
	opLdxH   = 0x69
	opLdxDW  = 0x79
	opStxDW  = 0x7b
	opJeqK   = 0x15
	opJgtK   = 0x25
	opJltK   = 0xa5
	opJleX   = 0xbd
)

func sortRefs(refs []bytecode.Ref) {
	slices.SortFunc(refs, func(a, b bytecode.Ref) int { return cmp.Compare(a.PC, b.PC) })
}

// Diamonds returns a program of n independent branches, each of which may set a
// bit of one register that is compared in the end: 2^n paths, which the kernel's
// verifier takes one by one. Linux 7.3 gives up at 17 of them.
func Diamonds(n int) *bytecode.Program {
	var a Asm
	a.Emit(opMovK, 6, 0, 0, 0)
	for i := range n {
		next := fmt.Sprint("d", i)
		a.Emit(opLdxDW, 2, 1, int16(8*(i%8)), 0)
		a.If(opJeqK, 2, 0, 0, next)
		a.Emit(opAddK, 6, 0, 0, 1<<(i%24))
		a.Label(next)
		a.Emit(opMovX, 3, 6, 0, 0)
	}
	a.Emit(opMovK, 0, 0, 0, 0)
	a.If(opJgtK, 6, 0, 1<<20, "end")
	a.Emit(opMovK, 0, 0, 0, 1)
	a.Label("end")
	a.Emit(bytecode.CodeExit, 0, 0, 0, 0)
	return a.Program("diamonds")
}

// Switches returns a program of n jumps through tables of the given size, one
// after the other.
func Switches(n, size int) *bytecode.Program {
	var a Asm
	for i := range n {
		labels := make([]string, size)
		for j := range labels {
			labels[j] = fmt.Sprint("c", i, "_", j)
		}
		next := fmt.Sprint("s", i)
		a.Emit(opLdxDW, 2, 1, int16(8*(i%8)), 0)
		a.If(opJgtK, 2, 0, int32(size-1), fmt.Sprint("x", i))
		a.Emit(opLshK, 2, 0, 0, 3)
		a.Table(3, labels...)
		a.Emit(opAddX, 3, 2, 0, 0)
		a.Emit(opLdxDW, 3, 3, 0, 0)
		a.Emit(bytecode.CodeGotox, 3, 0, 0, 0)
		for j, l := range labels {
			a.Label(l)
			a.Emit(opStxDW, 1, 2, 56, 0)
			a.Emit(opMovK, 4, 0, 0, int32(j))
			a.Jump(next)
		}
		a.Label(fmt.Sprint("x", i))
		a.Emit(opMovK, 4, 0, 0, -1)
		a.Label(next)
	}
	a.Emit(opMovK, 0, 0, 0, 0)
	a.Emit(bytecode.CodeExit, 0, 0, 0, 0)
	return a.Program("switches")
}

// Straight returns a program of n instructions without a branch.
func Straight(n int) *bytecode.Program {
	var a Asm
	a.Emit(opLdxDW, 0, 1, 0, 0)
	for i := range n - 2 {
		switch i % 4 {
		case 0:
			a.Emit(opAddK, 0, 0, 0, int32(i))
		case 1:
			a.Emit(opMovX, 2, 0, 0, 0)
		case 2:
			a.Emit(opAndK, 2, 0, 0, 0xff)
		case 3:
			a.Emit(opStxDW, 10, 2, -8, 0)
		}
	}
	a.Emit(bytecode.CodeExit, 0, 0, 0, 0)
	return a.Program("straight")
}

// Loops returns a program of n counted loops, nested to the given depth, with a
// switch in the innermost.
func Loops(n, depth int) *bytecode.Program {
	var a Asm
	for i := range n {
		for d := range depth {
			a.Emit(opMovK, bytecode.Reg(2+d), 0, 0, 0)
			a.Label(fmt.Sprint("h", i, "_", d))
		}
		a.Emit(opLdxDW, 0, 1, 0, 0)
		a.If(opJeqK, 0, 0, int32(i), fmt.Sprint("k", i))
		a.Emit(opStxDW, 10, 2, -16, 0)
		a.Label(fmt.Sprint("k", i))
		for d := depth - 1; d >= 0; d-- {
			a.Emit(opAddK, bytecode.Reg(2+d), 0, 0, 1)
			a.If(opJltK, bytecode.Reg(2+d), 0, int32(100+d), fmt.Sprint("h", i, "_", d))
		}
	}
	a.Emit(opMovK, 0, 0, 0, 0)
	a.Emit(bytecode.CodeExit, 0, 0, 0, 0)
	return a.Program("loops")
}
