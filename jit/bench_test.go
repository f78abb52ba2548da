package jit_test

import (
	"fmt"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/jit"
)

// straight returns n slots of arithmetic and memory accesses, and an exit.
func straight(n int) []bytecode.Insn {
	mix := []bytecode.Insn{
		{Code: 0xbf, Dst: 2, Src: 1}, {Code: 0x07, Dst: 2, Imm: 300}, {Code: 0x79, Dst: 3, Src: 10, Off: -8},
		{Code: 0x0f, Dst: 3, Src: 7}, {Code: 0x7b, Dst: 10, Src: 3, Off: -16}, {Code: 0x67, Dst: 4, Imm: 3},
		{Code: 0x6f, Dst: 4, Src: 2}, {Code: 0xb7, Dst: 0, Imm: 1},
	}
	insns := make([]bytecode.Insn, n, n+1)
	for i := range insns {
		insns[i] = mix[i%len(mix)]
	}
	return append(insns, bytecode.Insn{Code: bytecode.CodeExit})
}

// chain returns n slots with a conditional jump in each fourth, so far that
// walks keep finding jumps that have become short.
func chain(n int) []bytecode.Insn {
	insns := straight(n)
	for i := 0; i+40 < n; i += 4 {
		insns[i] = bytecode.Insn{Code: 0x55, Dst: 1, Off: 32}
	}
	return insns
}

// loops returns n slots with jumps forward and backward and exits among them.
func loops(n int) []bytecode.Insn {
	insns := straight(n)
	for i := 64; i+64 < n; i += 16 {
		insns[i] = bytecode.Insn{Code: 0x1d, Dst: 1, Src: 2, Off: -30}
		insns[i+3] = bytecode.Insn{Code: 0x05, Off: 20}
		insns[i+9] = bytecode.Insn{Code: bytecode.CodeExit}
	}
	return insns
}

// BenchmarkCompile measures time per slot, which should not depend on size.
func BenchmarkCompile(b *testing.B) {
	shapes := []struct {
		name string
		make func(int) []bytecode.Insn
	}{{"straight", straight}, {"chain", chain}, {"loops", loops}}
	prof, err := jit.LookupProfile(jit.DefaultProfile)
	if err != nil {
		b.Fatal(err)
	}
	for _, s := range shapes {
		for _, n := range []int{10_000, 100_000, 1_000_000} {
			p := &jit.Program{Insns: s.make(n)}
			p.Funcs = []jit.Func{{Start: 0, End: bytecode.PC(len(p.Insns)), StackDepth: 16}}
			b.Run(fmt.Sprintf("%s/%d", s.name, n), func(b *testing.B) {
				b.ReportAllocs()
				walks := 0
				for b.Loop() {
					img, err := jit.Compile(p, prof)
					if err != nil {
						b.Fatal(err)
					}
					walks = img.Funcs[0].Walks
				}
				slots := float64(b.N) * float64(n)
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/slots, "ns/slot")
				b.ReportMetric(float64(walks), "walks")
			})
		}
	}
}
