package abstract

import (
	"math"
	"testing"

	"github.com/bpfcfg/bpfcfg/abstract/scalar"
	"github.com/bpfcfg/bpfcfg/internal/testing/progen"
)

// TestSecondPrevails: if a number is less than a copy of itself, Linux (7.2.7 and 7.3.4 asked)
// takes both for what it knows of the second. Where the copies are perhaps linked in states that
// this one stands for, the first may so be the largest number there.
func TestSecondPrevails(t *testing.T) {
	const first, second = 3, 5
	var a progen.Asm
	a.Emit(0x95, 0, 0, 0, 0)
	p := a.Program("linked")
	g, _ := fixpoint(t, p)
	word := scalar.Range(0, math.MaxUint32)
	for _, tt := range []struct {
		name        string
		id          uint32
		own, covers bool // the largest number is one of the first's, or of those it stands for
	}{{"linked", 1, true, true}, {"perhaps linked", 0, false, true}} {
		r := &run{a: &analyzer{opt: Options{Rules: Verifier}, p: p, g: g, f: newFacts(p, g), cover: newCovering(p, g, true)}}
		r.a.prepare()
		s := &State{ids: 1}
		for _, reg := range []int{first, second} {
			s.regs[reg] = &Value{Alt: Alt{Kind: Number, Off: word, flags: stands}, id: tt.id}
		}
		c := &compare{r: r, cond: scalar.JLT, a: s.regs[first], b: s.regs[second], dst: first, src: second}
		c.refine(s, c.cond, takenSide)
		v := s.regs[first]
		held := v.held()
		if v.Off.Contains(math.MaxUint32) != tt.own || held.Contains(math.MaxUint32) != tt.covers {
			t.Errorf("%s: %v, covering %v", tt.name, v.Off, held)
		}
	}
}

// TestStanding: a joined number stands for others unless all are the same.
func TestStanding(t *testing.T) {
	small, word := number(scalar.Range(0, 15)), number(scalar.Range(0, math.MaxUint32))
	for _, tt := range []struct {
		a, b *Value
		want bool
	}{{small, word, true}, {word, small, true}, {word, word, false}, {word.linked(1, 0, 0), word, true}} {
		if v := tt.a.join(tt.b).standing(tt.a, tt.b); (v.flags&stands != 0) != tt.want {
			t.Errorf("%v and %v: %v, stands for others: %v", tt.a, tt.b, v, !tt.want)
		}
	}
}

// TestStandForFrames: where a round leaves a number narrower than the slot of the state, or bytes of which
// nothing is known, the slot stands for it, and the state is not certain; where it leaves the same, nothing changes.
func TestStandForFrames(t *testing.T) {
	small := number(scalar.Range(0, 15))
	for _, tt := range []struct {
		now, left *Value
		want      bool
	}{{nil, small, true}, {unknownNumber, small, true}, {small, small, false}, {nil, unknownNumber, false}} {
		frameOf := func(v *Value) *frame {
			s := &State{frames: []*frame{{}}}
			if v != nil {
				s.edit(0).at(1).spillAgain(v)
			}
			return s.frames[0]
		}
		s := &State{frames: []*frame{frameOf(tt.now)}}
		s.standForFrames([]*frame{frameOf(tt.left)})
		v := s.frames[0].get(1).number()
		if got := v != nil && v.flags&stands != 0; got != tt.want || s.cover != tt.want {
			t.Errorf("%v, a round leaves %v: stands for others: %v, not certain: %v", tt.now, tt.left, got, s.cover)
		}
	}
}
