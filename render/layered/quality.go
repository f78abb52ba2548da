package layered

import (
	"cmp"
	"slices"
)

// Quality measures a placement. The first three must be zero.
type Quality struct {
	Overlaps   int // pairs of boxes that overlap
	Through    int // lines that touch a box other than at their own ends
	Slanted    int // lines that are neither level nor upright
	Conflicts  int // places where lines of different trunks run over each other
	Crossings  int // crossings of lines of different trunks
	Bends      int // corners, each trunk's lines counted for each edge
	Length     int // total length of the lines in pixels
	Given      int // edges without a route
	Straightly int // Straight edges that have no bend
}

// Measure checks a placement and counts what makes it hard to read. It
// compares all lines with each other: for tests, not for large graphs.
func Measure(g Graph, p Placement) Quality {
	var q Quality
	q.Overlaps = overlaps(g, p)
	var level, upright []line
	for i, r := range p.Routes {
		if r.Points == nil {
			q.Given++
			continue
		}
		q.Bends += len(r.Points) - 2
		if g.Edges[i].Straight && len(r.Points) == 2 {
			q.Straightly++
		}
		for k := 1; k < len(r.Points); k++ {
			a, b := r.Points[k-1], r.Points[k]
			q.Length += abs(a.X-b.X) + abs(a.Y-b.Y)
			switch {
			case a.X == b.X:
				upright = append(upright, line{a.X, min(a.Y, b.Y), max(a.Y, b.Y), i})
			case a.Y == b.Y:
				level = append(level, line{a.Y, min(a.X, b.X), max(a.X, b.X), i})
			default:
				q.Slanted++
			}
		}
	}
	q.Through = through(g, p, level, upright)
	q.Conflicts = runOver(g, level) + runOver(g, upright)
	for _, a := range level {
		for _, b := range upright {
			if !together(g, a.edge, b.edge) && a.lo < b.at && b.at < a.hi && b.lo < a.at && a.at < b.hi {
				q.Crossings++
			}
		}
	}
	return q
}

// line is a level or upright line at a coordinate, from lo to hi.
type line struct{ at, lo, hi, edge int }

// together reports whether two edges may share lines.
func together(g Graph, i, j int) bool {
	a, b := g.Edges[i], g.Edges[j]
	return i == j || a.Fan && b.Fan && a.From == b.From ||
		!a.Fan && !b.Fan && a.To == b.To && a.Class == b.Class && a.Class > 0
}

func overlaps(g Graph, p Placement) int {
	n := 0
	for i := range g.Nodes {
		for j := range i {
			a, b := p.Nodes[i], p.Nodes[j]
			if a.X < b.X+g.Nodes[j].W && b.X < a.X+g.Nodes[i].W && a.Y < b.Y+g.Nodes[j].H && b.Y < a.Y+g.Nodes[i].H {
				n++
			}
		}
	}
	return n
}

// through counts lines that touch boxes: those of other edges anywhere, the
// first and last of an edge elsewhere than at their ends.
func through(g Graph, p Placement, level, upright []line) int {
	n := 0
	for v, at := range p.Nodes {
		x0, y0, x1, y1 := at.X, at.Y, at.X+g.Nodes[v].W, at.Y+g.Nodes[v].H
		for _, l := range level {
			if y0 <= l.at && l.at <= y1 && l.lo <= x1 && x0 <= l.hi {
				n++
			}
		}
		for _, l := range upright {
			e := g.Edges[l.edge]
			if x0 > l.at || l.at > x1 || l.lo > y1 || y0 > l.hi {
				continue
			}
			if e.From == v && l.lo == y1 || e.To == v && l.hi == y0 {
				continue
			}
			n++
		}
	}
	return n
}

// runOver counts pairs of lines of edges that may not share any, and do.
func runOver(g Graph, lines []line) int {
	slices.SortFunc(lines, func(a, b line) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.lo, b.lo)) })
	n := 0
	for i, a := range lines {
		for _, b := range lines[i+1:] {
			if b.at != a.at || b.lo >= a.hi {
				break
			}
			if !together(g, a.edge, b.edge) {
				n++
			}
		}
	}
	return n
}
