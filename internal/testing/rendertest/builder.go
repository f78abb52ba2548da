// Package rendertest makes scenes for tests of package render and its engines,
// and for looking at, and measures layouts.
//
//	b := rendertest.New("three")
//	f := b.Func("main")
//	b.Block(f, "r0 = 1", "if r1 == 0 goto +1")
//	b.Block(f, "r0 = 2")
//	b.Block(f, "exit")
//	b.Fall(0, 1); b.Taken(0, 2, ""); b.Fall(1, 2)
//	scene := b.Scene()
//
// The programs are invented: they look like BPF but do nothing.
package rendertest

import (
	"fmt"

	"github.com/bpfcfg/bpfcfg/render"
)

// Builder makes a scene block by block.
type Builder struct {
	s    render.Scene
	slot int
}

// New starts a scene.
func New(title string) *Builder {
	return &Builder{s: render.Scene{Title: title, Subtitle: "invented for tests", Profile: "linux-7.3"}}
}

// Func starts a function; the next block is its entry.
func (b *Builder) Func(name string) int {
	b.s.Funcs = append(b.s.Funcs, render.Func{Name: name, Entry: len(b.s.Blocks)})
	return len(b.s.Funcs) - 1
}

// Block adds a block with the instructions and returns its index. A line that
// starts with "//" is the C source of those that follow.
func (b *Builder) Block(f int, insns ...string) int {
	i := len(b.s.Blocks)
	blk := render.Block{Func: f, Name: fmt.Sprintf("b%d", i), Reachable: true, Entry: b.s.Funcs[f].Entry == i}
	src, n := "", 0
	for _, t := range insns {
		if len(t) > 2 && t[:2] == "//" {
			src, n = t[2:], 10+b.slot
			continue
		}
		blk.Lines = append(blk.Lines, render.Line{Slot: b.slot, Text: t, Source: src, File: "prog.c", LineNo: n})
		b.slot++
		blk.Exit = t == "exit"
	}
	b.s.Blocks = append(b.s.Blocks, blk)
	return i
}

// Edge adds an edge and returns its index.
func (b *Builder) Edge(e render.Edge) int {
	b.s.Edges = append(b.s.Edges, e)
	return len(b.s.Edges) - 1
}

// Fall adds a fall-through edge.
func (b *Builder) Fall(from, to int) {
	b.Edge(render.Edge{From: from, To: to, Kind: render.FallThrough})
}

// Taken adds the edge of a conditional jump.
func (b *Builder) Taken(from, to int, label string) {
	b.Edge(render.Edge{From: from, To: to, Kind: render.Taken, Label: label, Back: to <= from})
}

// Goto adds the edge of a jump.
func (b *Builder) Goto(from, to int) {
	b.Edge(render.Edge{From: from, To: to, Kind: render.Goto, Back: to <= from})
}

// Call adds a call edge.
func (b *Builder) Call(from, f int) {
	b.Edge(render.Edge{From: from, To: b.s.Funcs[f].Entry, Kind: render.Call})
}

// Switch adds a table of the targets and the indirect edges of the jump at the
// end of from.
func (b *Builder) Switch(name string, from int, targets ...int) {
	t := render.Table{Name: name, Kind: "jump-table", Jumps: []int{from}, Range: fmt.Sprintf("0..%d", len(targets)-1)}
	cases := map[int][]int{}
	var order []int
	for i, to := range targets {
		t.Entries = append(t.Entries, render.TableEntry{Block: to, Offset: -1, Selected: true})
		if cases[to] == nil {
			order = append(order, to)
		}
		cases[to] = append(cases[to], i)
	}
	for _, to := range order {
		b.Edge(render.Edge{From: from, To: to, Kind: render.Indirect, Label: render.Ranges(cases[to]), Back: to <= from})
	}
	b.s.Blocks[from].Status = "exact"
	b.s.Tables = append(b.s.Tables, t)
}

// Dead marks a block as unreachable, and its edges as dead.
func (b *Builder) Dead(block int, why string) {
	b.s.Blocks[block].Reachable = false
	b.s.Blocks[block].Reason = why
	for i := range b.s.Edges {
		if b.s.Edges[i].To == block {
			b.s.Edges[i].Dead = true
		}
	}
}

// Loop marks blocks as members of a loop; the first is its header.
func (b *Builder) Loop(blocks ...int) {
	b.s.Blocks[blocks[0]].LoopHeader = true
	for _, i := range blocks {
		b.s.Blocks[i].LoopDepth++
	}
}

// Scene returns the scene, with an image that gives each instruction 2 to 9
// bytes and each function a prologue.
func (b *Builder) Scene() *render.Scene {
	s := b.s
	m := &render.Image{}
	start := make([]int, len(s.Blocks))
	for f, fn := range s.Funcs {
		from := m.Len
		m.Pieces = append(m.Pieces, render.Piece{Kind: render.PiecePrologue, Block: -1, Offset: m.Len, Len: 20})
		m.Len += 20
		for i, blk := range s.Blocks {
			if blk.Func != f || !blk.Reachable {
				continue
			}
			n := 0
			for _, l := range blk.Lines {
				n += 2 + (l.Slot*7+len(l.Text))%8
			}
			start[i] = m.Len
			m.Pieces = append(m.Pieces, render.Piece{Kind: render.PieceBlock, Block: i, Offset: m.Len, Len: n})
			m.Len += n
		}
		m.Pieces = append(m.Pieces, render.Piece{Kind: render.PiecePadding, Block: -1, Offset: m.Len, Len: 3})
		m.Len += 3
		m.Funcs = append(m.Funcs, render.ImageFunc{Name: fn.Name, Func: f, Offset: from, Len: m.Len - from, Prologue: 20})
	}
	ends := make([]int, len(s.Blocks))
	for _, p := range m.Pieces {
		if p.Kind == render.PieceBlock {
			ends[p.Block] = p.Offset + p.Len
		}
	}
	for i, e := range s.Edges {
		if e.Kind == render.FallThrough || e.To == render.Outside || e.Dead || !s.Blocks[e.From].Reachable {
			continue
		}
		m.Jumps = append(m.Jumps, render.Jump{From: max(0, ends[e.From]-2), To: start[e.To], Kind: e.Kind, Edge: i})
	}
	for t := range s.Tables {
		for i := range s.Tables[t].Entries {
			e := &s.Tables[t].Entries[i]
			if e.Block != render.Outside && s.Blocks[e.Block].Reachable {
				e.Offset = start[e.Block]
			}
		}
	}
	s.Image = m
	return &s
}
