package rewrite

import (
	"fmt"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/jit"
)

// longProgram makes a program of n slots in which every fourth instruction is
// patched, every fourth removed, and every eighth a jump.
func longProgram(n int) *bytecode.Program {
	insns := make([]bytecode.Insn, n)
	for i := range insns {
		switch i % 8 {
		case 0, 4:
			insns[i] = bytecode.Insn{Code: w64 | opDiv | byReg, Dst: 1, Src: 2}
		case 1, 5:
			insns[i] = bytecode.Insn{Code: bytecode.CodeGoto}
		case 2:
			insns[i] = bytecode.Insn{Code: j64 | jeq, Dst: 1, Off: 4, Imm: 9}
		default:
			insns[i] = movK(bytecode.Reg(i%6), int32(i))
		}
	}
	for i := n - 8; i < n; i++ {
		insns[i] = exit()
	}
	return program(insns...)
}

func BenchmarkPredict(b *testing.B) {
	prof, err := jit.LookupProfile("linux-7.3")
	if err != nil {
		b.Fatal(err)
	}
	for _, n := range []int{10_000, 100_000, 1_000_000} {
		p := longProgram(n)
		for _, blind := range []bool{false, true} {
			b.Run(fmt.Sprintf("slots=%d/blind=%t", n, blind), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := Predict(p, Facts{}, prof, Options{Blind: blind}); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/slot")
			})
		}
	}
}
