package picture

import (
	"fmt"

	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/jit/layout"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/x86/disasm"
	"github.com/bpfcfg/bpfcfg/render"
)

// AddCode adds to the analysis's scene the code of its instructions: the instructions that the
// kernel hands to its JIT, each with its machine code. A page shows them beside the source and the
// bytecode, and a strip in its pieces.
func AddCode(s *render.Scene, a *pipeline.Analysis) {
	if a.Image == nil {
		return
	}
	c := coder{a: a, named: a.XlatedProgram(), unknown: map[bytecode.PC]bool{}, texts: map[string]string{},
		decodings: map[string]string{}, original: make([]string, len(a.Program.Insns)),
		out: make([]render.Code, 0, len(a.Rewrite.Program.Insns)), x86s: make([]render.X86, 0, len(a.Image.Code)/4)}
	for i := range s.Blocks {
		for _, l := range s.Blocks[i].Lines {
			c.original[l.Slot] = l.Text
		}
	}
	for _, x := range a.Rewrite.Unpredicted {
		c.unknown[x] = true
	}
	for _, p := range layout.Of(a.Graph, a.Rewrite.Xlated, a.Rewrite.Program.Funcs, a.Image).Pieces {
		c.piece(p)
	}
	s.Code = c.out
}

// coder collects rows of code.
type coder struct {
	a       *pipeline.Analysis
	named   *bytecode.Program
	unknown map[bytecode.PC]bool
	texts   map[string]string // each text once
	// decodings are the texts of machine instructions by their bytes.
	decodings map[string]string
	original  []string // of the scene, by slot
	out       []render.Code
	x86s      []render.X86 // of all rows
}

// piece adds the rows of a piece of the image.
func (c *coder) piece(p layout.Piece) {
	block := int(p.Block)
	if p.Kind != layout.Block {
		block = render.Outside
	}
	img, prog := c.a.Image, c.a.Rewrite.Program
	base, end := img.Funcs[p.Func].Offset, p.Offset+p.Len
	if p.First == p.Last {
		c.out = append(c.out, render.Code{Block: block, Slot: -1, Original: -1, X86: c.x86(p.Offset, end)})
		return
	}
	last := bytecode.PC(-1)
	for x := p.First; x < p.Last; {
		next := x + prog.Insns[x].Slots()
		from, to := base+int(img.Offsets[x]), end
		if next < p.Last {
			to = base + int(img.Offsets[next])
		}
		o := c.a.Rewrite.Original[x]
		row := render.Code{Block: block, Slot: int(x), Original: int(o), X86: c.x86(max(from, p.Offset), min(to, end))}
		text := c.insn(x, o)
		switch {
		case c.unknown[x]:
			row.State, row.Text = render.CodeUnknown, text
		case o < 0, o == last:
			row.State, row.Text = render.CodeInserted, text
		case text != c.original[o]:
			row.State, row.Text = render.CodeChanged, text
		}
		last = o
		c.out = append(c.out, row)
		x = next
	}
}

// insn returns the text of a rewritten instruction, which comes from an original one or, below 0,
// from none. An instruction that is not rewritten has the same text, apart from distances and
// names.
func (c *coder) insn(x, original bytecode.PC) string {
	in := c.a.Rewrite.Program.Insns[x]
	if original >= 0 && in == c.a.Program.Insns[original] {
		switch in.Class() {
		case asm.ALUClass, asm.ALU64Class, asm.LdXClass, asm.StClass, asm.StXClass:
			return c.original[original]
		}
	}
	return c.text(c.named.Text(x))
}

// decoded returns the text of a machine instruction. The same bytes have the same text, apart from
// jumps and addresses that the kernel fills in.
func (c *coder) decoded(in *disasm.Insn, off int) string {
	reloc := relocText(c.a, off, in.Len)
	if _, jumps := in.Target(); jumps || reloc != "" {
		return c.text(in.String() + reloc)
	}
	bytes := c.a.Image.Code[off : off+in.Len]
	text, ok := c.decodings[string(bytes)]
	if !ok {
		text = in.String()
		c.decodings[string(bytes)] = text
	}
	return text
}

func (c *coder) text(s string) string {
	t, ok := c.texts[s]
	if !ok {
		t = s
		c.texts[s] = s
	}
	return t
}

// x86 returns the machine code of some bytes.
func (c *coder) x86(off, end int) []render.X86 {
	from := len(c.x86s)
	for off < end {
		in, err := disasm.Scan(c.a.Image.Code[:end], off)
		if err != nil {
			c.x86s = append(c.x86s, render.X86{Offset: off, Text: fmt.Sprintf("% x: not decoded", c.a.Image.Code[off:end])})
			break
		}
		c.x86s = append(c.x86s, render.X86{Offset: off, Text: c.decoded(&in, off)})
		off += in.Len
	}
	return c.x86s[from:len(c.x86s):len(c.x86s)]
}
