package render

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// TestSpread compares with other placements that keep the gaps: none of those tried moves the
// places less.
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

// TestLanes checks that rails in the same lane do not touch, and that the legend counts the jumps
// without a lane.
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

// TestStripColumns folds a strip: pieces lie below each other in columns that do not
// overlap, jumps into another column leave theirs at its edge and come in at that of the
// other, once for each target.
func TestStripColumns(t *testing.T) {
	s := jumpScene(16_000, Jump{From: 100, To: 15_000, Kind: Taken}, Jump{From: 200, To: 15_000, Kind: Taken},
		Jump{From: 15_900, To: 40, Kind: Goto}, Jump{From: 300, To: 500, Kind: Taken})
	for o := 0; o < s.Image.Len; o += 16 {
		s.Image.Pieces = append(s.Image.Pieces, Piece{Kind: PiecePadding, Offset: o, Len: 16})
	}
	whole, err := Place(s, PlaceOptions{View: ViewLayout})
	if err != nil {
		t.Fatal(err)
	}
	l, err := Place(s, PlaceOptions{View: ViewLayout, Columns: true})
	if err != nil {
		t.Fatal(err)
	}
	st := l.Strip
	if len(st.Columns) != 3 || l.H > 4500 || whole.H < 3*st.H || len(whole.Strip.Columns) != 0 {
		t.Fatalf("%d columns, %d high, without columns %d", len(st.Columns), l.H, whole.H)
	}
	for i, p := range st.Pieces {
		c := st.Columns[st.columnOf(s.Image.Pieces[i].Offset)]
		if p.X != c.X || p.Y < c.Y || p.Y+p.H > c.Y+c.H || p.H < 11 {
			t.Fatalf("piece %d at %v, column %v", i, p, c.Rect)
		}
		if i > 0 && p.Y != st.Pieces[i-1].Y+st.Pieces[i-1].H && p.Y != c.Y {
			t.Fatalf("piece %d at %v after %v", i, p, st.Pieces[i-1])
		}
	}
	for i, c := range st.Columns[1:] {
		if before := st.Columns[i]; c.X < before.X+before.W+columnGap {
			t.Errorf("column %v after %v", c.Rect, before.Rect)
		}
	}
	first, last := st.Columns[0], st.Columns[2]
	for i, want := range []struct {
		leaves bool
		y      int
	}{{true, first.Y + first.H + edgeRoom}, {true, first.Y + first.H + edgeRoom}, {true, last.Y - edgeRoom}, {false, st.at(500)}} {
		if a := st.Arcs[i]; a.Leaves != want.leaves || a.Y1 != want.y {
			t.Errorf("jump %d: %+v, want %+v", i, a, want)
		}
	}
	var ends [][2]int
	for _, e := range st.Entries {
		ends = append(ends, [2]int{e.Y0, e.Y1})
	}
	slices.SortFunc(ends, func(a, b [2]int) int { return a[1] - b[1] })
	want := [][2]int{{first.Y + first.H + edgeRoom, st.at(40)}, {last.Y - edgeRoom, st.at(15_000)}}
	if !slices.Equal(ends, want) {
		t.Errorf("jumps come in at %v, want %v", ends, want)
	}
}

// TestTableGrid draws tables that are too high: they continue in further columns, and each row has
// a place of its own inside of the box.
func TestTableGrid(t *testing.T) {
	for _, rows := range []int{0, 1, 20, 350, 351, 1000} {
		for _, strip := range []int{200, 3000, 9000} {
			g := gridOf(rows, strip)
			if g.columns*g.rows < rows || g.height() > max(strip, minStrip) {
				t.Errorf("%d rows beside %d: %+v", rows, strip, g)
			}
			box := Rect{W: g.columns * 100, H: g.height()}
			seen := map[[2]int]bool{}
			for i := range rows {
				at := [2]int{g.column(box, i/g.rows).X, g.y(0, i)}
				if seen[at] || at[0]+100 > box.W || at[1]+g.high/2 > box.H {
					t.Fatalf("%d rows beside %d: row %d at %v", rows, strip, i, at)
				}
				seen[at] = true
			}
		}
	}
}
