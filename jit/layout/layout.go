// Package layout finds the bytes of each basic block in an image.
//
//	l := layout.Of(g, xlated, funcs, img)
//	for _, p := range l.Pieces {
//		fmt.Printf("%v +%#x %d\n", p.Block, p.Offset, p.Len) // b3 +0x51 34
//	}
//
// The pieces tile the image: every byte lies in exactly one. A block has several when the
// verifier moved code between its instructions, and one of length 0 when its instructions need no
// machine code. Package jit/verify checks that the machine code has the control flow of the
// blocks.
package layout

import (
	"cmp"
	"slices"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/jit"
)

// Kind says what the bytes of a piece are.
type Kind uint8

// The kinds of piece.
const (
	Block    Kind = iota + 1 // code of a basic block
	Prologue                 // function entry: frame, saved registers
	Hidden                   // a function that the verifier added
)

// String returns "block", "prologue" or "hidden".
func (k Kind) String() string {
	return [...]string{"invalid", "block", "prologue", "hidden"}[min(k, Hidden)]
}

// Piece is a run of bytes of an image.
type Piece struct {
	Kind   Kind
	Block  cfg.BlockID // for kind Block, else cfg.NoBlock
	Func   int         // index in Image.Funcs
	Offset int         // in Image.Code
	Len    int         // bytes, may be 0
	// First and Last are the xlated slots of the piece, Last exclusive; both 0
	// for a prologue.
	First, Last bytecode.PC
}

// Layout is the place of every block in an image.
type Layout struct {
	Pieces []Piece // by Offset, then in slot order
	// Code holds for each block the offset in Image.Code of its first
	// instruction's code, -1 for a block that the verifier removed.
	Code []int
}

// Of returns the layout of the graph's blocks. xlated holds for each slot of
// the graph's program its first xlated slot, or jit.Deleted; it does not
// decrease over the slots that are left. funcs are those of the jit.Program
// that img was made from.
func Of(g *cfg.Graph, xlated []bytecode.PC, funcs []jit.Func, img *jit.Image) *Layout {
	owner := owners(xlated, len(img.Offsets))
	l := &Layout{Code: make([]int, len(g.Blocks))}
	for b := range l.Code {
		l.Code[b] = -1
	}
	for f, fi := range img.Funcs {
		l.addFunc(g, owner, funcs[f], f, fi, img)
	}
	slices.SortStableFunc(l.Pieces, func(a, b Piece) int { return cmp.Compare(a.Offset, b.Offset) })
	return l
}

// owners returns for each xlated slot the source slot that it was made from: the last one whose
// first xlated slot is not after it; -1 for slots before all source slots.
func owners(xlated []bytecode.PC, n int) []bytecode.PC {
	own := make([]bytecode.PC, n)
	for i := range own {
		own[i] = -1
	}
	for pc, x := range xlated {
		if x >= 0 && int(x) < n {
			own[x] = bytecode.PC(pc)
		}
	}
	for i := 1; i < n; i++ {
		if own[i] < 0 {
			own[i] = own[i-1]
		}
	}
	return own
}

// addFunc appends the pieces of one function.
func (l *Layout) addFunc(g *cfg.Graph, owner []bytecode.PC, fn jit.Func, f int, fi jit.FuncImage, img *jit.Image) {
	if fn.Hidden {
		l.Pieces = append(l.Pieces, Piece{Kind: Hidden, Block: cfg.NoBlock, Func: f, Offset: fi.Offset, Len: fi.Len,
			First: fn.Start, Last: fn.End})
		return
	}
	l.Pieces = append(l.Pieces, Piece{Kind: Prologue, Block: cfg.NoBlock, Func: f, Offset: fi.Offset, Len: fi.Prologue})
	end := func(x bytecode.PC) int { // where the code of slot x-1 ends
		if x >= fn.End {
			return fi.Offset + fi.Len
		}
		return fi.Offset + int(img.Offsets[x])
	}
	for x := fn.Start; x < fn.End; {
		b := blockOf(g, owner[x])
		from := x
		for x++; x < fn.End && blockOf(g, owner[x]) == b; x++ {
		}
		off := fi.Offset + int(img.Offsets[from])
		l.Pieces = append(l.Pieces, Piece{Kind: Block, Block: b, Func: f, Offset: off, Len: end(x) - off,
			First: from, Last: x})
		if b != cfg.NoBlock && l.Code[b] < 0 {
			l.Code[b] = off
		}
	}
}

// blockOf returns the block of a source slot, or cfg.NoBlock.
func blockOf(g *cfg.Graph, pc bytecode.PC) cfg.BlockID {
	b, ok := g.BlockAt(pc)
	if !ok {
		return cfg.NoBlock
	}
	return b
}
