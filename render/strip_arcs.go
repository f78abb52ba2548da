package render

import (
	"cmp"
	"slices"

	"github.com/bpfcfg/bpfcfg/render/layered"
)

// rail is the line that the jumps of one kind to one target share in a column.
type rail struct {
	column int
	jumps  []int // by their offset; none where jumps from other columns come in
	end    int   // y of the target, or of the edge of the column on the way there
	lo, hi int   // y of both ends
	leaves bool  // the target is in another column
	first  int   // a jump of the rail
}

// widen makes the rail reach a height.
func (r *rail) widen(y int) { r.lo, r.hi = min(r.lo, y), max(r.hi, y) }

// rails groups the jumps that have arcs, shortest rails first.
func (st *Strip) rails(s *Scene) []rail {
	type key struct {
		to, style, column int
		from              int // -1 above, 1 below the column of the target, 0 in it
	}
	at := map[key]int{}
	var rs []rail
	add := func(k key, r rail) *rail {
		i, ok := at[k]
		if !ok {
			i = len(rs)
			at[k] = i
			rs = append(rs, r)
		}
		return &rs[i]
	}
	tabled := s.tabledJumps()
	for i, j := range s.Image.Jumps {
		if tabled[i] {
			continue
		}
		from, to := st.columnOf(j.From), st.columnOf(j.To)
		k := key{to: j.To, style: kindStyle(j.Kind), column: from}
		end := st.edge(from, to, j.To)
		r := add(k, rail{column: from, end: end, lo: end, hi: end, leaves: from != to, first: i})
		r.jumps = append(r.jumps, i)
		r.widen(st.at(j.From))
		if from != to {
			k.column, k.from = to, cmp.Compare(from, to)
			y := st.at(j.To)
			add(k, rail{column: to, end: y, lo: y, hi: y, first: i}).widen(st.edge(to, from, j.To))
		}
	}
	for _, r := range rs {
		slices.SortStableFunc(r.jumps, func(a, b int) int {
			return cmp.Compare(s.Image.Jumps[a].From, s.Image.Jumps[b].From)
		})
	}
	slices.SortStableFunc(rs, func(a, b rail) int { return cmp.Compare(a.hi-a.lo, b.hi-b.lo) })
	return rs
}

// columnGap is the space between two columns of a strip.
const columnGap = 24

// placeArcs draws the jumps on the right of each column, and returns the right side of
// all. Those of one kind to one target run together on a rail, because fifty separate lines to one
// exit could not be read; short rails are near the strip, longer ones around them. Jumps
// for which maxLanes are not enough have no line.
//
// An indirect jump by way of a table has no arc: it has a line to the table,
// whose rows point to the targets.
func (st *Strip) placeArcs(s *Scene) (right int) {
	st.Arcs = make([]Arc, len(s.Image.Jumps))
	all := st.rails(s)
	right = st.X
	for c := range max(1, len(st.Columns)) {
		if c > 0 {
			right += columnGap
		}
		if len(st.Columns) > 0 {
			st.Columns[c].X = right
		}
		var rs []rail
		for _, r := range all {
			if r.column == c {
				rs = append(rs, r)
			}
		}
		right += st.W
		right += st.placeRails(s, rs, right)
	}
	return right
}

// placeRails draws the jumps of a column whose right side is x, and returns the width taken.
func (st *Strip) placeRails(s *Scene, rs []rail, x int) int {
	places, scale := st.H+2*edgeRoom+9, 0
	for places>>scale > 1<<16 {
		scale++
	}
	lanes := layered.NewTracks(places>>scale + 1)
	lane, used := make([]int, len(rs)), 0
	for i, r := range rs {
		lo, hi := r.lo-st.Y+edgeRoom, r.hi-st.Y+edgeRoom+8 // 8: lines in one lane stay apart
		lane[i] = lanes.Place(lo>>scale, hi>>scale)
		if lane[i] <= maxLanes {
			used = max(used, lane[i])
		}
	}
	laneW := 8
	if used > 12 {
		laneW = 6
	}
	for i, r := range rs {
		a := Arc{X: x, Y0: r.lo, Y1: r.end, Far: lane[i] > maxLanes, Bulge: 10 + laneW*min(lane[i], used+1),
			Stem: r.end, Leaves: r.leaves}
		if len(r.jumps) == 0 {
			if r.end == r.lo {
				a.Y0 = r.hi
			}
			st.Entries = append(st.Entries, Entry{a, r.first})
		}
		for n, k := range r.jumps {
			a.Y0, a.Stem = st.at(s.Image.Jumps[k].From), a.Y1
			if next := n + 1; a.Y0 < a.Y1 && next < len(r.jumps) {
				if y := st.at(s.Image.Jumps[r.jumps[next]].From); y < a.Y1 {
					a.Stem = y
				}
			} else if a.Y0 >= a.Y1 && n > 0 {
				if y := st.at(s.Image.Jumps[r.jumps[n-1]].From); y >= a.Y1 {
					a.Stem = y
				}
			}
			st.Arcs[k] = a
		}
	}
	return 12 + laneW*(used+1)
}
