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
	Path   []bytecode.PC
}

// String returns the mismatch as one line.
func (m Mismatch) String() string {
	if m.PC < 0 {
		return fmt.Sprintf("%s: at +%#x: %s", m.Name, m.Offset, m.Text)
	}
	return fmt.Sprintf("%s: insn %d (%s) at +%#x: %s", m.Name, m.PC, m.BPF, m.Offset, m.Text)
}

// Proof says what was proven, of what was looked at.
type Proof struct {
	Kernel string // the profile's name

	Funcs, Insns, X86             int // functions, rewritten instructions, x86 instructions
	Jumps, Calls, Indirect, Exits int // rewritten instructions of these kinds
	Entries                       int // table entries
	Mismatches                    []Mismatch
}

// OK reports whether nothing differs.
func (p *Proof) OK() bool { return len(p.Mismatches) == 0 }

// maxMismatches bounds a proof: code that is wrong everywhere is not told in
// full.
const maxMismatches = 1000

// Check compares the image with the program it was made from.
func Check(prog *machine.Program, img *machine.Image, k Kernel) *Proof {
	c := &checker{prog: prog, img: img, k: &k, p: &Proof{Kernel: k.Name}}
	if !c.shape() {
		return c.p
	}
	for f := range prog.Funcs {
		c.function(f)
	}
	c.tables()
	return c.p
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
