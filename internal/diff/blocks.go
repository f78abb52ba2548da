package diff

import (
	"cmp"
	"slices"
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/align"
	"github.com/bpfcfg/bpfcfg/internal/shape"
	"github.com/bpfcfg/bpfcfg/succ"
)

// functions lists the functions of both versions: those of new in order, then
// those that are gone.
func (m *matcher) functions() []Func {
	from := make([]int, len(m.new.a.Program.Subprogs))
	for i := range from {
		from[i] = -1
	}
	gone := make([]bool, len(m.old.a.Program.Subprogs))
	for i := range gone {
		gone[i] = true
	}
	for _, f := range m.funcs {
		from[f.B] = f.A
		gone[f.A] = false
	}
	var out []Func
	add := func(o, n int) {
		var f Func
		f.OldName, f.Insns[0], f.Blocks[0], f.Bytes[0], f.Stack[0] = m.old.funcNumbers(o)
		f.Name, f.Insns[1], f.Blocks[1], f.Bytes[1], f.Stack[1] = m.new.funcNumbers(n)
		out = append(out, f)
	}
	for n, o := range from {
		add(o, n)
	}
	for o, is := range gone {
		if is {
			add(o, -1)
		}
	}
	return out
}

// funcNumbers returns the numbers of a subprogram, -1 for one that is not there.
func (v *version) funcNumbers(sub int) (name string, insns, blocks, bytes, stack int) {
	if sub < 0 {
		return "", -1, -1, -1, -1
	}
	s := v.a.Program.Subprogs[sub]
	lo, hi := v.a.Graph.SubBlocks(sub)
	for b := lo; b < hi; b++ {
		if v.bytes[b] < 0 {
			bytes = -1
			break
		}
		bytes += v.bytes[b]
	}
	return s.Name, int(s.End - s.Start), int(hi - lo), bytes, v.a.Succ.Facts.StackDepth(sub)
}

// blocks fills in the blocks that changed, and the counts.
func (m *matcher) blocks(p *Program) {
	for n, o := range m.new.to {
		if o == cfg.NoBlock {
			p.Counts.Added++
			p.Blocks = append(p.Blocks, m.describe(Added, -1, n))
			continue
		}
		b := m.describe(Changed, int(o), n)
		b.Edges = m.edges(int(o), n)
		if m.moved[n] {
			p.Counts.Moved++
		}
		switch {
		case m.old.exact[o] != m.new.exact[n]:
			b.Lines = m.lines(int(o), n)
			m.pointAt(&b)
		case b.Alive[0] != b.Alive[1], b.Edges != nil:
		case m.moved[n]:
			b.Change = Moved
		default:
			p.Counts.Same++
			continue
		}
		if b.Change == Changed {
			p.Counts.Changed++
		} else {
			p.Counts.Same++
		}
		p.Blocks = append(p.Blocks, b)
	}
	for o, n := range m.old.to {
		if n == cfg.NoBlock {
			p.Counts.Removed++
			p.Blocks = append(p.Blocks, m.describe(Removed, o, -1))
		}
	}
}

// describe describes a block; o or n is -1 if one side lacks it.
func (m *matcher) describe(c Change, o, n int) Block {
	b := Block{Change: c, ID: [2]int{o, n}, Start: [2]int{-1, -1}, End: [2]int{-1, -1}, Bytes: [2]int{-1, -1}}
	for i, at := range b.ID {
		v := [...]*version{m.old, m.new}[i]
		if at < 0 {
			continue
		}
		blk := v.a.Graph.Blocks[at]
		b.Func = v.a.Program.Subprogs[blk.Sub].Name
		b.Start[i], b.End[i], b.Bytes[i] = int(blk.Start), int(blk.End), v.bytes[at]
		b.Alive[i] = reached(v.a, cfg.BlockID(at))
		b.Source = sourceOf(v.a.Program, blk.Start)
	}
	return b
}

// pointAt makes the source of a changed block the C line of its first added instruction, or else of
// its first removed one.
func (m *matcher) pointAt(b *Block) {
	for _, v := range []struct {
		op string
		p  *bytecode.Program
	}{{"+", m.new.a.Program}, {"-", m.old.a.Program}} {
		for _, l := range b.Lines {
			if src := sourceOf(v.p, bytecode.PC(l.Insn)); l.Op == v.op && src != nil {
				b.Source = src
				return
			}
		}
	}
}

// sourceOf returns the C line of an instruction.
func sourceOf(p *bytecode.Program, pc bytecode.PC) *Source {
	l, ok := p.LineAt(pc)
	if !ok {
		return nil
	}
	return &Source{l.File, l.Line, strings.TrimSpace(l.Text)}
}

// maxLines bounds the instructions of a block that are listed.
const maxLines = 200

// lines aligns the instructions of two versions of a block and returns those
// that only one has, in order.
func (m *matcher) lines(o, n int) []Line {
	x, xs := m.old.insns(o)
	y, ys := m.new.insns(n)
	var out []Line
	i, j := 0, 0
	emit := func(toI, toJ int) {
		for ; i < toI && len(out) < maxLines; i++ {
			out = append(out, Line{"-", int(xs[i]), m.old.a.Program.Text(xs[i])})
		}
		for ; j < toJ && len(out) < maxLines; j++ {
			out = append(out, Line{"+", int(ys[j]), m.new.a.Program.Text(ys[j])})
		}
	}
	for _, p := range align.Pairs(x, y) {
		emit(p.A, p.B)
		i, j = p.A+1, p.B+1
	}
	emit(len(x), len(y))
	return out
}

// insns returns the hashes and slots of a block's instructions.
func (v *version) insns(b int) (hashes []uint64, pcs []bytecode.PC) {
	blk := v.a.Graph.Blocks[b]
	for pc := blk.Start; pc < blk.End; pc += v.a.Program.Insns[pc].Slots() {
		hashes = append(hashes, shape.Insn(v.a.Program, pc))
		pcs = append(pcs, pc)
	}
	return hashes, pcs
}

// edges returns the successors that only one version of a block has. Those of
// indirect jumps are listed with the jump; a successor without a counterpart is listed as
// added or removed itself.
func (m *matcher) edges(o, n int) *EdgeDiff {
	type end struct {
		to   cfg.BlockID
		kind cfg.Kind
	}
	had, has := map[end]bool{}, map[end]bool{}
	for _, e := range m.old.a.Graph.Succs(cfg.BlockID(o)) {
		if to := m.old.to[e.To]; to != cfg.NoBlock && e.Kind != cfg.Indirect {
			had[end{to, e.Kind}] = true
		}
	}
	var d EdgeDiff
	for _, e := range m.new.a.Graph.Succs(cfg.BlockID(n)) {
		if e.Kind == cfg.Indirect || m.new.to[e.To] == cfg.NoBlock {
			continue
		}
		k := end{e.To, e.Kind}
		has[k] = true
		if !had[k] {
			d.Gained = append(d.Gained, int(e.To))
		}
	}
	for k := range had {
		if !has[k] {
			d.Lost = append(d.Lost, int(m.new.to[k.to]))
		}
	}
	slices.Sort(d.Lost)
	if len(d.Gained) == 0 || len(d.Lost) == 0 { // one side leads to a block that was added or removed
		return nil
	}
	return &d
}

// jumps compares the indirect jumps and calls.
func (m *matcher) jumps() []Jump {
	old := map[bytecode.PC]*succ.Indirect{}
	for i := range m.old.a.Succ.Indirect {
		old[m.old.a.Succ.Indirect[i].PC] = &m.old.a.Succ.Indirect[i]
	}
	var out []Jump
	for i := range m.new.a.Succ.Indirect {
		n := &m.new.a.Succ.Indirect[i]
		var o *succ.Indirect
		if b, ok := m.new.a.Graph.BlockAt(n.PC); ok && m.new.to[b] != cfg.NoBlock {
			if x := old[m.old.a.Graph.Blocks[m.new.to[b]].Last]; x != nil && x.Op == n.Op {
				o = x
				delete(old, x.PC)
			}
		}
		if j, differs := m.jump(o, n); differs {
			out = append(out, j)
		}
	}
	var gone []Jump
	for _, o := range old {
		j, _ := m.jump(o, nil)
		gone = append(gone, j)
	}
	slices.SortFunc(gone, func(a, b Jump) int { return cmp.Compare(a.Insn[0], b.Insn[0]) })
	return append(out, gone...)
}

// jump compares two versions of an indirect jump, one of which may be nil.
func (m *matcher) jump(o, n *succ.Indirect) (j Jump, differs bool) {
	j = Jump{Insn: [2]int{-1, -1}, Lost: []Target{}, Gained: []Target{}}
	kept := map[cfg.BlockID]bool{} // new blocks that are targets before and after
	if n != nil {
		j.Op, j.Insn[1], j.Status[1], j.Targets[1] = n.Op, int(n.PC), string(n.Status), len(n.Exact)
		j.Source = sourceOf(m.new.a.Program, n.PC)
		for _, pc := range n.Exact {
			if b, ok := m.new.a.Graph.BlockAt(pc); ok {
				kept[b] = false
			}
		}
	}
	if o != nil {
		j.Op, j.Insn[0], j.Status[0], j.Targets[0] = o.Op, int(o.PC), string(o.Status), len(o.Exact)
		if n == nil {
			j.Source = sourceOf(m.old.a.Program, o.PC)
		}
		for _, pc := range o.Exact {
			b, ok := m.old.a.Graph.BlockAt(pc)
			if !ok {
				continue
			}
			if to := m.old.to[b]; to != cfg.NoBlock {
				if _, is := kept[to]; is {
					kept[to] = true
					continue
				}
			}
			j.Lost = append(j.Lost, Target{int(b), sourceOf(m.old.a.Program, pc)})
		}
	}
	if n != nil {
		for _, pc := range n.Exact {
			if b, ok := m.new.a.Graph.BlockAt(pc); ok && !kept[b] {
				j.Gained = append(j.Gained, Target{int(b), sourceOf(m.new.a.Program, pc)})
			}
		}
	}
	return j, o == nil || n == nil || len(j.Lost)+len(j.Gained) > 0 || j.Status[0] != j.Status[1]
}
