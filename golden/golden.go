// Package golden writes the layout of a program's machine code as text that a
// person reviews and a file holds: small, symbolic, a line a block, no address.
//
//	text := golden.Text(golden.Input{Program: p, Succ: r, Xlated: x.Xlated, Funcs: x.Program.Funcs, Image: img})
//
//	# bpfcfg layout 1
//	profile linux-7.3
//	program dispatch  insns 50  xlated 50  image 212  sha256 1f0c…
//	func dispatch  code +0x0  212
//	b0   insn 0..3  code +0x0..+0x2f  47  if w1 > 0xe → b17 | b1
//
// Offsets are bytes from the start of the image, insn numbers are slots of the
// program as submitted. The package neither reads nor writes files.
package golden

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/visible"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/layout"
	"github.com/bpfcfg/bpfcfg/succ"
)

// FormatVersion is the number in the first line of the text.
const FormatVersion = 1

// Input is what a layout is made of.
type Input struct {
	Program *bytecode.Program
	Succ    *succ.Result
	Xlated  []bytecode.PC // first xlated slot of each slot, or jit.Deleted
	Funcs   []jit.Func    // those the image was made from
	Image   *jit.Image
}

// Block is where a basic block went.
type Block struct {
	ID         cfg.BlockID
	Start, End bytecode.PC // slots, End exclusive
	Reachable  bool
	// Offset and Len are the bytes of the block in the image. Offset is -1 when
	// the verifier removes the block. A block in several pieces has the first
	// piece's offset and the sum of their lengths.
	Offset, Len int
	Ending      string // how it ends, symbolic: "if w1 > 0xe → b17 | b1"
}

// Blocks returns where each block went, in order.
func Blocks(in Input) []Block {
	g := in.Succ.Graph
	l := layout.Of(g, in.Xlated, in.Funcs, in.Image)
	out := make([]Block, len(g.Blocks))
	for i, b := range g.Blocks {
		out[i] = Block{
			ID: cfg.BlockID(i), Start: b.Start, End: b.End, Offset: l.Code[i],
			Reachable: in.Succ.Facts.Reached(b.Start), Ending: ending(in, cfg.BlockID(i)),
		}
	}
	for _, p := range l.Pieces {
		if p.Block != cfg.NoBlock {
			out[p.Block].Len += p.Len
		}
	}
	return out
}

// Text returns the layout in the golden form.
func Text(in Input) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# bpfcfg layout %d\n", FormatVersion)
	fmt.Fprintf(&b, "profile %s\n", visible.Text(in.Image.Profile))
	fmt.Fprintf(&b, "program %s  insns %d  xlated %d  image %d  sha256 %s\n", visible.Text(in.Program.Name),
		len(in.Program.Insns), len(in.Image.Offsets), len(in.Image.Code), Hash(in.Program))
	for _, f := range in.Image.Funcs {
		fmt.Fprintf(&b, "func %s  code +0x%x  %d\n", visible.Text(f.Name), f.Offset, f.Len)
	}
	for _, blk := range Blocks(in) {
		where := fmt.Sprintf("code +0x%x..+0x%x  %d", blk.Offset, blk.Offset+blk.Len, blk.Len)
		if blk.Offset < 0 {
			where = "removed"
		}
		fmt.Fprintf(&b, "%-5s insn %d..%d  %s  %s\n", blk.ID, blk.Start, blk.End-1, where, blk.Ending)
	}
	tables(&b, in)
	return b.String()
}

// tables writes a line for each table that an indirect jump uses.
func tables(b *strings.Builder, in Input) {
	g := in.Succ.Graph
	for i, t := range in.Program.Tables {
		fmt.Fprintf(b, "table %s ", visible.Text(t.Name))
		for j, pc := range t.Targets {
			to := "-"
			if blk, ok := g.BlockAt(pc); ok {
				to = blk.String()
				if d := pc - g.Blocks[blk].Start; d > 0 {
					to += fmt.Sprintf("+%d", d)
				}
			}
			fmt.Fprintf(b, " %d:%s+0x%x", j, to, in.Image.Tables[i][j])
		}
		b.WriteByte('\n')
	}
}

// ending says how a block ends, by block names instead of distances.
func ending(in Input, id cfg.BlockID) string {
	g := in.Succ.Graph
	last := g.Blocks[id].Last
	text := visible.Text(in.Program.Text(last))
	f := in.Program.Flow(last)
	switch f.Kind {
	case bytecode.FlowNext, bytecode.FlowFuncAddr, bytecode.FlowHelper:
		text = ""
	case bytecode.FlowGoto, bytecode.FlowCond, bytecode.FlowKey:
		if i := strings.LastIndex(text, "goto"); i >= 0 {
			text = strings.TrimSpace(text[:i])
		}
		if f.Kind == bytecode.FlowGoto {
			text = "goto"
		}
	case bytecode.FlowCall:
		text = "call"
	}
	var to []string
	for _, e := range g.Succs(id) {
		to = append(to, e.To.String())
	}
	if len(to) > 0 {
		text = strings.TrimSpace(text + " → " + strings.Join(to, " "))
	}
	return text
}

// Hash returns the first 16 hexadecimal digits of the SHA-256 of a program's
// instructions and tables, as submitted: it tells whether two layouts are of
// the same program.
func Hash(p *bytecode.Program) string {
	h := sha256.New()
	h.Write(bytecode.Encode(p.Insns, binary.LittleEndian))
	for _, t := range p.Tables {
		fmt.Fprintf(h, "table %d\n", len(t.Targets))
		for _, pc := range t.Targets {
			fmt.Fprintf(h, "%d\n", pc)
		}
	}
	return hex.EncodeToString(h.Sum(nil))[:16]
}
