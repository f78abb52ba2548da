package where

import (
	"fmt"
	"strings"

	"golang.org/x/arch/x86/x86asm"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/jit/layout"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/x86/disasm"
)

// Place describes an offset in a function's code.
type Place struct {
	Program    string `json:"program"`
	Profile    string `json:"profile"`
	Function   string `json:"function"`
	Offset     int    `json:"offset"` // from the function's address
	Kind       string `json:"kind"`   // block, prologue or hidden
	Block      int    `json:"block"`  // -1 outside of blocks
	X86        X86    `json:"x86"`
	Xlated     Slot   `json:"xlated"`
	Original   Slot   `json:"original"` // slot -1: inserted by the verifier, or not known
	Line       *Line  `json:"line"`
	ReturnFrom *Call  `json:"return_from"` // the call that returns here

	title     string // of the profile
	rewritten bool
}

// X86 is a machine instruction.
type X86 struct {
	Offset int    `json:"offset"` // where the instruction starts
	Text   string `json:"text"`
}

// Slot is a BPF instruction.
type Slot struct {
	Slot int    `json:"slot"`
	Text string `json:"text"`
}

// Line is a line of C.
type Line struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
	Text   string `json:"text"`
}

// Call is a call before a return address.
type Call struct {
	Offset   int   `json:"offset"`
	Block    int   `json:"block"`
	Xlated   Slot  `json:"xlated"`
	Original Slot  `json:"original"`
	Line     *Line `json:"line"`
}

// At returns what is at an offset, in bytes, from the address of function f of an
// analysis that has an image. It returns an error for an offset outside of the function.
func At(a *pipeline.Analysis, f, off int) (*Place, error) {
	fi := a.Image.Funcs[f]
	if off < 0 || off >= fi.Len-fi.Entry {
		return nil, fmt.Errorf("function %s has %d bytes of code: +%#x is outside", fi.Name, fi.Len-fi.Entry, off)
	}
	l := layout.Of(a.Graph, a.Rewrite.Xlated, a.Rewrite.Program.Funcs, a.Image)
	at := fi.Entry + off // from the start of the image of the function
	d := &Place{
		Program: a.Program.Name, Profile: a.Profile.Name, title: a.Profile.Title(),
		Function: fi.Name, Offset: off, rewritten: a.Program.Rewritten,
	}
	if f < len(a.Program.Subprogs) && d.Function == "" {
		d.Function = a.Program.Subprogs[f].Label()
	}
	piece := pieceAt(l, fi.Offset+at)
	d.Kind, d.Block = piece.Kind.String(), int(piece.Block)
	if piece.Block == cfg.NoBlock {
		d.Block = -1
	}
	d.Xlated, d.Original, d.Line = slotsAt(a, f, at)
	code := a.Image.Code[fi.Offset : fi.Offset+fi.Len]
	start, prev, err := x86At(code, at)
	if err != nil {
		return nil, fmt.Errorf("function %s: %w", fi.Name, err)
	}
	in, err := disasm.Decode(code, start)
	if err != nil {
		return nil, fmt.Errorf("function %s: %w", fi.Name, err)
	}
	d.X86 = X86{start - fi.Entry, in.Text}
	if prev >= 0 && start == at {
		if before, err := disasm.Decode(code, prev); err == nil && before.Inst.Op == x86asm.CALL {
			c := &Call{Offset: prev - fi.Entry, Block: int(pieceAt(l, fi.Offset+prev).Block)}
			c.Xlated, c.Original, c.Line = slotsAt(a, f, prev)
			d.ReturnFrom = c
		}
	}
	return d, nil
}

// pieceAt returns the piece that holds a byte of the image.
func pieceAt(l *layout.Layout, at int) layout.Piece {
	best := layout.Piece{Block: cfg.NoBlock}
	for _, p := range l.Pieces {
		if p.Offset <= at && at < p.Offset+p.Len {
			best = p
		}
	}
	return best
}

// slotsAt returns the xlated and the original instruction whose code holds the
// byte at an offset in the image of function f, and its source line.
func slotsAt(a *pipeline.Analysis, f, at int) (xlated, original Slot, line *Line) {
	fn := a.Rewrite.Program.Funcs[f]
	insns := a.Rewrite.Program.Insns
	slot := bytecode.PC(-1)
	for pc := fn.Start; pc < fn.End && int(a.Image.Offsets[pc]) <= at; pc += insns[pc].Slots() {
		slot = pc
	}
	none := Slot{Slot: -1}
	if slot < 0 {
		return none, none, nil
	}
	xlated = Slot{int(slot), a.XlatedProgram().Text(slot)}
	orig := a.Rewrite.Original[slot]
	if a.Program.Rewritten {
		xlated.Text, orig = a.Program.Text(slot), slot
	}
	original = none
	if orig >= 0 {
		if l, ok := a.Program.LineAt(orig); ok {
			line = &Line{l.File, l.Line, l.Col, strings.TrimSpace(l.Text)}
		}
		if !a.Program.Rewritten {
			original = Slot{int(orig), a.Program.Text(orig)}
		}
	}
	return xlated, original, line
}

// x86At returns where the x86 instruction starts that holds the byte at an
// offset, and where the one before it does, -1 without one.
func x86At(code []byte, at int) (start, prev int, err error) {
	prev = -1
	for off := 0; off < len(code); {
		in, err := disasm.Decode(code, off)
		if err != nil {
			return 0, -1, err
		}
		if at < off+in.Len {
			return off, prev, nil
		}
		prev, off = off, off+in.Len
	}
	panic("bug: an offset after the code")
}
