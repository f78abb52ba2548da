package succ_test

import (
	"fmt"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/testing/progen"
	"github.com/bpfcfg/bpfcfg/succ"
)

func benchmark(b *testing.B, p *bytecode.Program) {
	b.ReportAllocs()
	b.ReportMetric(float64(p.Len()), "insns")
	for b.Loop() {
		if _, err := succ.Resolve(p, succ.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDiamonds(b *testing.B) {
	for _, n := range []int{17, 12_800, 250_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) { benchmark(b, progen.Diamonds(n)) })
	}
}

func BenchmarkSwitches(b *testing.B) {
	for _, n := range []int{10, 1000, 18_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) { benchmark(b, progen.Switches(n, 16)) })
	}
}

func BenchmarkStraight(b *testing.B) {
	for _, n := range []int{10_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) { benchmark(b, progen.Straight(n)) })
	}
}

func BenchmarkLoops(b *testing.B) {
	for _, n := range []int{1, 1000, 80_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) { benchmark(b, progen.Loops(n, 3)) })
	}
}
