package layered

import (
	"cmp"
	"slices"
)

// The width of rows decides how a drawing looks, and only the drawing shows how: a switch in one
// row makes it wide and leaves the room above and below it empty; one in six rows makes it high. So
// small graphs are drawn with rows of several widths.

// narrower are the widths of rows that are tried beside the default, in hundredths of it.
var narrower = [...]int{75, 60, 45}

// maxTried is the number of boxes and edges up to which widths are tried.
const maxTried = 300

// maxTall is how many times higher than wide a drawing may get by narrower rows.
const maxTall = 2

// plan is the input of a drawing, whatever the width of rows.
type plan struct {
	g    Graph
	opt  Options
	d    *tree
	gr   *groups
	idom []int
}

func newPlan(g Graph, opt Options) *plan {
	d := search(g)
	idom := immediate(g, d)
	return &plan{g: g, opt: opt, d: d, gr: findGroups(g, d, findLoops(g, d), idom), idom: idom}
}

// ranks assigns rows of a width.
func (p *plan) ranks(width int) []int {
	return assignRanks(p.g, p.d, p.gr, p.idom, width, p.opt.NodeGap)
}

// best draws the graph with rows of the default width and, if it is small, of others. A
// narrower drawing is chosen if it takes less area and is about as easy to follow.
func (p *plan) best(w *work, fixed bool) (Placement, error) {
	ranks := p.ranks(p.opt.MaxWidth)
	first, err := inRows(p, ranks, w)
	if err != nil {
		return first, err
	}
	inFirst := first.area()
	p.compact(&first)
	if fixed || len(p.g.Nodes)+len(p.g.Edges) > maxTried {
		return first, nil
	}
	seen := [][]int{ranks}
	chosen, limit := first, first.effort()
	quiet := &work{ctx: w.ctx}
	for _, percent := range narrower {
		ranks := p.ranks(p.opt.MaxWidth * percent / 100)
		if slices.ContainsFunc(seen, func(r []int) bool { return slices.Equal(r, ranks) }) {
			continue
		}
		seen = append(seen, ranks)
		q, err := inRows(p, ranks, quiet)
		if err != nil {
			return q, err
		}
		// Compacting changes neither crossings nor turns, and takes as long as all earlier steps.
		if e := q.effort(); q.area()*10 > inFirst*11 || !(effort{e.crossings, e.turns, 0}).within(limit) {
			continue
		}
		p.compact(&q)
		low := q.H <= max(first.H, maxTall*q.W)
		if low && q.area() < chosen.area() && q.effort().within(limit) {
			chosen = q
		}
	}
	return chosen, nil
}

func (p *Placement) area() int { return p.W * p.H }

// compact makes a drawing in rows as low and narrow as it can be.
func (p *plan) compact(q *Placement) {
	tighten(p.g, q, p.opt)
	squeeze(p.g, q, p.opt)
	tighten(p.g, q, p.opt) // narrower parts can move farther up
}

// effort measures how hard the lines of a drawing are to follow. Lines that edges share count once.
type effort struct{ crossings, turns, length int }

// within reports whether an effort is at most a tenth greater than another in each part.
func (e effort) within(o effort) bool {
	return e.crossings*10 <= o.crossings*11 && e.turns*10 <= o.turns*11 && e.length*10 <= o.length*11
}

// effort measures a drawing.
func (p *Placement) effort() effort {
	var e effort
	var level, upright []line
	for i := range p.Routes {
		r := &p.Routes[i]
		for k := r.First + 1; k <= r.Last && k < len(r.Points); k++ {
			a, b := r.Points[k-1], r.Points[k]
			e.length += abs(a.X-b.X) + abs(a.Y-b.Y)
			if k > 1 {
				e.turns++
			}
			if a.X == b.X {
				upright = append(upright, line{a.X, min(a.Y, b.Y), max(a.Y, b.Y), i})
			} else {
				level = append(level, line{a.Y, min(a.X, b.X), max(a.X, b.X), i})
			}
		}
	}
	slices.SortFunc(level, func(a, b line) int { return cmp.Compare(a.at, b.at) })
	for _, u := range upright {
		from, _ := slices.BinarySearchFunc(level, u.lo+1, func(l line, y int) int { return cmp.Compare(l.at, y) })
		for _, l := range level[from:] {
			if l.at >= u.hi {
				break
			}
			if l.lo < u.at && u.at < l.hi {
				e.crossings++
			}
		}
	}
	return e
}
