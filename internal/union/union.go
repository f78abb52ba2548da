// Package union makes one picture of two builds of a program: every block, edge and byte of both
// once, with marks on those that are not in both or that changed. Its pages open in the viewer of
// render.
package union

import (
	"fmt"
	"slices"

	"github.com/bpfcfg/bpfcfg/internal/diff"
	"github.com/bpfcfg/bpfcfg/render"
	"github.com/bpfcfg/bpfcfg/render/picture"
)

// union is one scene of two versions of a program under construction: the newer one's, whose blocks
// keep their numbers, and after them the blocks of only the older one.
type union struct {
	p     *diff.Program
	s     *render.Scene // the newer version's, which the older one's is added to
	old   *render.Scene
	block []int // of each old block, its block in s
	fn    []int // of each old function, its function in s
}

// Scene returns the picture of a difference: every block and edge of both versions once, with marks
// on those that are not in both or that changed, and the machine code of both.
func Scene(p *diff.Program, title string) *render.Scene {
	return join(p, picture.Scene(p.Old, title), picture.Scene(p.New, title), title)
}

// join adds the older version's scene to the newer one's.
func join(p *diff.Program, old, now *render.Scene, title string) *render.Scene {
	u := &union{p: p, s: now, old: old}
	u.s.Subtitle = fmt.Sprintf("%s · blocks: %s", title, p.Counts)
	u.funcs()
	u.blocks()
	u.changes()
	u.counts()
	u.edges()
	u.tables()
	u.image()
	u.notes()
	return u.s
}

// funcs finds the functions, and adds those that were removed.
func (u *union) funcs() {
	u.fn = make([]int, len(u.old.Funcs))
	for i := range u.fn {
		u.fn[i] = -1
	}
	for n, o := range u.p.OldFunc {
		if o >= 0 {
			u.fn[o] = n
		} else {
			u.s.Funcs[n].Note = comma(u.s.Funcs[n].Note, render.MarkAdded)
		}
	}
	for o, n := range u.fn {
		if n < 0 {
			f := u.old.Funcs[o]
			f.Note = comma(f.Note, render.MarkRemoved)
			u.fn[o] = len(u.s.Funcs)
			u.s.Funcs = append(u.s.Funcs, f) // Entry follows in blocks
		}
	}
}

// blocks finds the blocks, and adds those that were removed.
func (u *union) blocks() {
	u.block = blocksOfOld(u.p)
	whole := len(u.p.OldFunc) // functions from here on are gone as a whole
	for o, n := range u.block {
		if n < len(u.s.Blocks) {
			continue
		}
		b := u.old.Blocks[o]
		b.Name, b.Func = "old "+b.Name, u.fn[b.Func]
		b.Mark, b.Why = render.MarkRemoved, "not in the new version"
		b.Entry = b.Entry && b.Func >= whole
		u.s.Blocks = append(u.s.Blocks, b)
	}
	for o, n := range u.fn {
		if n < whole {
			continue
		}
		entry := u.block[u.old.Funcs[o].Entry]
		if u.s.Blocks[entry].Func != n { // its old version continues in another function
			entry = slices.IndexFunc(u.s.Blocks, func(b render.Block) bool { return b.Func == n })
		}
		u.s.Funcs[n].Entry = entry
	}
	u.dropEmpty(whole)
}

// dropEmpty removes functions from first on without a block: all their blocks continue in others.
func (u *union) dropEmpty(first int) {
	for f := len(u.s.Funcs) - 1; f >= first; f-- {
		if u.s.Funcs[f].Entry >= 0 {
			continue
		}
		u.s.Funcs = slices.Delete(u.s.Funcs, f, f+1)
		for i := range u.s.Blocks {
			if u.s.Blocks[i].Func > f {
				u.s.Blocks[i].Func--
			}
		}
		for i := range u.fn {
			switch {
			case u.fn[i] == f:
				u.fn[i] = -1
			case u.fn[i] > f:
				u.fn[i]--
			}
		}
	}
}

// blocksOfOld returns for each block of the old version its block in the union: its new
// version, or, if it is gone, one after the new blocks, in the old order.
func blocksOfOld(p *diff.Program) []int {
	out := make([]int, len(p.Old.Graph.Blocks))
	for i := range out {
		out[i] = -1
	}
	for n, o := range p.OldBlock {
		if o >= 0 {
			out[o] = n
		}
	}
	gone := len(p.New.Graph.Blocks)
	for o, n := range out {
		if n < 0 {
			out[o] = gone
			gone++
		}
	}
	return out
}

// changes marks the blocks that are in both versions, and their instructions.
func (u *union) changes() {
	for i := range u.p.Blocks {
		d := &u.p.Blocks[i]
		if d.Change == diff.Removed {
			continue
		}
		b := &u.s.Blocks[d.ID[1]]
		b.Mark = string(d.Change)
		switch {
		case d.Change == diff.Added:
			b.Why = "not in the old version"
			continue
		case d.Alive[0] && !d.Alive[1]:
			b.Why = fmt.Sprintf("b%d of the old version, no longer reached", d.ID[0])
		case d.Alive[1] && !d.Alive[0]:
			b.Why = fmt.Sprintf("b%d of the old version, where nothing reached it", d.ID[0])
		default:
			b.Why = fmt.Sprintf("b%d of the old version", d.ID[0])
		}
		b.Lines = mergeLines(u.old.Blocks[d.ID[0]].Lines, b.Lines, d.Lines)
	}
}

// counts gives each block that is in both versions its visits in the old one, too.
func (u *union) counts() {
	if u.old.Counted != "" && u.s.Counted != "" {
		u.s.Counted += ", before: " + u.old.Counted
	} else if u.old.Counted != "" {
		u.s.Counted = u.old.Counted + ", the old version"
	}
	for o, n := range u.block {
		if n < len(u.p.New.Graph.Blocks) {
			u.s.Blocks[n].CountBefore = u.old.Blocks[o].Count
		}
	}
}

// mergeLines returns the instructions of both versions of a block in order, those
// of one version alone with a mark. changes lists them; it may be cut off.
func mergeLines(old, now []render.Line, changes []diff.Line) []render.Line {
	gone, came := map[int]bool{}, map[int]bool{}
	for _, l := range changes {
		if l.Op == "-" {
			gone[l.Insn] = true
		} else {
			came[l.Insn] = true
		}
	}
	var out []render.Line
	one := func(l render.Line, mark string) {
		l.Mark = mark
		out = append(out, l)
	}
	for len(old) > 0 || len(now) > 0 {
		switch {
		case len(old) > 0 && (gone[old[0].Slot] || len(now) == 0):
			one(old[0], render.MarkRemoved)
			old = old[1:]
		case came[now[0].Slot] || len(old) == 0:
			one(now[0], render.MarkAdded)
			now = now[1:]
		default:
			one(now[0], "")
			old, now = old[1:], now[1:]
		}
	}
	return out
}

// ends identifies an edge, apart from parallel ones.
type ends struct {
	from, to int
	kind     render.EdgeKind
	label    string // of an edge to the outside
}

func endsOf(e *render.Edge) ends {
	k := ends{e.From, e.To, e.Kind, ""}
	if e.To == render.Outside {
		k.label = e.Label
	}
	return k
}

// edges marks the added edges of the newer version, and adds the removed ones.
func (u *union) edges() {
	had := map[ends][]render.Edge{}
	var order []ends
	for _, e := range u.old.Edges {
		e.From = u.block[e.From]
		if e.To != render.Outside {
			e.To = u.block[e.To]
		}
		k := endsOf(&e)
		if had[k] == nil {
			order = append(order, k)
		}
		had[k] = append(had[k], e)
	}
	for i := range u.s.Edges {
		e := &u.s.Edges[i]
		k := endsOf(e)
		if len(had[k]) == 0 {
			e.Mark = render.MarkAdded
			continue
		}
		was := had[k][0]
		had[k] = had[k][1:]
		if was.Dead != e.Dead {
			e.Mark = render.MarkChanged
		}
		if was.Label != e.Label {
			e.Mark = render.MarkChanged
			e.Label = fmt.Sprintf("%s (was %s)", labelOrNone(e.Label), labelOrNone(was.Label))
		}
	}
	for _, k := range order {
		for _, e := range had[k] {
			e.Mark = render.MarkRemoved
			u.s.Edges = append(u.s.Edges, e)
		}
	}
}

func labelOrNone(label string) string {
	if label == "" {
		return "none"
	}
	return label
}

// tables marks entries with another target than in the older version.
func (u *union) tables() {
	for t := range u.s.Tables {
		tab := &u.s.Tables[t]
		i := slices.IndexFunc(u.old.Tables, func(o render.Table) bool { return o.Name == tab.Name })
		if i < 0 {
			continue
		}
		was := u.old.Tables[i].Entries
		for j := range tab.Entries {
			e := &tab.Entries[j]
			switch {
			case j >= len(was):
				e.Note = "new"
			case was[j].Block == render.Outside:
			case u.block[was[j].Block] != e.Block:
				e.Note = "was " + u.s.Blocks[u.block[was[j].Block]].Name
			case was[j].Selected && !e.Selected:
				e.Note = "was selected"
			case e.Selected && !was[j].Selected:
				e.Note = "was not selected"
			}
		}
	}
}

// image adds the machine code of the older version.
func (u *union) image() {
	if u.s.Image == nil || u.old.Image == nil {
		return
	}
	m := *u.old.Image
	m.Jumps = nil
	m.Pieces = slices.Clone(m.Pieces)
	for i := range m.Pieces {
		if p := &m.Pieces[i]; p.Kind == render.PieceBlock {
			p.Block = u.block[p.Block]
		}
	}
	m.Funcs = slices.Clone(m.Funcs)
	for i := range m.Funcs {
		if f := &m.Funcs[i]; f.Func >= 0 {
			f.Func = u.fn[f.Func]
		}
	}
	u.s.Before = &m
}

// notes lists the numbers that differ.
func (u *union) notes() {
	for _, m := range u.p.Metrics {
		if m.Old != m.New {
			u.s.Notes = append(u.s.Notes, fmt.Sprintf("%s: %s → %s, %s", m.Name, known(m.Old), known(m.New), m.Delta()))
		}
	}
	if v := u.p.Verdict; v[0] != v[1] {
		u.s.Notes = append(u.s.Notes, fmt.Sprintf("kernel's rules: %s, was: %s", v[1], v[0]))
	}
}

// comma joins two notes.
func comma(a, b string) string {
	if a == "" {
		return b
	}
	return a + ", " + b
}
