package golden

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/shape"
	"github.com/bpfcfg/bpfcfg/internal/visible"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/layout"
	"github.com/bpfcfg/bpfcfg/succ"
)

// maxListed bounds the targets that a block's line lists; if there are more, it lists someListed
// of them. The table has them all.
const (
	maxListed  = 16
	someListed = 8
)

// maker holds the inputs for the parts of a layout.
type maker struct {
	in       Input
	places   *layout.Layout
	end      []int // of each block, the end of its last piece in the image
	fn       []int // of each block, its function in the image, -1
	indirect map[bytecode.PC]*succ.Indirect
	firstOut []cfg.BlockID // of each function of the image, the block with its first exit
}

// Of returns the layout of an analysed program.
func Of(in Input) *File {
	g := in.Succ.Graph
	m := &maker{
		in: in, places: layout.Of(g, in.Xlated, in.Funcs, in.Image),
		end: make([]int, len(g.Blocks)), fn: make([]int, len(g.Blocks)), indirect: map[bytecode.PC]*succ.Indirect{},
		firstOut: make([]cfg.BlockID, len(in.Image.Funcs)),
	}
	for i := range in.Succ.Indirect {
		m.indirect[in.Succ.Indirect[i].PC] = &in.Succ.Indirect[i]
	}
	l := &File{
		Profile: Word(in.Image.Profile), Unverified: in.Unverified, Program: Word(in.Program.Name),
		Insns: len(in.Program.Insns), Xlated: len(in.Image.Offsets), Image: len(in.Image.Code),
		Hash: Hash(in.Program), Code: hashBytes(in.Image.Code), Unpredicted: in.Unpredicted,
		With: with(in.Program), Blocks: m.blocks(),
	}
	l.Funcs = m.funcs()
	for i := range in.Program.Tables {
		l.Tables = append(l.Tables, m.table(i))
	}
	return l
}

// blocks returns the place of each block.
func (m *maker) blocks() []Block {
	g, p := m.in.Succ.Graph, m.in.Program
	out := make([]Block, len(g.Blocks))
	for i, b := range g.Blocks {
		m.fn[i] = -1
		out[i] = Block{
			ID: cfg.BlockID(i), Start: b.Start, End: b.End, Offset: m.places.Code[i],
			Reachable: m.in.Succ.Facts.Reached(b.Start),
			Hash:      fmt.Sprintf("%08x", uint32(shape.Exact(p, b.Start, b.End))),
		}
	}
	for i := range m.firstOut {
		m.firstOut[i] = cfg.NoBlock
	}
	for _, pc := range m.places.Pieces {
		if pc.Block == cfg.NoBlock {
			continue
		}
		out[pc.Block].Len += pc.Len
		m.end[pc.Block], m.fn[pc.Block] = pc.Offset+pc.Len, pc.Func
		if p.Flow(g.Blocks[pc.Block].Last).Kind == bytecode.FlowExit && m.firstOut[pc.Func] == cfg.NoBlock {
			m.firstOut[pc.Func] = pc.Block
		}
	}
	for i := range out {
		out[i].Ending = m.ending(cfg.BlockID(i))
	}
	return out
}

// funcs returns the subprograms, then the functions that the verifier added.
func (m *maker) funcs() []Func {
	g := m.in.Succ.Graph
	var out []Func
	used := make([]bool, len(m.in.Funcs))
	for sub, s := range m.in.Program.Subprogs {
		lo, hi := g.SubBlocks(sub)
		f := Func{Name: Word(s.Name), Offset: -1, First: int(lo), Last: int(hi)}
		for b := lo; b < hi; b++ {
			if i := m.fn[b]; i >= 0 {
				used[i] = true
				f.Offset, f.Len = m.in.Image.Funcs[i].Offset, m.in.Image.Funcs[i].Len
				break
			}
		}
		out = append(out, f)
	}
	for i, f := range m.in.Image.Funcs {
		if !used[i] {
			n := len(g.Blocks)
			out = append(out, Func{Name: Word(f.Name), Offset: f.Offset, Len: f.Len, First: n, Last: n})
		}
	}
	return out
}

// ending returns the ending of a block.
func (m *maker) ending(id cfg.BlockID) Ending {
	g, p := m.in.Succ.Graph, m.in.Program
	last := g.Blocks[id].Last
	f := p.Flow(last)
	var e Ending
	for _, s := range g.Succs(id) {
		if s.Kind == cfg.FallThrough || s.Kind == cfg.Return {
			e.Next = append(e.Next, s.To)
		} else {
			e.To = append(e.To, s.To)
		}
	}
	if e.Op = m.op(last, f); f.Kind == bytecode.FlowHelper && (len(e.To) > 0 || g.Throws(id)) {
		e.Op = m.helper(last)
	}
	switch f.Kind {
	case bytecode.FlowGoto, bytecode.FlowCond, bytecode.FlowKey:
		e.Long = len(e.To) == 1 && m.long(id, m.places.Code[e.To[0]])
	case bytecode.FlowExit:
		if i := m.fn[id]; i >= 0 && m.firstOut[i] != id {
			e.Long = m.long(id, m.in.Image.Funcs[i].Offset+m.in.Image.Funcs[i].Epilogue)
		}
	case bytecode.FlowIndirect, bytecode.FlowCallx:
		e.Detail = m.detail(last)
	}
	if len(e.To) > maxListed {
		e.To, e.More = e.To[:someListed:someListed], true
	}
	return e
}

// op returns the last instruction of a block without its target.
func (m *maker) op(pc bytecode.PC, f bytecode.Flow) string {
	p := m.in.Program
	switch f.Kind {
	case bytecode.FlowGoto:
		return "goto"
	case bytecode.FlowCond, bytecode.FlowKey:
		text := visible.Text(bytecode.Text(p.Insns, pc))
		if i := strings.LastIndex(text, " pc"); i >= 0 {
			text = text[:i]
		}
		return strings.TrimSuffix(text, " goto")
	case bytecode.FlowCall:
		name := ""
		if sub := p.SubprogAt(f.Callee); sub >= 0 {
			name = p.Subprogs[sub].Name
		}
		return "call " + Word(name)
	case bytecode.FlowIndirect, bytecode.FlowCallx, bytecode.FlowExit:
		return visible.Text(bytecode.Text(p.Insns, pc))
	}
	return ""
}

// helper returns a helper or kfunc call without its number.
func (m *maker) helper(pc bytecode.PC) string {
	if ref, ok := m.in.Program.RefAt(pc); ok && ref.Name != "" {
		return "call " + Word(ref.Name)
	}
	name, _, _ := strings.Cut(bytecode.Text(m.in.Program.Insns, pc), "#")
	return name
}

// long reports whether the code of a block ends with a jump to an offset of the
// image in the form with a 32-bit distance (Intel SDM volume 2A, JMP and Jcc).
func (m *maker) long(id cfg.BlockID, to int) bool {
	code, end := m.in.Image.Code, m.end[id]
	if m.fn[id] < 0 || to < 0 || end < 6 || end > len(code) {
		return false
	}
	jump := code[end-5] == 0xe9 || code[end-6] == 0x0f && code[end-5]&0xf0 == 0x80
	return jump && end+int(int32(binary.LittleEndian.Uint32(code[end-4:]))) == to
}

// detail describes the table or the targets from which an indirect jump or call selects.
func (m *maker) detail(pc bytecode.PC) string {
	d := m.indirect[pc]
	if d == nil {
		return ""
	}
	var parts []string
	if d.Status != succ.Exact {
		parts = append(parts, string(d.Status))
	}
	for _, u := range d.Tables {
		parts = append(parts, fmt.Sprintf("%d of %d, table %s[%d..%d]", len(u.Selected), u.Entries, Word(u.Name), u.Min,
			u.Max))
	}
	return strings.Join(parts, "; ")
}

// table returns a jump table.
func (m *maker) table(i int) Table {
	g, p := m.in.Succ.Graph, m.in.Program
	t := Table{Name: Word(p.Tables[i].Name)}
	for j, pc := range p.Tables[i].Targets {
		e := Entry{Block: cfg.NoBlock, Offset: -1}
		if b, ok := g.BlockAt(pc); ok {
			e.Block, e.Slots = b, int(pc-g.Blocks[b].Start)
			e.Removed = m.in.Xlated[pc] == jit.Deleted
			if fn := m.fn[b]; fn >= 0 && !e.Removed {
				at := m.in.Image.Funcs[fn].Offset + int(m.in.Image.Tables[i][j])
				if at != m.places.Code[b] {
					e.Offset = at
				}
			}
		}
		t.Entries = append(t.Entries, e)
	}
	return t
}
