package render

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// TestSpread compares with any other way to keep the gaps: none that is tried
// moves places by less.
func TestSpread(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	cost := func(a, b []int) (sum int) {
		for i := range a {
			sum += (a[i] - b[i]) * (a[i] - b[i])
		}
		return sum
	}
	for range 500 {
		n := 1 + rnd.IntN(8)
		want, gaps := make([]int, n), make([]int, n)
		for i := range n {
			want[i], gaps[i] = 1000+rnd.IntN(60*n), 5+rnd.IntN(30)
		}
		slices.Sort(want)
		got := slices.Clone(want)
		spread(got, gaps, 0, 1<<20)
		kept := func(p []int) bool {
			for i := 1; i < len(p); i++ {
				if p[i] < p[i-1]+gaps[i-1] {
					return false
				}
			}
			return true
		}
		if !kept(got) {
			t.Fatalf("%v with gaps %v: %v", want, gaps, got)
		}
		if kept(want) && !slices.Equal(got, want) {
			t.Fatalf("%v had its gaps %v, and became %v", want, gaps, got)
		}
		for range 50 {
			other := slices.Clone(got)
			for i := range other {
				other[i] += rnd.IntN(21) - 10
			}
			// Places are whole numbers: up to a pixel for each is lost.
			if kept(other) && cost(other, want)+2*n*n < cost(got, want) {
				t.Fatalf("%v with gaps %v: %v moves by less than %v", want, gaps, other, got)
			}
		}
	}
}

func TestSpreadBounds(t *testing.T) {
	p := []int{0, 0, 90, 100}
	spread(p, []int{10, 10, 10, 10}, 5, 100)
	if !slices.Equal(p, []int{5, 15, 80, 90}) {
		t.Errorf("%v", p)
	}
	p = []int{50, 50, 50}
	spread(p, []int{10, 10, 10}, 40, 60) // no room: from the top
	if !slices.Equal(p, []int{40, 50, 60}) {
		t.Errorf("%v", p)
	}
}

// jumpScene is an image of one function with jumps between its bytes.
func jumpScene(length int, jumps ...Jump) *Scene {
	s := &Scene{Image: &Image{Len: length, Funcs: []ImageFunc{{Func: -1, Len: length}}}}
	for _, j := range jumps {
		j.Edge = -1
		s.Image.Jumps = append(s.Image.Jumps, j)
	}
	return s
}

// TestRails draws fifty branches to one exit: one rail, on which each line ends
// where the next begins, and one head.
func TestRails(t *testing.T) {
	var jumps []Jump
	for i := range 50 {
		jumps = append(jumps, Jump{From: 10 + 15*i, To: 900, Kind: Taken})
	}
	jumps = append(jumps, Jump{From: 990, To: 900, Kind: Taken}, Jump{From: 500, To: 900, Kind: Goto})
	s := jumpScene(1000, jumps...)
	l, err := Place(s, PlaceOptions{View: ViewLayout})
	if err != nil {
		t.Fatal(err)
	}
	arcs := l.Strip.Arcs
	for i := range 49 {
		if arcs[i].Bulge != arcs[0].Bulge || arcs[i].Stem != arcs[i+1].Y0 {
			t.Errorf("arc %d: %+v, then %+v", i, arcs[i], arcs[i+1])
		}
	}
	if a := arcs[49]; a.Stem != a.Y1 {
		t.Errorf("the nearest has no head: %+v", a)
	}
	if a := arcs[50]; a.Stem != a.Y1 || a.Bulge != arcs[0].Bulge {
		t.Errorf("that from below has no head: %+v", a)
	}
	if arcs[51].Bulge == arcs[0].Bulge {
		t.Error("jumps of two kinds share a rail")
	}
	if n := strings.Count(string(SVG(s, l)), `<path class="a1"`); n != 3 { // with the legend's
		t.Errorf("%d heads, want 3", n)
	}
}

// TestLanes states that rails beside each other in one lane do not touch, and
// that what has no lane is counted in the legend.
func TestLanes(t *testing.T) {
	for seed := range uint64(20) {
		rnd := rand.New(rand.NewPCG(seed, 5))
		var jumps []Jump
		for range 10 + 15*seed {
			jumps = append(jumps, Jump{From: rnd.IntN(5000), To: rnd.IntN(5000), Kind: []EdgeKind{Taken, Goto}[rnd.IntN(2)]})
		}
		s := jumpScene(5000, jumps...)
		l, err := Place(s, PlaceOptions{View: ViewLayout})
		if err != nil {
			t.Fatal(err)
		}
		type span struct{ lo, hi int }
		lanes := map[int]map[string]span{}
		far := 0
		for i, a := range l.Strip.Arcs {
			if a.Far {
				far++
				continue
			}
			if lanes[a.Bulge] == nil {
				lanes[a.Bulge] = map[string]span{}
			}
			k := fmt.Sprint(jumps[i].To, jumps[i].Kind)
			sp, ok := lanes[a.Bulge][k]
			if !ok {
				sp = span{1 << 30, 0}
			}
			lanes[a.Bulge][k] = span{min(sp.lo, a.Y0, a.Y1), max(sp.hi, a.Y0, a.Y1)}
		}
		for lane, spans := range lanes {
			for k, x := range spans {
				for m, y := range spans {
					if k < m && x.lo <= y.hi && y.lo <= x.hi {
						t.Errorf("seed %d: lane %d: %s and %s overlap", seed, lane, k, m)
					}
				}
			}
		}
		said := strings.Contains(string(SVG(s, l)), fmt.Sprintf("%d further jumps of the code show on hover", far))
		if said != (far > 0) {
			t.Errorf("seed %d: %d jumps without a lane, said %v", seed, far, said)
		}
	}
}

func TestLabelLines(t *testing.T) {
	for _, c := range []struct {
		text string
		most int
		want string
		cut  bool
	}{
		{"0, 3–5", 3, "0, 3–5", false},
		{"JT.0.1[3]; JT.0.0[2, 3]", 2, "JT.0.1[3]|JT.0.0[2, 3]", false},
		{"JT.0.1[3]; JT.0.0[2, 3]", 1, "JT.0.1[3]; JT.0.0[2, 3]", false},
		{"a[1]; b[1]; c[1]", 2, "a[1]|b[1]…", true},
		{"7, 16, 21, 23, 24, 26, 27, 29–31, 35", 2, "7, 16, 21, 23, 24, 26,|27, 29–31, 35", false},
		{"7, 16, 21, 23, 24, 26, 27, 29–31, 35", 1, "7, 16, 21, 23, 24, 26,…", true},
		{strings.Repeat("x", 40), 3, strings.Repeat("x", labelCols-1) + "…", true},
	} {
		lines, cut := labelLines(c.text, c.most)
		if got := strings.Join(lines, "|"); got != c.want || cut != c.cut {
			t.Errorf("%q in %d lines: %q, cut %v", c.text, c.most, got, cut)
		}
	}
}
