package scalar

import (
	"math"
	"math/rand/v2"

	"github.com/bpfcfg/bpfcfg/abstract/arc"
	"github.com/bpfcfg/bpfcfg/abstract/tnum"
)

// gen makes words and sets that lie where rules break: near the limits of the
// integer types, small, aligned, wrapping.
type gen struct{ *rand.Rand }

func newGen(seed uint64) gen { return gen{rand.New(rand.NewPCG(seed, 1))} }

// word returns a word near a limit, a small one, a single bit, or any.
func (g gen) word() uint64 {
	limits := [...]uint64{0, math.MaxInt32, 1 << 31, math.MaxUint32, 1 << 32, math.MaxInt64, 1 << 63,
		^uint64(1<<31 - 1), ^uint64(1<<32 - 1), 128, 1 << 15, 1 << 16}
	switch g.IntN(6) {
	case 0:
		return limits[g.IntN(len(limits))] + g.small() - 4
	case 1:
		return g.small()
	case 2:
		return -g.small()
	case 3:
		return 1 << g.IntN(64)
	case 4:
		return uint64(g.Uint32())
	}
	return g.Uint64()
}

func (g gen) small() uint64 { return uint64(g.IntN(12)) }

// distance returns a size of an arc, of any order of magnitude.
func (g gen) distance() uint64 {
	if g.IntN(3) == 0 {
		return 0
	}
	return g.Uint64() >> g.IntN(65)
}

// mask returns unknown bits.
func (g gen) mask() uint64 {
	switch g.IntN(7) {
	case 0:
		return 0
	case 1:
		return ^uint64(0) >> g.IntN(65)
	case 2:
		return (^uint64(0) >> g.IntN(64)) << g.IntN(64)
	case 3:
		return 1 << g.IntN(64)
	case 4:
		return g.Uint64() & g.Uint64()
	case 5:
		return uint64(g.Uint32())
	}
	return ^uint64(0)
}

// around returns an arc that holds v.
func around[T arc.Word](g gen, v T) arc.Arc[T] {
	before, after := T(g.distance()), T(g.distance())
	if after >= ^T(0)-before {
		return arc.Full[T]()
	}
	return arc.Arc[T]{Base: v - before, Size: before + after}
}

// raw returns a set that holds v, of parts that do not know of one another.
func (g gen) raw(v uint64) S {
	s := Unknown()
	if g.IntN(3) > 0 {
		m := g.mask()
		s.Var = tnum.T{Value: v &^ m, Mask: m}
	}
	if g.IntN(3) > 0 {
		s.R64 = around(g, v)
	}
	if g.IntN(3) > 0 {
		s.R32 = around(g, uint32(v))
	}
	return s
}

// set returns a set that holds v: raw, or reduced by either rule.
func (g gen) set(v uint64) S {
	s := g.raw(v)
	switch g.IntN(8) {
	case 0:
		return s
	case 1:
		return Const(v)
	case 2, 3:
		return KernelSync(s)
	}
	return reduce(s)
}

// member returns a member of s near v, which is one, or v.
func (g gen) member(s S, v uint64) uint64 {
	for i := range 6 {
		w := g.word()
		switch ends := [...]uint64{s.R64.Base, s.R64.Last()}; {
		case i < 2:
			w = ends[(i+g.IntN(2))%2]
		case g.IntN(2) == 0:
			w = s.Var.Value | s.Var.Mask&g.Uint64()
		}
		if s.Contains(w) {
			return w
		}
	}
	return v
}
