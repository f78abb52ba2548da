package cfg

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// shapes are families of graphs that grow, among them ones that common
// algorithms are quadratic on.
var shapes = []struct {
	name string
	make func(n int) *Graph
}{
	{"chain", func(n int) *Graph {
		var links []link
		for b := range n - 1 {
			links = append(links, link{b, b + 1})
		}
		return shaped(n, links)
	}},
	{"diamonds", func(n int) *Graph {
		var links []link
		for b := 0; b+3 < n; b += 3 {
			links = append(links, link{b, b + 1}, link{b, b + 2}, link{b + 1, b + 3}, link{b + 2, b + 3})
		}
		return shaped(n, links)
	}},
	{"nest", func(n int) *Graph { // loops n/2 deep
		var links []link
		for b := range n - 1 {
			links = append(links, link{b, b + 1})
			if b > n/2 {
				links = append(links, link{b, n - b})
			}
		}
		return shaped(n, links)
	}},
	{"ladder", func(n int) *Graph { // two chains with rungs both ways: irreducible, slow for iteration
		links := []link{{0, 1}, {0, 2}}
		for b := 1; b+3 < n; b += 2 {
			links = append(links, link{b, b + 2}, link{b + 1, b + 3}, link{b + 3, b}, link{b + 2, b + 1})
		}
		return shaped(n, links)
	}},
	{"fan", func(n int) *Graph { // a switch in a loop
		var links []link
		for b := 1; b < n; b++ {
			links = append(links, link{0, b}, link{b, 0})
		}
		return shaped(n, links)
	}},
	{"random", func(n int) *Graph {
		return shaped(n, randomLinks(rand.New(rand.NewPCG(1, 2)), n, 2))
	}},
}

// big makes a program of n slots like compiled code: arithmetic, a conditional
// jump about every six slots, some of them back, subprograms of 1000 slots with
// calls, a gotox with 16 targets in each.
func big(n int) (*bytecode.Program, *Targets) {
	r := rand.New(rand.NewPCG(7, uint64(n)))
	const sub = 1000
	code := make([]bytecode.Insn, n)
	var starts []bytecode.PC
	t := &Targets{}
	for pc := range code {
		at := pc % sub
		switch left := min(sub-at, n-pc) - 1; {
		case left == 0:
			code[pc] = exit
		case at == 500 && left > 100:
			code[pc] = gotox(1)
			for i := range 16 {
				t.Add(bytecode.PC(pc), bytecode.PC(pc+1+i*3))
			}
		case at == 700:
			code[pc] = call(int32(r.IntN(1+n/sub)*sub%n - pc - 1))
		case r.IntN(6) == 0:
			code[pc] = jeq(int16(r.IntN(min(left, 40))))
		case r.IntN(40) == 0:
			code[pc] = jeq(int16(-r.IntN(min(at, 60) + 1)))
		default:
			code[pc] = nop
		}
		if at == 0 && pc > 0 {
			starts = append(starts, bytecode.PC(pc))
		}
	}
	return program(code, starts...), t
}

func benchmark(b *testing.B, f func(n int) func()) {
	for _, n := range []int{10_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			run := f(n)
			b.ReportAllocs()
			for b.Loop() {
				run()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/slot")
		})
	}
}

func BenchmarkBuild(b *testing.B) {
	benchmark(b, func(n int) func() {
		p, t := big(n)
		return func() {
			if _, err := Build(p, t); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// benchmarkOn measures an algorithm on compiled code and on the shapes.
func benchmarkOn(b *testing.B, f func(g *Graph)) {
	b.Run("code", func(b *testing.B) {
		benchmark(b, func(n int) func() {
			g, err := Build(big(n))
			if err != nil {
				b.Fatal(err)
			}
			return func() { f(g) }
		})
	})
	for _, s := range shapes {
		b.Run(s.name, func(b *testing.B) {
			benchmark(b, func(n int) func() {
				g := s.make(n)
				return func() { f(g) }
			})
		})
	}
}

func BenchmarkDominators(b *testing.B) { benchmarkOn(b, func(g *Graph) { Dominators(g) }) }
func BenchmarkLoops(b *testing.B)      { benchmarkOn(b, func(g *Graph) { Loops(g) }) }
func BenchmarkReachable(b *testing.B)  { benchmarkOn(b, func(g *Graph) { ReachableStatic(g) }) }
func BenchmarkOrder(b *testing.B)      { benchmarkOn(b, func(g *Graph) { ReversePostorder(g) }) }
