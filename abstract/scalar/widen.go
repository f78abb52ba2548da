package scalar

import (
	"math"
	"math/bits"

	"github.com/bpfcfg/bpfcfg/abstract/arc"
	"github.com/bpfcfg/bpfcfg/abstract/tnum"
)

// stops are the ends to which Widen always considers to move: the limits of
// the integer types, signed and unsigned.
var stops = [...]uint64{
	0, math.MaxInt8, math.MaxUint8, math.MaxInt16, math.MaxUint16, math.MaxInt32, math.MaxUint32, math.MaxInt64,
	1 << 63, ^uint64(math.MaxInt32), ^uint64(math.MaxInt16), ^uint64(math.MaxInt8), math.MaxUint64,
}

// Widen returns a set that includes old and new, part by part, for use at a
// loop head: a part that grows beyond old grows far. An end of an arc moves to
// the next threshold outside, so that a loop up to n with n among the
// thresholds is found to end there; pass the constants that the loop compares
// with, and their neighbours. The limits of the integer types are thresholds,
// too.
//
// In a chain old = Widen(old, new), whatever new is, each arc grows at most
// once for each threshold it does not yet hold and once more, and Var at most
// 64 times, in practice 4: a bit that becomes unknown takes those above along,
// to the end of its byte, half-word, word or register. Hence the chain changes
// at most 2(n+13)+2+64 times for n thresholds. The result must be stored as it
// is: reducing it could undo the widening.
func Widen(old, new S, thresholds ...uint64) S {
	switch {
	case old.Empty():
		return new
	case new.Leq(old):
		return old
	}
	s := Join(old, new)
	s.R64 = widenArc(old.R64, s.R64, thresholds)
	s.R32 = widenArc(old.R32, s.R32, thresholds)
	s.Var = widenBits(old.Var, s.Var)
	return s
}

// widenArc moves the ends of grown, which includes old, outwards to the next
// threshold each, if they are not those of old.
func widenArc[T uint32 | uint64](old, grown arc.Arc[T], thresholds []uint64) arc.Arc[T] {
	if grown == old || grown.IsFull() {
		return grown
	}
	down, up := ^T(0), ^T(0) // steps outwards
	consider := func(t T) {
		down = min(down, grown.Base-t)
		up = min(up, t-grown.Last())
	}
	for _, t := range stops {
		consider(T(t))
	}
	for _, t := range thresholds {
		consider(T(t))
	}
	if grown.Base == old.Base {
		down = 0
	}
	if grown.Last() == old.Last() {
		up = 0
	}
	room := ^T(0) - grown.Size // steps to the full arc
	if down > room || up > room-down {
		return arc.Full[T]()
	}
	return arc.URange(grown.Base-down, grown.Last()+up)
}

// widenBits makes all bits unknown from the lowest bit that has become unknown to the end of the
// unit that the highest one lies in.
func widenBits(old, grown tnum.T) tnum.T {
	fresh := grown.Mask &^ old.Mask
	if fresh == 0 {
		return grown
	}
	end := 64
	for _, unit := range [...]int{32, 16, 8} {
		if bits.Len64(grown.Mask) <= unit {
			end = unit
		}
	}
	mask := grown.Mask | ^uint64(0)>>(64-end)&^(fresh&-fresh-1)
	return tnum.T{Value: grown.Value &^ mask, Mask: mask}
}
