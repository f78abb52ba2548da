package abstract

import (
	"testing"

	"github.com/bpfcfg/bpfcfg/abstract/scalar"
)

// TestLostPointer: where a pointer to the stack was lost, bytes of which nothing is known
// may hold it. So they are covered by no number, and joined with another pointer they may
// still be the lost one.
func TestLostPointer(t *testing.T) {
	misc := func(lost bool) *frame {
		f := &frame{mayHold: mayHold{localPointer: lost}}
		f.fill(-8, 0, byteMisc)
		return f
	}
	with := func(v *Value, lost bool) *frame {
		f := misc(lost)
		f.at(1).val = v
		for b := range f.at(1).bytes {
			f.at(1).bytes[b] = byteSpill
		}
		return f
	}
	leq := func(f, g *frame) bool {
		return leqFrame(f, g, 0, 0, false, false, func(v, w *Value) bool { return v.leq(w) })
	}
	if leq(misc(true), with(unknownNumber, true)) {
		t.Error("a lost pointer is covered by an unknown number")
	}
	if !leq(misc(false), with(unknownNumber, true)) || !leq(misc(true), with(anything, true)) {
		t.Error("nothing known is not covered by what says no more")
	}
	fp := pointer(Stack, 0, -16)
	for _, lost := range []bool{false, true} {
		for _, j := range []*frame{
			joinFrames(misc(lost), with(fp, false), (*Value).join), joinFrames(with(fp, false), misc(lost), (*Value).join),
			joinFrames(&frame{mayHold: mayHold{localPointer: lost}}, with(fp, false), (*Value).join),
			joinFrames(with(fp, false), &frame{mayHold: mayHold{localPointer: lost}}, (*Value).join),
		} {
			sl := j.get(1)
			if sl == nil || sl.val == nil {
				if !j.localPointer {
					t.Errorf("lost %v: the pointer is gone", lost)
				}
				continue
			}
			if !fp.leq(sl.val) || lost != anything.leq(sl.val) {
				t.Errorf("lost %v: joined with a pointer: %v", lost, sl.val)
			}
		}
	}
}

// TestStoredKind: a byte of a number of which more is held than the verifier may hold is
// perhaps 0 to it if the number may be; another is anything.
func TestStoredKind(t *testing.T) {
	of := func(f flags, s scalar.S) *Value { return &Value{Alt: Alt{Kind: Number, flags: f, Off: s}} }
	for _, c := range []struct {
		v    *Value
		want byteKind
	}{
		{constant(0), byteZero},
		{constant(1), byteMisc},
		{of(loose, scalar.Range(0, 0)), byteZero},
		{of(loose, scalar.Range(0, 8)), byteVague},
		{of(loose, scalar.Range(1, 8)), byteMisc},
		{of(0, scalar.Range(0, 8)), byteMisc},
		{pointer(Stack, 0, 0), byteMisc},
		{nil, byteMisc},
	} {
		if got := storedKind(c.v); got != c.want {
			t.Errorf("%v: %d, want %d", c.v, got, c.want)
		}
	}
}

// TestPartOfVagueSpill: a part of a spilled number that may be 0 to the verifier, which knows
// more of it than is known here, may be 0 to it; so it may after a 0 was perhaps stored
// there.
func TestPartOfVagueSpill(t *testing.T) {
	for _, c := range []struct {
		off  scalar.S
		want bool
	}{{scalar.Range(0, 8), true}, {scalar.Range(1, 8), false}} {
		f := &frame{}
		f.spill(1, 8, &Value{Alt: Alt{Kind: Number, flags: loose, Off: c.off}}, Verifier)
		if got := f.get(1).vague(4, 4); got != c.want {
			t.Errorf("%v: %v, want %v", f.get(1).val, got, c.want)
		}
		f.weakSpills(-8, -7, byteZero, false)
		f.weak(-8, -7, byteZero)
		if got := f.get(1).vague(4, 4); got != c.want {
			t.Errorf("%v after a store: %v, want %v", f.get(1).bytes, got, c.want)
		}
	}
}
