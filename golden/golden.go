// Package golden writes the layout of a program's machine code as text for review and for files,
// reads it back, and explains the differences between two layouts.
//
//	a, err := pipeline.Run(p, profile, rewrite.Options{})
//	in, err := golden.InputOf(a)
//	l := golden.Of(in)
//	fmt.Print(l.Text())
//
//	# bpfcfg layout 2
//	profile linux-7.3
//	program dispatch  insns 50  xlated 50  image 212  sha256 1f0c5b…  code 77ab02…
//	func dispatch  code +0x0..+0xd4  212
//	b0    insn 0..3  code +0x14..+0x2f  27  5a0be3c1  if w1 > 0xe → b17 | b1
//	b1    insn 4..8  code +0x2f..+0x51  34  9d41f00c  gotox r2 → b2 b3 b4 (15 of 15, table BPF.JT.0.0[0..14])
//	…
//	table BPF.JT.0.0  15 entries
//	  0  b2 b3 b4 …
//
//	old, err := golden.Parse(file)
//	for _, c := range golden.Compare(old, l) {
//		fmt.Println(c) // b7 grew 4 bytes: its jump to b12 became long because b9 gained 6 bytes
//	}
//
// The text is small and symbolic: one line for each block, no addresses, no C line numbers (those
// change with every comment). Offsets are bytes from the start of the image, insn numbers are
// slots of the program as submitted. The hash of a block comes from package shape and finds the
// block again when its number changes. The package neither reads nor writes files.
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
	"github.com/bpfcfg/bpfcfg/succ"
)

// FormatVersion is the number in the first line of the text.
const FormatVersion = 2

// Input is the input of a layout.
type Input struct {
	Program *bytecode.Program
	Succ    *succ.Result
	Xlated  []bytecode.PC // first xlated slot of each slot, or jit.Deleted
	Funcs   []jit.Func    // those the image was made from
	Image   *jit.Image
	// Unpredicted counts the xlated slots that differ in the kernel; if there are any, sizes are
	// not certain.
	Unpredicted int
	// Unverified reports whether nothing was compared with the kernel of the profile.
	Unverified bool
}

// File is the content of a golden file. Names are in the form that Word gives.
type File struct {
	Profile string
	// Unverified reports whether nothing was compared with the profile's kernel. Files that
	// differ only in it count as equal.
	Unverified bool
	Program    string
	Insns      int    // slots as submitted
	Xlated     int    // slots after the verifier's rewrites
	Image      int    // bytes
	Hash       string // of the program as submitted: see Hash
	Code       string // of the machine code, with zeros at relocation sites

	Unpredicted int // see Input

	// With lists the other parts that were submitted: the program's type and flags, its maps, its
	// constants, and the values that the loader writes.
	With []Part

	Funcs  []Func
	Blocks []Block // of all functions, in order
	Tables []Table
}

// Part is a submitted part other than the instructions.
type Part struct{ Name, Text string }

// Func is a function of a File.
type Func struct {
	Name string
	// Offset and Len are its bytes in the image; Offset is -1 if the verifier removes the
	// function.
	Offset, Len int
	// First and Last are its blocks, Last exclusive. A function that the
	// verifier added has none.
	First, Last int
}

// Block is the place of a basic block.
type Block struct {
	ID         cfg.BlockID
	Start, End bytecode.PC // slots, End exclusive
	Reachable  bool        // not in the text: the verifier removes an unreachable block
	// Offset and Len are the bytes of the block in the image. Offset is -1 if the verifier
	// removes the block. A block in several pieces has the first piece's offset and the sum of
	// their lengths.
	Offset, Len int
	Hash        string // of its instructions, without distances: 8 hexadecimal digits
	Ending      Ending
}

// Ending is the end of a block, with block names instead of distances.
type Ending struct {
	Op string // "if w1 > 0xe", "goto", "gotox r2", "exit", "call step", empty when it runs on
	// To are the blocks that it jumps to or calls, and More reports whether there are others.
	// Next are the blocks after it: fall-through, or the return of a call.
	To, Next []cfg.BlockID
	More     bool
	Long     bool   // the jump takes the long form, with a distance of 32 bits
	Detail   string // "15 of 15, table BPF.JT.0.0[0..14]"
}

// Table is a jump table of a File.
type Table struct {
	Name    string
	Entries []Entry
}

// Entry is an entry of a Table.
type Entry struct {
	Block cfg.BlockID // target, cfg.NoBlock outside the program
	Slots int         // distance of the target from the block's start
	// Removed reports that the verifier removed the target. Otherwise Offset is the byte in the
	// image that the entry points to if that is not the start of the block's code, and -1 if it
	// is.
	Removed bool
	Offset  int
}

// Text returns the layout of an analysed program as golden text.
func Text(in Input) string { return Of(in).Text() }

// Blocks returns the place of each block, in order.
func Blocks(in Input) []Block { return Of(in).Blocks }

// Hash returns the first 16 hexadecimal digits of the SHA-256 of a program's instructions and
// tables, as submitted. It shows whether two layouts are of the same program.
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

// hashBytes returns the first 16 hexadecimal digits of the SHA-256 of data.
func hashBytes(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])[:16]
}

// Word returns a name from a file as one word of a line: safe to print, never empty, and without
// spaces and arrows, which separate words.
func Word(name string) string {
	if name == "" {
		return `\-`
	}
	return strings.NewReplacer(" ", `\x20`, "→", `\u2192`).Replace(visible.Text(name))
}

// String returns the ending as the text has it.
func (e Ending) String() string {
	var b strings.Builder
	b.WriteString(e.Op)
	if len(e.To)+len(e.Next) > 0 {
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString("→")
	}
	for _, id := range e.To {
		b.WriteByte(' ')
		b.WriteString(id.String())
	}
	if e.More {
		b.WriteString(" …")
	}
	if e.Long {
		b.WriteString(" long")
	}
	if e.Op != "" && len(e.Next) > 0 {
		b.WriteString(" |")
	}
	for _, id := range e.Next {
		b.WriteByte(' ')
		b.WriteString(id.String())
	}
	if e.Detail != "" {
		b.WriteString(" (" + e.Detail + ")")
	}
	return b.String()
}
