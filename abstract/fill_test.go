package abstract

import (
	"math/rand/v2"
	"testing"
)

// TestFill holds fill, which exchanges groups as a whole, against filling slot by slot; frames
// that share a group with the filled one, or are filled later, keep what they have.
func TestFill(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	values := []*Value{nil, constant(5), pointer(Stack, 0, -8), anything}
	for range 2000 {
		f := new(frame)
		for range rng.IntN(20) {
			s := f.at(int16(1 + rng.IntN(maxSlots)))
			s.val = values[rng.IntN(len(values))]
			for b := range s.bytes {
				if s.bytes[b] = byteZero; s.val != nil {
					s.bytes[b] = byteSpill
				}
			}
		}
		before := snapshot(f)
		whole, pieces := f.clone(), f.clone()
		whole.at(int16(1 + rng.IntN(maxSlots))) // a group of its own
		lo := -int64(rng.IntN(stackSize/8+1)) * 8
		hi := min(lo+int64(rng.IntN(stackSize)), 0)
		k := []byteKind{byteMisc, byteZero, byteVague, byteOutside}[rng.IntN(4)]
		whole.fill(lo, hi, k)
		for at := lo; at < hi; at += 8 {
			pieces.fill(at, min(at+8, hi), k)
		}
		if snapshot(whole) != snapshot(pieces) || whole.localPointer != pieces.localPointer {
			t.Fatalf("fill(%d, %d) makes %v, slot by slot %v", lo, hi, snapshot(whole), snapshot(pieces))
		}
		whole.at(int16(1 + rng.IntN(maxSlots))).bytes[0] = byteInvalid
		again := f.clone()
		if again.fill(lo, hi, k); snapshot(again) != snapshot(pieces) {
			t.Fatalf("fill(%d, %d) makes %v after a filled frame was changed", lo, hi, snapshot(again))
		}
		if snapshot(f) != before {
			t.Fatal("the frame that shares the groups has changed")
		}
	}
}

// snapshot is all that a frame says of its slots.
func snapshot(f *frame) (out [maxSlots]slot) {
	for num, s := range f.all {
		out[num-1] = *s
	}
	return out
}

// TestDropSlots drops slots that nothing reads: a whole group, and some of one. The frame can be
// written to afterwards, and one that shares the groups keeps them.
func TestDropSlots(t *testing.T) {
	for _, live := range []slotSet{0, 1, 1 << 3, 0xff, 0xff00, 1<<9 | 1<<63} {
		s := topState()
		s.edit(0).fill(-stackSize, 0, byteZero)
		old := s.fork()
		s.edit(0).at(30) // a group of its own
		s.dropSlots(0, live)
		for num := int16(1); num <= maxSlots; num++ {
			if got, want := s.frames[0].get(num) != nil, live>>(num-1)&1 == 1; got != want {
				t.Errorf("live %#x: slot %d is there: %v", live, num, got)
			}
			if old.frames[0].get(num) == nil {
				t.Errorf("live %#x: slot %d of another state is gone", live, num)
			}
			s.edit(0).at(num).bytes[0] = byteMisc
		}
	}
}
