// Package verify checks that machine code has the control flow of the bytecode
// it was made from. It trusts nothing of the compiler: the bytes are decoded by
// a disassembler that is not ours, and every jump, call, indirect jump and
// return that comes out is compared with what the instruction says.
//
//	r := verify.Check(p, img, prof)
//	for _, m := range r.Mismatches {
//		fmt.Println(m) // dispatch: insn 7 at +0x31: jumps to +0x55, should to +0x51
//	}
//
// What is checked: functions tile the image, instructions tile the functions
// and begin where the offset map says; a jump goes to the code of its target
// and nowhere else, with the condition, operands and width of the instruction;
// an instruction that is no jump leaves its code at the end only; the first
// exit of a function returns, later ones go to it; indirect jumps go through
// the right register; calls go to the right function; table entries point at
// the code of their targets, with ENDBR64 there where the profile wants it;
// padding consists of the nops that Linux uses. What is not: that arithmetic,
// loads and stores compute the right thing, and the frame that a prologue sets
// up. Together that makes machine CFG and bytecode CFG isomorphic under the
// offset map.
package verify

import (
	"fmt"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/x86/disasm"
)

// Mismatch is a place where machine code and bytecode differ.
type Mismatch struct {
	Func   int         // index in Image.Funcs
	Name   string      // of the function
	PC     bytecode.PC // xlated slot, -1 for a prologue, a whole function or a table
	Offset int         // in Image.Code, -1 for a table entry that points nowhere
	BPF    string      // instruction text, or what was expected of
	Text   string      // both sides in words
}

// String returns the mismatch as one line.
func (m Mismatch) String() string {
	if m.PC < 0 {
		return fmt.Sprintf("%s: at +%#x: %s", m.Name, m.Offset, m.Text)
	}
	return fmt.Sprintf("%s: insn %d (%s) at +%#x: %s", m.Name, m.PC, m.BPF, m.Offset, m.Text)
}

// Report says what Check looked at and what it found.
type Report struct {
	Funcs, Insns, X86             int // functions, xlated instructions, x86 instructions
	Jumps, Calls, Indirect, Exits int // xlated instructions of these kinds
	Entries                       int // table entries
	Mismatches                    []Mismatch
}

// OK reports whether nothing differs.
func (r *Report) OK() bool { return len(r.Mismatches) == 0 }

// maxMismatches bounds a report: code that is wrong everywhere is not told in
// full.
const maxMismatches = 1000

// Check compares the image with the program it was made from. The profile
// says where ENDBR64 belongs and how indirect jumps look.
func Check(p *jit.Program, img *jit.Image, prof jit.Profile) *Report {
	c := &checker{p: p, img: img, prof: prof, r: &Report{}}
	if !c.shape() {
		return c.r
	}
	for f := range p.Funcs {
		c.function(f)
	}
	c.tables()
	return c.r
}

// checker is the work of one Check.
type checker struct {
	p    *jit.Program
	img  *jit.Image
	prof jit.Profile
	r    *Report

	fn      int           // current function
	code    []byte        // its bytes
	starts  []uint64      // bit set of the offsets at which an x86 instruction begins, and of the end
	x86     []disasm.Insn // of the instruction at hand: decoded instructions are large
	cleanup int           // offset of the first exit's code, -1 before it
	// landing is the same but for a leading ENDBR64, which is there when indirect
	// jumps go to that exit. Linux lets later exits jump to it (cleanup_addr in
	// do_jit, arch/x86/net/bpf_jit_comp.c, Linux 7.3); it does nothing then.
	landing int
}

// begins reports whether an x86 instruction begins at an offset, or the code ends
// there.
func (c *checker) begins(off int) bool { return c.starts[off>>6]>>(off&63)&1 != 0 }

// between returns the x86 instructions from one offset to another, both of which
// begin one. The slice is used again for the next.
func (c *checker) between(start, end int) []disasm.Insn {
	c.x86 = c.x86[:0]
	for off := start; off < end; {
		in, err := disasm.Scan(c.code, off)
		if err != nil {
			panic("bug: what was decoded once cannot be decoded: " + err.Error())
		}
		c.x86 = append(c.x86, in)
		off += in.Len
	}
	return c.x86
}

// fail records a mismatch at an offset in the current function.
func (c *checker) fail(pc bytecode.PC, off int, format string, args ...any) {
	if len(c.r.Mismatches) >= maxMismatches {
		return
	}
	m := Mismatch{Func: c.fn, PC: pc, Offset: off, Text: fmt.Sprintf(format, args...)}
	if c.fn < len(c.img.Funcs) {
		m.Name = c.img.Funcs[c.fn].Name
		m.Offset += c.img.Funcs[c.fn].Offset
	}
	if pc >= 0 {
		m.BPF = bytecode.Text(c.p.Insns, pc)
	}
	c.r.Mismatches = append(c.r.Mismatches, m)
}

// shape checks that functions tile the image and that the offset map has the
// program's size, without which nothing else can be looked at.
func (c *checker) shape() bool {
	if len(c.img.Funcs) != len(c.p.Funcs) || len(c.img.Offsets) != len(c.p.Insns) ||
		len(c.img.Tables) != len(c.p.Tables) {
		c.fail(-1, 0, "%d functions, %d offsets and %d tables for a program of %d functions, %d slots and %d tables",
			len(c.img.Funcs), len(c.img.Offsets), len(c.img.Tables), len(c.p.Funcs), len(c.p.Insns), len(c.p.Tables))
		return false
	}
	end, slot := 0, bytecode.PC(0)
	for f, fi := range c.img.Funcs {
		c.fn = f
		fn := c.p.Funcs[f]
		if fi.Offset != end || fi.Len <= 0 || fi.Offset+fi.Len > len(c.img.Code) {
			c.fail(-1, 0, "function occupies bytes %d to %d of %d, should begin at %d", fi.Offset, fi.Offset+fi.Len,
				len(c.img.Code), end)
			return false
		}
		if fn.Start != slot || fn.End <= fn.Start || int(fn.End) > len(c.p.Insns) {
			c.fail(-1, 0, "function has slots %d to %d, should begin at %d", fn.Start, fn.End, slot)
			return false
		}
		end, slot = fi.Offset+fi.Len, fn.End
	}
	if end != len(c.img.Code) || int(slot) != len(c.p.Insns) {
		c.fail(-1, 0, "functions end at byte %d of %d, slot %d of %d", end, len(c.img.Code), slot, len(c.p.Insns))
		return false
	}
	return true
}

// function checks one function.
func (c *checker) function(f int) {
	c.fn, c.cleanup = f, -1
	fi, fn := c.img.Funcs[f], c.p.Funcs[f]
	c.code = c.img.Code[fi.Offset : fi.Offset+fi.Len]
	c.r.Funcs++
	if !c.decode() || !c.offsets(fn) {
		return
	}
	c.prologue(fn)
	for pc := fn.Start; pc < fn.End; pc += c.p.Insns[pc].Slots() {
		c.r.Insns++
		c.insn(fn, pc)
	}
}

// decode decodes the function's bytes; they must be instructions to the end.
func (c *checker) decode() bool {
	c.starts = make([]uint64, len(c.code)/64+1)
	for off := 0; ; {
		c.starts[off>>6] |= 1 << (off & 63)
		if off == len(c.code) {
			return true
		}
		in, err := disasm.Scan(c.code, off)
		if err != nil {
			c.fail(-1, 0, "%v", err)
			return false
		}
		c.r.X86++
		off += in.Len
	}
}

// offsets checks that the offset map does not decrease and names starts of x86
// instructions.
func (c *checker) offsets(fn jit.Func) bool {
	prev := 0
	for pc := fn.Start; pc < fn.End; pc += c.p.Insns[pc].Slots() {
		off := int(c.img.Offsets[pc])
		if off < prev || off > len(c.code) || !c.begins(off) {
			c.fail(pc, off, "no x86 instruction begins here, or it lies before +%#x", prev)
			return false
		}
		prev = off
	}
	return true
}

// start returns where the code of slot pc begins in the current function;
// the slot behind the last has its end.
func (c *checker) start(pc bytecode.PC) int {
	if pc >= c.p.Funcs[c.fn].End {
		return len(c.code)
	}
	return int(c.img.Offsets[pc])
}

// prologue checks that the code before the first instruction is left at its
// end only, and begins with ENDBR64 in an IBT build.
func (c *checker) prologue(fn jit.Func) {
	end := c.start(fn.Start)
	for _, in := range c.between(0, end) {
		if to, ok := in.Target(); ok && (to < 0 || to > end) && c.relocAt(in.Offset, in.Len) == nil {
			c.fail(-1, in.Offset, "the prologue jumps out of itself, to +%#x", to)
		}
	}
	entry := c.img.Funcs[c.fn].Entry
	if in, err := disasm.Scan(c.code, entry); c.prof.IBT && c.prof.CFI == "off" &&
		(err != nil || !c.begins(entry) || !in.IsEndbr()) {
		c.fail(-1, entry, "the function does not begin with endbr64")
	}
}

// relocAt returns the relocation inside n bytes at off of the current function,
// or nil.
func (c *checker) relocAt(off, n int) *jit.Reloc {
	base := c.img.Funcs[c.fn].Offset + off
	lo, hi := 0, len(c.img.Relocs)
	for lo < hi {
		if mid := (lo + hi) / 2; c.img.Relocs[mid].Offset < base {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo < len(c.img.Relocs) && c.img.Relocs[lo].Offset < base+n {
		return &c.img.Relocs[lo]
	}
	return nil
}

// tables checks that each entry points at the code of its target.
func (c *checker) tables() {
	for t, targets := range c.p.Tables {
		if len(targets) != len(c.img.Tables[t]) {
			c.fn = 0
			c.fail(-1, 0, "table %d has %d entries for %d targets", t, len(c.img.Tables[t]), len(targets))
			continue
		}
		for i, pc := range targets {
			c.r.Entries++
			c.entry(t, i, pc, int(c.img.Tables[t][i]))
		}
	}
}

// entry checks one table entry: where it points, relative to the target's
// function.
func (c *checker) entry(table, i int, pc bytecode.PC, jitted int) {
	if pc == jit.Deleted {
		if jitted != 0 {
			c.fail(-1, jitted, "table %d[%d] points at +%#x, its instruction was removed", table, i, jitted)
		}
		return
	}
	for f, fn := range c.p.Funcs {
		if pc < fn.Start || pc >= fn.End {
			continue
		}
		c.fn = f
		if want := int(c.img.Offsets[pc]); jitted != want {
			c.fail(pc, want, "table %d[%d] points at +%#x, should at +%#x", table, i, jitted, want)
		}
		return
	}
	c.fn = 0
	c.fail(-1, 0, "table %d[%d] has the target %d, outside the program", table, i, pc)
}
