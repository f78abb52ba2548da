package abstract

import (
	"fmt"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/testing/progen"
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
				if leqFrame(f, g, 0, 0, false, false, leq) && !leqFrame(after[i], after[k], 0, 0, false, false, leq) {
					t.Fatalf("%s: %v is covered by %v, then %v is not by %v", op.name, text(f), text(g), text(after[i]),
						text(after[k]))
				}
				j := joinFrames(f, g, (*Value).join)
				if !leqFrame(f, j, 0, 0, false, false, leq) || !leqFrame(g, j, 0, 0, false, false, leq) {
					t.Fatalf("%v and %v are joined to %v", text(f), text(g), text(j))
				}
				if then := op.on(j); !leqFrame(after[i], then, 0, 0, false, false, leq) {
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

// TestMixedZeros loads bytes of a slot that were stored as zeros and others that are part of a
// spilled 0. Linux 6.12.117, 7.2.13 and 7.3.4 have told whether the result is 0 to them: by a
// refusal of what follows where it is not.
func TestMixedZeros(t *testing.T) {
	type insn struct {
		code     byte
		dst, src bytecode.Reg
		off      int16
	}
	load := func(code byte, off int16) insn { return insn{code, 2, 10, off} }
	spill := func(code byte, off int16) insn { return insn{code, 10, 1, off} }
	zero := func(code byte, off int16) insn { return insn{code, 10, 0, off} }
	for _, tt := range []struct {
		name       string
		body       []insn
		until, now bool // 0 to Linux before 7.3, and to 7.3
	}{
		{"zeros above", []insn{zero(0x62, -4), spill(0x63, -8), load(0x79, -8)}, false, true},
		{"zeros of a register above", []insn{spill(0x63, -4), spill(0x63, -8), load(0x79, -8)}, false, true},
		{"above afterwards", []insn{spill(0x63, -8), spill(0x63, -4), load(0x79, -8)}, false, false},
		{"below afterwards", []insn{zero(0x7a, -8), spill(0x73, -8), load(0x79, -8)}, false, false},
		{"nothing in between", []insn{zero(0x6a, -2), spill(0x63, -8), load(0x79, -8)}, false, false},
		{"the spilled part alone", []insn{zero(0x62, -4), spill(0x63, -8), load(0x69, -6)}, true, true},
		{"all spilled", []insn{spill(0x7b, -8), load(0x79, -8)}, true, true},
		{"a part of what is spilled", []insn{spill(0x7b, -8), load(0x61, -4)}, true, true},
		{"zeros alone", []insn{zero(0x7a, -8), load(0x61, -4)}, true, true},
	} {
		for _, old := range []bool{true, false} {
			var a progen.Asm
			a.Emit(0xb7, 1, 0, 0, 0)
			for _, in := range tt.body {
				a.Emit(in.code, in.dst, in.src, in.off, 0)
			}
			a.If(0x15, 2, 0, 0, "zero")
			at := a.PC()
			a.Emit(0xbf, 0, 9, 0, 0)
			a.Label("zero")
			a.Emit(0xb7, 0, 0, 0, 0)
			a.Emit(bytecode.CodeExit, 0, 0, 0, 0)
			_, f := fixpointOf(t, a.Program("zeros"), Options{Rules: Verifier, Quirks: Quirks{NoMixedZeros: old}})
			want := cfg.Yes
			if old && tt.until || !old && tt.now {
				want = cfg.No
			}
			if got := f.Reach(at); got != want {
				t.Errorf("%s, before 7.3 %v: what follows if it is not 0 is reached %v, want %v", tt.name, old, got, want)
			}
		}
	}
}
