package abstract

import "testing"

// TestJoinKeeps: what holds of one of two states that are joined, and is no fact but a
// warning, holds of the result.
func TestJoinKeeps(t *testing.T) {
	plain := &State{frames: []*frame{{}}}
	for name, s := range map[string]*State{
		"stands": {frames: []*frame{{}}, stands: true},
		"misled": {frames: []*frame{{}}, misled: true},
		"sent":   {frames: []*frame{{}}, sent: true},
		"ghosts": {frames: []*frame{{}}, ghosts: 1 << 3},
	} {
		for _, j := range []*State{joinStates(plain, s, (*Value).join), joinStates(s, plain, (*Value).join)} {
			if j.stands != s.stands || j.misled != s.misled || j.sent != s.sent || j.ghosts != s.ghosts || !j.cover {
				t.Errorf("%s: %+v", name, j)
			}
		}
	}
}

// TestCovered: a state that is misled, or has what another has not, is not covered by it.
func TestCovered(t *testing.T) {
	plain := &State{frames: []*frame{{}}, cover: true}
	for name, s := range map[string]*State{
		"misled": {frames: []*frame{{}}, cover: true, misled: true},
		"ghosts": {frames: []*frame{{}}, cover: true, ghosts: 1 << 3},
	} {
		if s.leq(plain, Verifier) || !s.leq(s.fork(), Verifier) {
			t.Errorf("%s: covered by one without, or not by one with", name)
		}
	}
	const k = sum | stale
	a, b := &Value{Alt: Alt{Kind: Number, flags: k, Off: unknown}}, &Value{Alt: Alt{Kind: Number, Off: unknown}}
	if a.leqSum(b) || !b.leqSum(a) || (&Value{delta: 3}).leqSum(b) {
		t.Error("what is left of a link is covered by nothing left")
	}
	if j := b.joinSum(a, b); j.flags&k != k {
		t.Errorf("joined with nothing left: %x", j.flags)
	}
	if j := b.joinSum(&Value{delta: 3}, b); j.flags&stale == 0 {
		t.Error("unequal distances leave nothing")
	}
}

// TestJoinLinks: numbers stay linked at a join where they are at the same distance, by a
// sum of the same width, in both states.
func TestJoinLinks(t *testing.T) {
	link := func(delta int32, add uint8) *Value { return unknownNumber.linked(1, delta, add) }
	for _, c := range []struct {
		a, b *Value
		want bool
	}{
		{link(0, 0), link(0, 0), true},
		{link(4, 64), link(4, 64), true},
		{link(4, 64), link(8, 64), false},
		{link(4, 32), link(4, 64), false},
		{link(0, 0), link(4, 64), false},
		{link(4, 64), unknownNumber, false},
		{unknownNumber, link(4, 64), false},
	} {
		m := idPairs{combine: (*Value).join}
		if j := m.join(c.a, c.b); (j.id != 0) != c.want || c.want && (j.delta != c.a.delta || j.add != c.a.add) {
			t.Errorf("%+d/%d and %+d/%d: linked %v, want %v", c.a.delta, c.a.add, c.b.delta, c.b.add, j.id != 0, c.want)
		}
	}
}

// TestPerhapsLinked: a number in a slot counts where slots stand for others, as one in a register
// does that is marked itself.
func TestPerhapsLinked(t *testing.T) {
	r := &run{a: &analyzer{cover: &covering{on: true, passes: 1}}}
	s := &State{frames: []*frame{{}}}
	s.regs[1] = unknownNumber
	s.edit(0).at(1).spillAgain(unknownNumber)
	for _, want := range []int{0, 1, 2} {
		if got := r.perhapsLinked(0, s, 0); got != want {
			t.Errorf("%d numbers may be linked, want %d: %v", got, want, s)
		}
		if s.stands {
			s.regs[1] = s.regs[1].marked()
		}
		s.stands = true
	}
}
