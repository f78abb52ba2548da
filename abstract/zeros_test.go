package abstract

import (
	"fmt"
	"testing"
)

// TestPartialStores states that a store to a part of a slot, at a known offset or not, keeps
// the order of what is known: what a joined slot says after it is true of each slot that was
// joined, and a slot that was left out because another covers it stays covered. Zeros beside a
// spilled number are the difficulty: the verifier forgets them with it.
func TestPartialStores(t *testing.T) {
	slots := someSlots()
	leq := func(a, b *Value) bool { return a.leq(b) }
	for _, op := range partialStores() {
		after := make([]*frame, len(slots))
		for i, f := range slots {
			after[i] = op.on(f)
		}
		for i, f := range slots {
			for k, g := range slots {
				if leqFrame(f, g, 0, false, false, leq) && !leqFrame(after[i], after[k], 0, false, false, leq) {
					t.Fatalf("%s: %v is covered by %v, then %v is not by %v", op.name, text(f), text(g), text(after[i]),
						text(after[k]))
				}
				j := joinFrames(f, g, (*Value).join)
				if !leqFrame(f, j, 0, false, false, leq) || !leqFrame(g, j, 0, false, false, leq) {
					t.Fatalf("%v and %v are joined to %v", text(f), text(g), text(j))
				}
				if then := op.on(j); !leqFrame(after[i], then, 0, false, false, leq) {
					t.Fatalf("%s: %v and %v are joined to %v; then %v is not covered by %v", op.name, text(f), text(g), text(j),
						text(after[i]), text(then))
				}
			}
		}
	}
}

// partialStore is a store to a part of the first slot.
type partialStore struct {
	name string
	on   func(*frame) *frame
}

func partialStores() (out []partialStore) {
	for _, k := range []byteKind{byteZero, byteMisc, byteVague} {
		for _, at := range [][2]int64{{-8, -7}, {-8, -4}, {-7, -6}, {-4, -2}, {-4, 0}, {-1, 0}} {
			out = append(out, partialStore{fmt.Sprint("fill ", at, k), func(f *frame) *frame {
				g := f.clone()
				g.fill(at[0], at[1], k)
				return g
			}})
			for _, kept := range []bool{false, true} {
				out = append(out, partialStore{fmt.Sprint("weak ", at, k, kept), func(f *frame) *frame {
					g := f.clone()
					g.weakSpills(at[0], at[1], k, kept)
					g.weak(at[0], at[1], k)
					return g
				}})
			}
		}
	}
	return out
}

// someSlots returns frames of one slot: a spilled number of some bytes or none, and other bytes.
func someSlots() (out []*frame) {
	for n := range 9 {
		vals := []*Value{nil}
		if n == 1 || n == 2 || n == 4 || n == 8 {
			vals = []*Value{unknownNumber, zeroNumber, constant(5)}
		} else if n > 0 {
			continue
		}
		for _, v := range vals {
			for kinds := range 16 {
				f := &frame{}
				s := f.at(1)
				s.val = v
				for b := range s.bytes {
					if s.bytes[b] = []byteKind{byteInvalid, byteMisc, byteZero, byteVague}[kinds>>(b/4*2)&3]; b < n {
						s.bytes[b] = byteSpill
					}
				}
				out = append(out, f)
			}
		}
	}
	return out
}

func text(f *frame) string { return fmt.Sprint(f.get(1).bytes, f.get(1).val) }

// TestOutsideText prints a slot of which a helper has written a half.
func TestOutsideText(t *testing.T) {
	f := new(frame)
	f.fill(-8, 0, byteZero)
	f.fill(-8, -4, byteOutside)
	texts := new(Facts).Texts()
	if got := texts.Text(texts.stored(f.get(1))); got != "0000mmmm" {
		t.Error(got)
	}
}
