package cfg

import (
	"slices"
	"testing"
)

func TestTargets(t *testing.T) {
	var none *Targets
	if none.Of(1) != nil || none.PCs() != nil || len(none.Clone().PCs()) != 0 {
		t.Error("a nil Targets is not empty")
	}
	var s Targets
	if s.Add(3) || !s.Add(3, 7, 5, 7) || s.Add(3, 5) || !s.Add(1, 0) {
		t.Error("what is new")
	}
	old, c := s.Of(3), s.Clone()
	if !s.Add(3, 5, 6, 4, 9) || !slices.Equal(s.Of(3), pcs{4, 5, 6, 7, 9}) {
		t.Errorf("got %v", s.Of(3))
	}
	if !slices.Equal(old, pcs{5, 7}) || !slices.Equal(c.Of(3), pcs{5, 7}) {
		t.Errorf("an addition changed %v or %v", old, c.Of(3))
	}
	if !slices.Equal(s.PCs(), pcs{1, 3}) {
		t.Errorf("instructions %v", s.PCs())
	}
}
