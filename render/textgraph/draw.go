package textgraph

import (
	"bufio"
	"strconv"
	"strings"

	"github.com/bpfcfg/bpfcfg/internal/visible"
	"github.com/bpfcfg/bpfcfg/render"
)

// drawing is a graph that is being drawn.
type drawing struct {
	w   *bufio.Writer
	s   *render.Scene
	opt Options
	set *set

	out, in  [][]int // edges by block
	wires    []wire
	drawn    []bool   // edges that have a line
	at       [][]int  // lines that leave or come in, by place
	lanes    []int    // number of lanes of each function
	cases    []string // values of indirect jumps that lead to a block
	slotCols int

	lane  []int  // line in each lane of the row, -1 for none
	cells []cell // of the row
}

// cell is a character with its colour.
type cell struct {
	r      rune
	colour string
}

// prepare decides where the lines go.
func (d *drawing) prepare() {
	n := len(d.s.Blocks)
	d.out, d.in = make([][]int, n), make([][]int, n)
	for i := range d.s.Edges {
		e := &d.s.Edges[i]
		d.out[e.From] = append(d.out[e.From], i)
		if e.To != render.Outside {
			d.in[e.To] = append(d.in[e.To], i)
		}
	}
	d.wires = wires(d.s, d.out)
	giveLanes(d.wires, 2*n, min(max((d.opt.Width-textWidth)/2, 1), mostLanes))
	d.drawn = make([]bool, len(d.s.Edges))
	d.at = make([][]int, 2*n)
	d.lanes = make([]int, len(d.s.Funcs))
	most := 0
	for i := range d.wires {
		w := &d.wires[i]
		if w.lane < 0 {
			continue
		}
		f := d.s.Blocks[d.s.Edges[w.edges[0]].From].Func
		d.lanes[f] = max(d.lanes[f], w.lane+1)
		most = max(most, w.lane+1)
		for _, e := range w.edges {
			d.drawn[e] = true
			d.meet(tailOf(d.s.Edges[e].From), i)
			d.meet(headOf(d.s.Edges[e].To), i)
		}
	}
	d.lane = make([]int, most)
	for i := range d.lane {
		d.lane[i] = -1
	}
	d.labels()
}

// meet records that a line ends at a place.
func (d *drawing) meet(place, wire int) {
	if at := d.at[place]; len(at) == 0 || at[len(at)-1] != wire {
		d.at[place] = append(at, wire)
	}
}

// labels collects the values of indirect jumps by target, and how wide the numbers
// of slots are.
func (d *drawing) labels() {
	d.cases = make([]string, len(d.s.Blocks))
	for i := range d.s.Edges {
		e := &d.s.Edges[i]
		if e.Kind != render.Indirect || e.To == render.Outside || e.Label == "" || e.Dead {
			continue
		}
		label := visible.Text(e.Label)
		switch c := &d.cases[e.To]; {
		case *c == "":
			*c = label
		case *c != label && len(*c) < 200:
			*c += "; " + label
		}
	}
	d.slotCols = 3
	for i := range d.s.Blocks {
		if l := d.s.Blocks[i].Lines; len(l) > 0 {
			d.slotCols = max(d.slotCols, len(strconv.Itoa(l[len(l)-1].Slot)))
		}
	}
}

// function prints the head of a function.
func (d *drawing) function(f int) {
	fn := d.s.Funcs[f]
	name := visible.Text(fn.Name)
	if name == "" {
		name = "function " + strconv.Itoa(f)
	}
	if fn.Note != "" {
		name += " (" + visible.Text(fn.Note) + ")"
	}
	if f > 0 {
		d.print("\n")
	}
	d.text(d.fit(name, d.opt.Width-1)+":", boldText)
	d.print("\n")
}

// block prints a block and what follows it.
func (d *drawing) block(b int) {
	blk := &d.s.Blocks[b]
	f := blk.Func
	cols := d.opt.Width - 2*d.lanes[f] - 2
	rows := d.rows(b, cols)
	var through *render.Edge
	for _, i := range d.out[b] {
		if e := &d.s.Edges[i]; falls(d.s, e) {
			through = e
		}
	}
	side, top := d.set.side, d.set.top
	if !blk.Reachable {
		side, top = d.set.dead, d.set.deadTop
	}
	for i, r := range rows {
		border := side
		switch {
		case i == 0:
			border = top
		case r.leaves && len(d.at[tailOf(b)]) > 0:
			border = d.set.leaves
			if i+1 == len(rows) && through == nil {
				border = d.set.last
			}
		case i+1 == len(rows) && through == nil && blk.Reachable:
			border = d.set.foot
		}
		switch {
		case i == 0:
			d.gutter(f, headOf(b), d.set.head)
		case r.leaves:
			d.gutter(f, tailOf(b), 0)
		default:
			d.gutter(f, -1, 0)
		}
		d.line(cell{r: border}, r)
	}
	if b+1 == len(d.s.Blocks) || d.s.Blocks[b+1].Func != f {
		return
	}
	d.gutter(f, -1, 0)
	switch {
	case through == nil:
		d.line(cell{r: ' '}, row{})
	case through.Dead:
		d.line(cell{d.set.dies, styleColour[dead]}, row{})
	default:
		d.line(cell{d.set.falls, fallColour}, row{})
	}
}

// gutter makes the cells of the lanes of a row. At a place, lines come in and leave; head is the
// character at the right, 0 for the end of the line.
func (d *drawing) gutter(f, place int, head rune) {
	n := d.lanes[f]
	d.cells = d.cells[:0]
	var joins uint32 // lanes of the lines that end at the place
	across := none
	if place >= 0 {
		for _, i := range d.at[place] {
			w := &d.wires[i]
			d.lane[w.lane] = i
			joins |= 1 << w.lane
			if across == none {
				across = w.style
			} else if across != w.style {
				across = jump
			}
		}
	}
	for l := n - 1; l >= 0; l-- {
		d.laneCells(l, place, joins, across)
	}
	switch {
	case joins == 0:
		d.cells = append(d.cells, cell{r: ' '})
	case head != 0:
		d.cells = append(d.cells, cell{head, styleColour[across]})
	default:
		d.cells = append(d.cells, cell{d.set.horizontal[across], styleColour[across]})
	}
	for l := range n {
		if i := d.lane[l]; i >= 0 && place >= d.wires[i].hi {
			d.lane[l] = -1
		}
	}
}

// laneCells makes the two cells of a lane: its line, and the way to the next lane.
func (d *drawing) laneCells(l, place int, joins uint32, across style) {
	outer := joins>>(l+1) != 0 // a line passes from the left
	here := joins>>l&1 != 0
	i := d.lane[l]
	var c cell
	switch {
	case i < 0 && outer:
		c = cell{d.set.horizontal[across], styleColour[across]}
	case i < 0:
		c = cell{r: ' '}
	case !here && !outer:
		c = cell{d.set.vertical[d.wires[i].style], styleColour[d.wires[i].style]}
	default:
		w := &d.wires[i]
		a := right
		if outer {
			a |= left
		}
		if !here || w.lo < place {
			a |= up
		}
		if !here || w.hi > place {
			a |= down
		}
		c = cell{d.set.corner(a, w.style.weight(), across.weight(), !here), styleColour[w.style]}
	}
	next := cell{r: ' '}
	if outer || here {
		next = cell{d.set.horizontal[across], styleColour[across]}
	}
	d.cells = append(d.cells, c, next)
}

// line prints the cells of a row, a border and a text.
func (d *drawing) line(border cell, r row) {
	cells := append(d.cells, border)
	if r.text == "" {
		for len(cells) > 0 && cells[len(cells)-1].r == ' ' {
			cells = cells[:len(cells)-1]
		}
	}
	for i := 0; i < len(cells); {
		j := i
		var run strings.Builder
		for ; j < len(cells) && cells[j].colour == cells[i].colour; j++ {
			run.WriteRune(cells[j].r)
		}
		d.text(run.String(), cells[i].colour)
		i = j
	}
	d.text(r.text, r.colour)
	d.print("\n")
}

// print prints. The buffer keeps the first error until Flush.
func (d *drawing) print(s string) { _, _ = d.w.WriteString(s) }

// text prints a text in a colour.
func (d *drawing) text(s, colour string) {
	if s == "" {
		return
	}
	if !d.opt.Colour || colour == "" {
		d.print(s)
		return
	}
	d.print("\x1b[" + colour + "m" + s + "\x1b[m")
}

// legend prints the signs that the drawing has.
func (d *drawing) legend() {
	var used [styles]bool
	falling, stopping := false, false
	for i := range d.s.Edges {
		e := &d.s.Edges[i]
		switch {
		case d.drawn[i]:
			used[styleOf(e)] = true
		case falls(d.s, e) && e.Dead:
			stopping = true
		case falls(d.s, e):
			falling = true
		}
	}
	gap := false
	item := func(on bool, sign, what, colour string) {
		if !on {
			return
		}
		if gap {
			d.print("   ")
		}
		d.text(sign, colour)
		d.print(" " + what)
		gap = true
	}
	item(falling, string(d.set.falls), "fall-through", fallColour)
	for st, what := range [styles]string{"", "taken", "goto", "indirect", "never taken", "taken, back", "goto, back",
		"unwinds, with an exception"} {
		h, v := d.set.horizontal[st], d.set.vertical[st]
		item(used[st], string([]rune{v, h, h, d.set.head}), what, styleColour[st])
	}
	item(stopping, string(d.set.dies), "never falls through", styleColour[dead])
	if gap {
		d.print("\n\n")
	}
}
