package diff

import (
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/align"
	"github.com/bpfcfg/bpfcfg/internal/shape"
	"github.com/bpfcfg/bpfcfg/jit/layout"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
)

// version is one side of a program, with the keys for matching its blocks.
type version struct {
	a     *pipeline.Analysis
	exact []uint64 // of each block, its instructions
	ops   []uint64 // its operations
	src   []uint64 // its C text, 0 for none
	bytes []int    // of machine code, -1 when that is not known
	to    []cfg.BlockID
	texts map[uint64]bool // all of src
}

// newVersion hashes the blocks of a program.
func newVersion(a *pipeline.Analysis) *version {
	n := len(a.Graph.Blocks)
	v := &version{a: a, exact: make([]uint64, n), ops: make([]uint64, n), src: make([]uint64, n), bytes: make([]int, n),
		to: make([]cfg.BlockID, n), texts: map[uint64]bool{}}
	for i, b := range a.Graph.Blocks {
		v.exact[i] = shape.Exact(a.Program, b.Start, b.End)
		v.ops[i] = shape.Ops(a.Program, b.Start, b.End)
		v.to[i] = cfg.NoBlock
		v.bytes[i] = -1
		if l, ok := a.Program.LineAt(b.Start); ok {
			v.src[i] = shape.String(strings.TrimSpace(l.Text))
			v.texts[v.src[i]] = true
		}
	}
	if a.Image == nil {
		return v
	}
	clear(v.bytes)
	for _, p := range layout.Of(a.Graph, a.Rewrite.Xlated, a.Rewrite.Program.Funcs, a.Image).Pieces {
		if p.Block != cfg.NoBlock {
			v.bytes[p.Block] += p.Len
		}
	}
	return v
}

// matcher finds the blocks of two versions that belong together.
type matcher struct {
	old, new *version
	funcs    []align.Pair // subprograms
	inOrder  []bool       // of each new block: paired by its place in the order
	moved    []bool       // of each new block: out of order
}

func newMatcher(old, new *pipeline.Analysis) *matcher {
	m := &matcher{old: newVersion(old), new: newVersion(new)}
	m.inOrder = make([]bool, len(new.Graph.Blocks))
	m.moved = make([]bool, len(new.Graph.Blocks))
	return m
}

// match goes from the strongest evidence to the weakest. Each pass works between the pairs of
// earlier passes, in order, so that a block is not confused with one elsewhere.
func (m *matcher) match() {
	m.matchFuncs()
	keys := []func(v *version, b int) uint64{
		func(v *version, b int) uint64 { return shape.Mix(v.exact[b], v.src[b]) },
		func(v *version, b int) uint64 { return v.exact[b] },
		func(v *version, b int) uint64 { return shape.Mix(v.ops[b], v.src[b]) },
	}
	for _, f := range m.funcs {
		for _, key := range keys {
			m.gaps(f, func(o, n [2]int) { m.alignBy(key, o, n) })
		}
		m.gaps(f, m.similar)
	}
	for n, o := range m.new.to {
		m.inOrder[n] = o != cfg.NoBlock
	}
	m.follow()
	m.elsewhere()
}

// matchFuncs pairs subprograms by name, then by instructions.
func (m *matcher) matchFuncs() {
	o, n := m.old.a.Program, m.new.a.Program
	used := make([]bool, len(o.Subprogs))
	taken := make([]bool, len(n.Subprogs))
	pass := func(key func(p *bytecode.Program, s bytecode.Subprogram) uint64) {
		at := map[uint64]int{}
		for i := len(o.Subprogs) - 1; i >= 0; i-- {
			if !used[i] {
				at[key(o, o.Subprogs[i])] = i
			}
		}
		for j, s := range n.Subprogs {
			if i, ok := at[key(n, s)]; ok && !taken[j] && !used[i] {
				used[i], taken[j] = true, true
				m.funcs = append(m.funcs, align.Pair{A: i, B: j})
			}
		}
	}
	if len(o.Subprogs) > 0 && len(n.Subprogs) > 0 { // the entry is the entry, whatever its name
		used[0], taken[0] = true, true
		m.funcs = append(m.funcs, align.Pair{})
	}
	pass(func(_ *bytecode.Program, s bytecode.Subprogram) uint64 { return shape.String(s.Name) })
	pass(func(p *bytecode.Program, s bytecode.Subprogram) uint64 { return shape.Exact(p, s.Start, s.End) })
}

func (m *matcher) pair(o, n int) {
	m.old.to[o], m.new.to[n] = cfg.BlockID(n), cfg.BlockID(o)
}

// gaps calls f for each part of two functions between pairs of matched blocks.
func (m *matcher) gaps(fn align.Pair, f func(o, n [2]int)) {
	oLo, oHi := m.old.a.Graph.SubBlocks(fn.A)
	nLo, nHi := m.new.a.Graph.SubBlocks(fn.B)
	o, n := int(oLo), int(nLo)
	for at := int(nLo); at <= int(nHi); at++ {
		oEnd := int(oHi)
		if at < int(nHi) {
			if m.new.to[at] == cfg.NoBlock {
				continue
			}
			oEnd = int(m.new.to[at])
		}
		if oEnd > o && at > n {
			f([2]int{o, oEnd}, [2]int{n, at})
		}
		o, n = oEnd+1, at+1
	}
}

// alignBy pairs blocks of a gap with equal keys.
func (m *matcher) alignBy(key func(v *version, b int) uint64, o, n [2]int) {
	list := func(v *version, r [2]int) []uint64 {
		out := make([]uint64, 0, r[1]-r[0])
		for b := r[0]; b < r[1]; b++ {
			out = append(out, key(v, b))
		}
		return out
	}
	for _, p := range align.Pairs(list(m.old, o), list(m.new, n)) {
		m.pair(o[0]+p.A, n[0]+p.B)
	}
}

// similar pairs blocks of a gap that look alike.
func (m *matcher) similar(o, n [2]int) {
	rows, cols := o[1]-o[0], n[1]-n[0]
	if rows > align.MaxBest/cols {
		m.alignBy(func(v *version, b int) uint64 { return shape.Mix(v.src[b], uint64(v.ending(b))) }, o, n)
		return
	}
	for _, p := range align.Best(rows, cols, func(i, j int) int { return m.alike(o[0]+i, n[0]+j) }) {
		m.pair(o[0]+p.A, n[0]+p.B)
	}
}

// alike grades how much two blocks look alike, 0 for not at all: the same C
// text or one that may have become the other, the same ending, the same length.
func (m *matcher) alike(o, n int) int {
	a, b := m.old.slots(o), m.new.slots(n)
	s := 10 * min(a, b) / max(a, b)
	switch x, y := m.old.src[o], m.new.src[n]; {
	case x == 0 || y == 0:
	case x == y:
		s += 10
	case m.new.texts[x] || m.old.texts[y]:
		s -= 10 // two statements, not one that was edited
	}
	if m.old.ending(o) == m.new.ending(n) {
		s += 5
	}
	if s < 12 {
		return 0
	}
	return s
}

// slots returns the length of a block.
func (v *version) slots(b int) int { return int(v.a.Graph.Blocks[b].End - v.a.Graph.Blocks[b].Start) }

// ending returns how control leaves a block.
func (v *version) ending(b int) bytecode.FlowKind {
	return v.a.Program.Flow(v.a.Graph.Blocks[b].Last).Kind
}

// follow pairs the targets of the same edges of a pair, as far as they are alike.
func (m *matcher) follow() {
	og, ng := m.old.a.Graph, m.new.a.Graph
	queue := make([]cfg.BlockID, 0, len(m.new.to))
	for n, o := range m.new.to {
		if o != cfg.NoBlock {
			queue = append(queue, cfg.BlockID(n))
		}
	}
	for len(queue) > 0 {
		n := queue[0]
		queue = queue[1:]
		o := m.new.to[n]
		for _, kind := range []cfg.Kind{cfg.FallThrough, cfg.Return, cfg.Taken, cfg.Goto} {
			x, y := only(og, o, kind), only(ng, n, kind)
			if x == cfg.NoBlock || y == cfg.NoBlock || m.old.to[x] != cfg.NoBlock || m.new.to[y] != cfg.NoBlock {
				continue
			}
			if m.alike(int(x), int(y)) > 0 {
				m.pair(int(x), int(y))
				queue = append(queue, y)
			}
		}
	}
}

// only returns the target of the edge of a kind, if there is one.
func only(g *cfg.Graph, b cfg.BlockID, kind cfg.Kind) cfg.BlockID {
	for _, e := range g.Succs(b) {
		if e.Kind == kind {
			return e.To
		}
	}
	return cfg.NoBlock
}

// elsewhere pairs remaining blocks with unique instructions and C text, then those with C text and
// operations, then with C text alone.
func (m *matcher) elsewhere() {
	m.uniquely(func(v *version, b int) uint64 { return shape.Mix(v.exact[b], v.src[b]) })
	m.uniquely(func(v *version, b int) uint64 { return shape.Mix(v.ops[b], v.src[b]) })
	m.uniquely(func(v *version, b int) uint64 { return v.src[b] })
	m.markMoved()
}

// uniquely pairs remaining blocks by a key, the longest if several have it; none if several are
// equally long. Blocks without C text are left alone.
func (m *matcher) uniquely(key func(v *version, b int) uint64) {
	const many = -1
	rest := func(v *version) map[uint64]int {
		at, most := map[uint64]int{}, map[uint64]int{}
		for b := range v.to {
			if v.to[b] != cfg.NoBlock || v.src[b] == 0 {
				continue
			}
			k := key(v, b)
			if size := v.slots(b); size > most[k] {
				at[k], most[k] = b, size
			} else if size == most[k] {
				at[k] = many
			}
		}
		return at
	}
	before, after := rest(m.old), rest(m.new)
	for n := range m.new.to {
		if m.new.to[n] != cfg.NoBlock || m.new.src[n] == 0 {
			continue
		}
		k := key(m.new, n)
		if o, ok := before[k]; ok && o != many && after[k] == n && m.alike(o, n) > 0 {
			m.pair(o, n)
		}
	}
}

// markMoved marks the pairs that are out of order relative to the pairs from gaps, which are in
// order.
func (m *matcher) markMoved() {
	for _, f := range m.funcs {
		oLo, oHi := m.old.a.Graph.SubBlocks(f.A)
		nLo, nHi := m.new.a.Graph.SubBlocks(f.B)
		most := cfg.BlockID(-1)
		for n := nLo; n < nHi; n++ {
			o := m.new.to[n]
			switch {
			case o == cfg.NoBlock:
			case m.inOrder[n]:
				most = o
			case o < most || o < oLo || o >= oHi:
				m.moved[n] = true
			}
		}
		least := cfg.BlockID(len(m.old.to))
		for n := nHi - 1; n >= nLo; n-- {
			o := m.new.to[n]
			switch {
			case o == cfg.NoBlock:
			case m.inOrder[n]:
				least = o
			case o > least:
				m.moved[n] = true
			}
		}
	}
}
