package layered

import (
	"cmp"
	"slices"
)

// pin is where a piece of a net meets the row above or below its channel.
type pin struct {
	cell int
	x    int
	// jog is the distance by which the line steps aside on the channel's first
	// track, to pass another that ends straight below; usually 0.
	jog int
}

// piece is the part of a net in one channel: a horizontal line on a track,
// with a vertical one from each pin to it. A piece with one pin above and one
// below at the same x is straight and has no track.
type piece struct {
	net   int
	tops  []pin // ends at the row above the channel
	bots  []pin // ends at the row below
	l, r  int   // extent
	track int   // from 1, downwards; 0 for a straight piece
	lane  int   // in a channel that is cut: lane of the gutter, from 1
	after int   // and the track after the cut, from 1
}

func (p *piece) straight() bool {
	return len(p.tops) == 1 && len(p.bots) == 1 && p.tops[0].x == p.bots[0].x
}

// channels is the space above, between and below the rows: channel c lies
// above row c.
type channels struct {
	c      *cells
	opt    Options
	pieces []piece
	in     [][]int // pieces of each channel
	tracks []int   // number of tracks of each channel
	jogs   []bool  // the channel needs a track for jogs
	after  []int   // number of tracks after the cut of each channel
	lanes  []int   // number of lanes in the gutter at the cut
	gutter []int   // x of that gutter
	cols   columns
	rowY   []int     // top of each row
	top    int       // from a row to its first track below, with what boxes want more
	end    int       // from the last track to the row below
	rowH   []int     // height of each row
	outX   []portMap // for each box the x at which each net leaves it
	inX    []portMap // and enters it
}

// makeChannels decides where lines meet boxes and which track each takes, and
// where the drawing is cut.
func makeChannels(c *cells, opt Options) *channels {
	ch := newChannels(c, opt, nil)
	ch.assignY()
	ch.divide()
	ch.finish()
	return ch
}

// makeChannelsCut is makeChannels with the cuts of the channels given, whose
// pieces it takes over.
func makeChannelsCut(c *cells, opt Options, whole *channels) *channels {
	ch := newChannels(c, opt, whole)
	ch.cols = whole.cols
	ch.finish()
	return ch
}

func newChannels(c *cells, opt Options, old *channels) *channels {
	n := len(c.rows) + 1
	ch := &channels{
		c: c, opt: opt, in: make([][]int, n), tracks: make([]int, n), jogs: make([]bool, n),
		after: make([]int, n), lanes: make([]int, n), gutter: make([]int, n),
	}
	ch.cols = columns{of: make([]int, n-1), cut: make([]bool, n)}
	if old != nil {
		ch.takePieces(old)
	} else {
		ch.makePieces()
	}
	ch.assignPorts()
	for i := range ch.in {
		ch.assignTracks(i)
	}
	return ch
}

// finish fixes all coordinates.
func (ch *channels) finish() {
	for k, cut := range ch.cols.cut {
		if cut {
			ch.cutTracks(k)
		}
	}
	ch.assignY()
	ch.spreadColumns()
}

// takePieces takes the pieces of channels of the same cells.
func (ch *channels) takePieces(old *channels) {
	ch.pieces, ch.in = old.pieces, old.in
	for i := range ch.pieces {
		p := &ch.pieces[i]
		p.track = 0
		for _, pins := range [2][]pin{p.tops, p.bots} {
			for j := range pins {
				pins[j].jog = 0
			}
		}
	}
}

// makePieces lists for each net and channel the cells that it meets.
func (ch *channels) makePieces() {
	c := ch.c
	count := make([]int, len(ch.in))
	all := 0
	for i := range c.nets {
		if n := &c.nets[i]; !n.given {
			all += n.chHi - n.chLo + 1
		}
	}
	ch.pieces = make([]piece, 0, all)
	for i := range c.nets {
		n := &c.nets[i]
		if n.given {
			continue
		}
		n.piece = len(ch.pieces)
		for k := n.chLo; k <= n.chHi; k++ {
			count[k]++
			ch.pieces = append(ch.pieces, piece{net: i})
		}
	}
	for k, n := range count {
		ch.in[k] = make([]int, 0, n)
	}
	for i := range ch.pieces {
		n := &c.nets[ch.pieces[i].net]
		k := n.chLo + i - n.piece
		ch.in[k] = append(ch.in[k], i)
	}
	// Of the two slices of a piece the first pins are parts of one array, with
	// room for what will be.
	tops, bots := make([]int32, len(ch.pieces)), make([]int32, len(ch.pieces))
	total := 0
	ch.eachPin(func(piece, _ int, top bool) {
		total++
		if top {
			tops[piece]++
		} else {
			bots[piece]++
		}
	})
	pins := make([]pin, total)
	part := func(n int32) []pin {
		p := pins[:0:n]
		pins = pins[n:]
		return p
	}
	for i := range ch.pieces {
		ch.pieces[i].tops, ch.pieces[i].bots = part(tops[i]), part(bots[i])
	}
	ch.eachPin(func(piece, cell int, top bool) {
		p := &ch.pieces[piece]
		if top {
			p.tops = append(p.tops, pin{cell: cell})
		} else {
			p.bots = append(p.bots, pin{cell: cell})
		}
	})
}

// eachPin calls add for each cell that a piece meets, at the row above its
// channel or below it.
func (ch *channels) eachPin(add func(piece, cell int, top bool)) {
	c := ch.c
	outOf, into := fill(len(c.g.Nodes)), fill(len(c.g.Nodes)) // last net that has the box already
	for i := range c.nets {
		n := &c.nets[i]
		if n.given {
			continue
		}
		for r := n.lo; r <= n.hi; r++ {
			add(n.piece+r-n.chLo, n.dummy(r), false)
			add(n.piece+r+1-n.chLo, n.dummy(r), true)
		}
		for _, e := range n.edges {
			from, to := c.g.Edges[e].From, c.g.Edges[e].To
			if outOf[from] != i {
				outOf[from] = i
				add(n.piece+c.cell[from].row+1-n.chLo, from, true)
			}
			if into[to] != i {
				into[to] = i
				add(n.piece+c.cell[to].row-n.chLo, to, false)
			}
		}
	}
}

// assignTracks gives the bent pieces of a channel their tracks.
//
// Whether of two pieces the one or the other is better above can be counted
// from their pins alone (B. Sander, "Layout of compound directed graphs",
// 1996; G. Sander and others call it hyperedge routing). Up to maxPairwise
// pieces are compared pair by pair; beyond that only the simple rule is used.
// A piece that ends at the x where another begins must be below it.
func (ch *channels) assignTracks(k int) {
	var bent []int
	for _, i := range ch.in[k] {
		p := &ch.pieces[i]
		p.setExtent()
		if !p.straight() {
			bent = append(bent, i)
		}
	}
	slices.SortStableFunc(bent, func(i, j int) int { return ch.pieces[i].compare(&ch.pieces[j]) })
	ch.improve(bent)
	bent = ch.respectEnds(k, bent)
	t := newExtentTracks(ch.pieces, bent)
	for _, i := range bent {
		p := &ch.pieces[i]
		p.track = t.place(p.l-grid/2, p.r+grid/2)
		ch.tracks[k] = max(ch.tracks[k], p.track)
	}
}

func (p *piece) setExtent() {
	first := true
	for _, pins := range [][]pin{p.tops, p.bots} {
		for _, q := range pins {
			if first || q.x < p.l {
				p.l = q.x
			}
			if first || q.x > p.r {
				p.r = q.x
			}
			first = false
		}
	}
	slices.SortFunc(p.tops, comparePins)
	slices.SortFunc(p.bots, comparePins)
}

func comparePins(a, b pin) int { return cmp.Compare(a.x, b.x) }

// compare is the simple rule: pieces that lead right before those that lead
// left, each starting with the ones nearest to where they lead; turns between
// lines that both go up last and those that both go down first.
func (p *piece) compare(q *piece) int {
	pc, pk := p.class()
	qc, qk := q.class()
	return cmp.Or(cmp.Compare(pc, qc), cmp.Compare(pk, qk))
}

func (p *piece) class() (class, key int) {
	switch {
	case len(p.tops) == 0:
		return 0, p.r - p.l
	case len(p.bots) == 0:
		return 3, p.l - p.r
	}
	top, bot := mean(p.tops), mean(p.bots)
	if top < bot {
		return 1, -top
	}
	return 2, top
}

func mean(pins []pin) int {
	sum := 0
	for _, p := range pins {
		sum += p.x
	}
	return sum / len(pins)
}

// maxPairwise bounds the quadratic improvement of track orders.
const maxPairwise = 200

// improve swaps neighbours in the order of tracks while that removes
// crossings.
func (ch *channels) improve(order []int) {
	if len(order) > maxPairwise {
		return
	}
	for range order {
		swapped := false
		for i := 0; i+1 < len(order); i++ {
			a, b := &ch.pieces[order[i]], &ch.pieces[order[i+1]]
			if crossingsBelow(b, a) < crossingsBelow(a, b) {
				order[i], order[i+1] = order[i+1], order[i]
				swapped = true
			}
		}
		if !swapped {
			return
		}
	}
}

// crossingsBelow counts the crossings of two pieces when a has the upper
// track: lines of b come down through a's track, lines of a go down through
// b's.
func crossingsBelow(a, b *piece) int { return within(b.tops, a.l, a.r) + within(a.bots, b.l, b.r) }

// within counts pins strictly between l and r.
func within(pins []pin, l, r int) int {
	lo, _ := slices.BinarySearchFunc(pins, l+1, func(p pin, x int) int { return cmp.Compare(p.x, x) })
	hi, _ := slices.BinarySearchFunc(pins, r, func(p pin, x int) int { return cmp.Compare(p.x, x) })
	return max(0, hi-lo)
}

// respectEnds reorders the pieces so that one whose line comes down at x is
// above one whose line goes on down at x. Where such demands form a cycle, a
// line steps aside first.
func (ch *channels) respectEnds(k int, order []int) []int {
	from := map[int]int{} // x of a top pin: its place in order
	for n, i := range order {
		for _, q := range ch.pieces[i].tops {
			from[q.x] = n
		}
	}
	waits := make([]int, len(order))
	next := make([][]int, len(order))
	any := false
	for n, i := range order {
		for _, q := range ch.pieces[i].bots {
			if m, ok := from[q.x]; ok && m != n {
				next[m] = append(next[m], n)
				waits[n]++
				any = true
			}
		}
	}
	if !any {
		return order
	}
	return ch.resolve(k, order, next, waits)
}

// resolve orders pieces by next and waits, otherwise as they are.
func (ch *channels) resolve(k int, order []int, next [][]int, waits []int) []int {
	out := make([]int, 0, len(order))
	done := make([]bool, len(order))
	var ready minHeap
	for n := range order {
		if waits[n] == 0 {
			ready.push(n)
		}
	}
	stuck := 0 // pieces before this one are done
	for len(out) < len(order) {
		var n int
		if len(ready) > 0 {
			n = ready.pop()
		} else {
			for done[stuck] {
				stuck++
			}
			n = stuck
			ch.stepAside(k, order, done, next, n)
		}
		if done[n] {
			continue
		}
		done[n] = true
		out = append(out, order[n])
		for _, m := range next[n] {
			if waits[m]--; waits[m] == 0 && !done[m] {
				ready.push(m)
			}
		}
	}
	return out
}

// stepAside jogs the lines from above that end at the x of a pin below piece
// n, whose pieces will be lower than n.
func (ch *channels) stepAside(k int, order []int, done []bool, next [][]int, n int) {
	below := map[int]bool{}
	for _, q := range ch.pieces[order[n]].bots {
		below[q.x] = true
	}
	for m := range order {
		if done[m] || m == n || !slices.Contains(next[m], n) {
			continue
		}
		p := &ch.pieces[order[m]]
		for i := range p.tops {
			if q := &p.tops[i]; below[q.x] && q.jog == 0 {
				q.jog = 3
				p.r = max(p.r, q.x+q.jog)
				ch.jogs[k] = true
			}
		}
	}
}

// minHeap is a heap of ints, least first.
type minHeap []int

func (h *minHeap) push(v int) {
	*h = append(*h, v)
	for i := len(*h) - 1; i > 0 && (*h)[(i-1)/2] > (*h)[i]; i = (i - 1) / 2 {
		(*h)[i], (*h)[(i-1)/2] = (*h)[(i-1)/2], (*h)[i]
	}
}

func (h *minHeap) pop() int {
	s := *h
	v := s[0]
	s[0] = s[len(s)-1]
	s = s[:len(s)-1]
	for i := 0; ; {
		j := 2*i + 1
		if j >= len(s) {
			break
		}
		if j+1 < len(s) && s[j+1] < s[j] {
			j++
		}
		if s[i] <= s[j] {
			break
		}
		s[i], s[j] = s[j], s[i]
		i = j
	}
	*h = s
	return v
}
