package picture

import (
	"fmt"
	"slices"
	"sort"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/jit/layout"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/x86/disasm"
	"github.com/bpfcfg/bpfcfg/render"
)

// AddDetails adds to each block of the analysis's scene what a page shows at a
// click: the facts at its start and its machine code as text. It is apart from
// Scene because it is most of the work and the bytes of a large page.
func AddDetails(s *render.Scene, a *pipeline.Analysis) {
	for i := range s.Blocks {
		if facts := a.Succ.Facts.EntryText(cfg.BlockID(i)); len(facts) > 0 {
			s.Blocks[i].Details = append(s.Blocks[i].Details, render.Section{Title: "facts at the start", Lines: facts})
		}
	}
	if a.Image == nil {
		return
	}
	code := make([][]string, len(s.Blocks))
	for _, p := range layout.Of(a.Graph, a.Xlated.Xlated, a.Xlated.Program.Funcs, a.Image).Pieces {
		if p.Kind == layout.Block && p.Len > 0 {
			code[p.Block] = pieceText(code[p.Block], a, p)
		}
	}
	for i, lines := range code {
		if len(lines) > 0 {
			s.Blocks[i].Details = append(s.Blocks[i].Details, render.Section{Title: "x86-64", Lines: lines})
		}
	}
}

// pieceText appends the machine code of a piece, with the slot of the source
// where an instruction's code begins, "+" for one that the verifier added.
// Offsets count from the start of the image, as in the strip.
func pieceText(out []string, a *pipeline.Analysis, p layout.Piece) []string {
	base, end := a.Image.Funcs[p.Func].Offset, p.Offset+p.Len
	x := p.First
	for off := p.Offset; off < end; {
		slot := ""
		for ; x < p.Last && base+int(a.Image.Offsets[x]) <= off; x += a.Xlated.Program.Insns[x].Slots() {
			slot = slotText(a.Xlated.Original[x])
		}
		in, err := disasm.Decode(a.Image.Code[:end], off)
		if err != nil {
			return append(out, fmt.Sprintf("%5s  +0x%04x  % x: not decoded", slot, off, a.Image.Code[off:end]))
		}
		out = append(out, fmt.Sprintf("%5s  +0x%04x  %s%s", slot, off, in.Text, relocText(a, off, in.Len)))
		off += in.Len
	}
	return out
}

func slotText(pc bytecode.PC) string {
	if pc < 0 {
		return "+"
	}
	return fmt.Sprint(int(pc))
}

// relocText names the address that the kernel puts into n bytes at off.
func relocText(a *pipeline.Analysis, off, n int) string {
	rs := a.Image.Relocs
	i := sort.Search(len(rs), func(i int) bool { return rs[i].Offset >= off })
	if i == len(rs) || rs[i].Offset >= off+n || rs[i].Target == "" {
		return ""
	}
	return "  # " + rs[i].Target
}

// AddCounts adds to each block of the analysis's scene how often it was
// visited, from the visits of each slot: the most of its instructions. source
// says what counted.
func AddCounts(s *render.Scene, a *pipeline.Analysis, visits []uint64, source string) {
	s.Counted = source
	for i, b := range a.Graph.Blocks {
		n := slices.Max(visits[b.Start:b.End])
		s.Blocks[i].Count = &n
	}
}

// AddPasses adds to each edge of the analysis's scene how often it was passed,
// from the passes from slot to slot. Edges with the same ends are not told
// apart, nor is a return: they get no count.
func AddPasses(s *render.Scene, a *pipeline.Analysis, passes map[[2]int]uint64) {
	ends := func(e *render.Edge) [2]int {
		return [2]int{int(a.Graph.Blocks[e.From].Last), int(a.Graph.Blocks[e.To].Start)}
	}
	same := map[[2]int]int{}
	for i := range s.Edges {
		if e := &s.Edges[i]; e.To != render.Outside {
			same[ends(e)]++
		}
	}
	for i := range s.Edges {
		e := &s.Edges[i]
		if e.To == render.Outside || e.Kind == render.Return || same[ends(e)] > 1 {
			continue
		}
		n := passes[ends(e)]
		e.Count = &n
	}
}
