// Package verify proves that machine code has the control flow of the program
// that it was made from, edge by edge. It trusts neither the rewrites nor the
// compiler, and imports neither: what they made is a Claim. The bytes are
// decoded by a disassembler that is not ours.
//
//	p := verify.Check(prog, img, kernel)
//	fmt.Println(p) // control flow of the rewritten program = machine code, for linux-7.3
//	for _, m := range p.Mismatches {
//		fmt.Println(m) // dispatch: insn 7 (goto +3) at +0x31: jmp 0x55: should be jmp 0x51
//	}
//
// Rewritten program and machine code: functions tile the image; the code of each
// instruction begins where the offset map says and is, from there to that of the
// next, exactly the x86 instructions that this instruction has in this kernel,
// and no others: jumps with their conditions, targets and padding, calls,
// indirect jumps, prologue, epilogue, tail calls, exception callback. That is a
// whitelist. An instruction that transfers control, traps, changes privilege or
// moves the stack pointer is a mismatch wherever it is not one that this place
// must have. Table entries point at the code of their targets.
//
// What is not checked: addresses that only a running kernel knows (they are
// listed as relocations), and that the kernel functions that are called do what
// they should.
package verify

import (
	"fmt"
	"sort"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/jit/machine"
)

// Mismatch is a place where two sides differ.
type Mismatch struct {
	Func   int         // index in Image.Funcs
	Name   string      // of the function
	Source bytecode.PC // source slot, -1 when the mismatch is not about the source
	PC     bytecode.PC // xlated slot, -1 for a prologue, a whole function or a table
	Offset int         // in Image.Code, -1 for a table entry that points nowhere
	BPF    string      // instruction text, or what was expected of
	Text   string      // both sides in words
	// Path holds the first slots of source blocks on a shortest way from the
	// program's entry to the place, both included; nil when none is known.
	Path []bytecode.PC
}

// String returns the mismatch as one line.
func (m Mismatch) String() string {
	var s string
	switch {
	case m.Source >= 0 && m.Offset < 0:
		s = fmt.Sprintf("%s: source insn %d (%s): %s", m.Name, m.Source, m.BPF, m.Text)
	case m.Offset < 0:
		s = fmt.Sprintf("%s: %s", m.Name, m.Text)
	case m.PC < 0:
		s = fmt.Sprintf("%s: at +%#x: %s", m.Name, m.Offset, m.Text)
	default:
		s = fmt.Sprintf("%s: insn %d (%s) at +%#x: %s", m.Name, m.PC, m.BPF, m.Offset, m.Text)
	}
	return s + pathText(m.Path)
}

// Proof says what was compared and what was proven.
type Proof struct {
	Kernel string // the profile's name
	Source bool   // the source graph was compared, not the rewritten program alone
	// Loader describes the loader, on which the rewrites depend, too: "without CAP_BPF and
	// CAP_PERFMON, with hidden constants"; empty for a loader with all rights.
	Loader string
	// Refused is why the kernel does not load the program at all, in its words;
	// empty when it does. Then nothing is proven of the source.
	Refused string

	// Of the source graph: Edges that the machine code has; of these, Unseen edges that the
	// verifier never takes and that remain because it reaches both ends; Absent edges that were
	// removed because nothing reaches them; Removed instructions that were removed with them; and
	// removed Spills.
	Edges, Unseen, Absent, Removed, Spills int
	// Insertions counts replacements that are one of an instruction's known forms, Opaque those of
	// which only is known that they lead to their own end, Unknown the slots that the kernel fills
	// with something only it knows, and the instructions that depend on it.
	Insertions, Opaque, Unknown int

	Funcs, Insns, X86             int // functions, rewritten instructions, x86 instructions
	Jumps, Calls, Indirect, Exits int // rewritten instructions of these kinds
	Entries                       int // table entries
	Mismatches                    []Mismatch
	// Lost holds edges of the source that the kernel itself has no code for: it removes targets of
	// indirect jumps that do nothing, or that its verifier does not follow although an execution
	// selects them. The translation is then the kernel's, but not that of the source.
	Lost []Mismatch
}

// OK reports whether the translation is the kernel's. See Proven.
func (p *Proof) OK() bool { return len(p.Mismatches) == 0 }

// Proven reports whether machine code and source have the same control flow, of a program that the
// kernel accepts.
func (p *Proof) Proven() bool { return p.OK() && len(p.Lost) == 0 && p.Refused == "" && p.Funcs > 0 }

// String says what was proven: "control flow of the source = machine code, for linux-7.3, 3 slots
// unknown", or why the proof failed.
func (p *Proof) String() string {
	side, sign := "the rewritten program", "="
	if p.Source {
		side = "the source"
	}
	if !p.OK() || len(p.Lost) > 0 {
		sign = "≠"
	}
	if p.Refused != "" {
		return fmt.Sprintf("not proven: %s refuses the program: %s", p.Kernel, p.Refused)
	}
	s := fmt.Sprintf("control flow of %s %s machine code, for %s", side, sign, p.Kernel)
	if p.Loader != "" {
		s += " " + p.Loader
	}
	switch p.Unknown {
	case 0:
	case 1:
		s += ", 1 slot unknown"
	default:
		s += fmt.Sprintf(", %d slots unknown", p.Unknown)
	}
	return s
}

// maxMismatches bounds the mismatches that a proof lists: code may be wrong
// everywhere.
const maxMismatches = 1000

// Claim is a translation that is to be checked, from end to end.
type Claim struct {
	Kernel  Kernel
	Source  *Source // nil: only the rewritten program and its machine code
	Refused string  // why the kernel does not load the program; then the source is not compared
	Program *machine.Program
	Image   *machine.Image
}

// Prove compares all parts of a claim: source graph with rewritten program, and
// that with the machine code.
func Prove(c Claim) *Proof {
	if c.Refused != "" {
		c.Source = nil
	}
	out := c.open()
	if c.Source != nil {
		checkSource(c.Source, c.Program, &c.Kernel, out)
	}
	checkImage(c.Program, c.Image, &c.Kernel, out)
	if c.Source != nil {
		explain(c.Source, out)
	}
	return out
}

// open returns a proof that only names its object.
func (c *Claim) open() *Proof {
	p := &Proof{Kernel: c.Kernel.Name, Source: c.Source != nil, Refused: c.Refused}
	if c.Source != nil {
		p.Loader = c.Source.loader()
	}
	return p
}

// Check compares the image with the program it was made from.
func Check(prog *machine.Program, img *machine.Image, k Kernel) *Proof {
	return Prove(Claim{Kernel: k, Program: prog, Image: img})
}

func checkImage(prog *machine.Program, img *machine.Image, k *Kernel, out *Proof) {
	c := &checker{prog: prog, img: img, k: k, p: out}
	if !c.shape() {
		return
	}
	for f := range prog.Funcs {
		c.function(f)
	}
	if len(out.Mismatches) == 0 { // then the offsets of the instructions are right
		c.relocations()
	}
	c.tables()
}

// fail records a mismatch at an offset in the current function.
func (c *checker) fail(pc bytecode.PC, off int, format string, args ...any) {
	if len(c.p.Mismatches) >= maxMismatches {
		return
	}
	m := Mismatch{Func: c.fn, Source: -1, PC: pc, Offset: off, Text: fmt.Sprintf(format, args...)}
	if c.fn < len(c.img.Funcs) {
		m.Name = c.img.Funcs[c.fn].Name
		m.Offset += c.img.Funcs[c.fn].Offset
	}
	if pc >= 0 {
		m.BPF = bytecode.Text(c.prog.Insns, pc)
	}
	c.p.Mismatches = append(c.p.Mismatches, m)
}

// funcOf returns the function that a slot of the program belongs to.
func (c *checker) funcOf(pc bytecode.PC) int {
	funcs := c.prog.Funcs
	return sort.Search(len(funcs), func(i int) bool { return funcs[i].End > pc })
}
