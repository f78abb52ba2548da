package verify

import (
	"strconv"

	"golang.org/x/arch/x86/x86asm"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/jit/machine"
	"github.com/bpfcfg/bpfcfg/jit/x86/disasm"
)

// body is the decoded code of one rewritten instruction, or of a prologue.
type body struct {
	pc         bytecode.PC // -1 for a prologue
	in         bytecode.Insn
	start, end int // offsets in the function
	x86        []disasm.Insn
}

// read decodes the code from one offset to another. It must consist of whole instructions.
func (c *checker) read(b *body) bool {
	b.x86 = c.x86[:0]
	for off := b.start; off < b.end; {
		in, err := disasm.Scan(c.code, off)
		if err != nil {
			c.fail(b.pc, off, "%v", err)
			return false
		}
		if off += in.Len; off > b.end {
			c.fail(b.pc, in.Offset, "%s reaches over the end at +%#x", in, b.end)
			return false
		}
		b.x86 = append(b.x86, in)
	}
	c.x86 = b.x86
	c.p.X86 += len(b.x86)
	return true
}

// match compares a body with the instructions that it must consist of, and reports whether they
// agree.
func (c *checker) match(b *body, wants []want) bool {
	i := 0
	c.places = c.places[:0]
	for k := range wants {
		w := &wants[k]
		if w.pad && i < len(b.x86) && b.x86[i].IsNop() {
			if !c.isPadding(&b.x86[i], w.op) {
				c.fail(b.pc, b.x86[i].Offset, "padding that Linux does not use: % x", c.bytesOf(&b.x86[i]))
				return false
			}
			i++
		}
		if i == len(b.x86) {
			c.fail(b.pc, b.end, "ends where %s is expected", w)
			return false
		}
		in := &b.x86[i]
		c.places = append(c.places, in.Offset)
		if !w.is(in, c.code) || w.to == toOffset && !c.leads(in, w.place) ||
			w.to == awayFrom && !c.leaves(b.pc, in, w.away) || w.to == toFunc && !c.calls(b.pc, in, w.place) {
			c.fail(b.pc, in.Offset, "%s: should be %s", in, w)
			return false
		}
		i++
	}
	if i < len(b.x86) {
		c.fail(b.pc, b.x86[i].Offset, "%s: does not belong here", b.x86[i])
		return false
	}
	return c.innerJumps(b, wants)
}

// innerJumps checks the jumps inside a body.
func (c *checker) innerJumps(b *body, wants []want) bool {
	i := 0
	for k := range wants {
		for b.x86[i].Offset != c.places[k] {
			i++ // padding
		}
		w := &wants[k]
		if w.to != toWant {
			continue
		}
		place := b.end
		if w.place < len(wants) {
			place = c.places[w.place]
		}
		if !c.leads(&b.x86[i], place) || w.long && b.x86[i].Len != 5 {
			c.fail(b.pc, b.x86[i].Offset, "%s: should go to +%#x", b.x86[i], place)
			return false
		}
	}
	return true
}

func (c *checker) bytesOf(in *disasm.Insn) []byte { return c.code[in.Offset : in.Offset+in.Len] }

// isPadding reports whether a nop is the one that keeps the size of a jump that
// has become short: 4 bytes with a condition, 3 without
// (arch/x86/net/bpf_jit_comp.c emit_nops and its callers, Linux 7.3).
func (c *checker) isPadding(in *disasm.Insn, op x86asm.Op) bool {
	h := nop4
	if op == x86asm.JMP {
		h = nop3
	}
	return string(c.bytesOf(in)) == padding[h]
}

// leads reports whether a direct jump goes to an offset in the function, in one
// of the forms without prefix: 2 bytes, 5 without and 6 with a condition.
func (c *checker) leads(in *disasm.Insn, place int) bool {
	to, ok := in.Target()
	long := 6
	if in.Inst.Op == x86asm.JMP {
		long = 5
	}
	return ok && to == place && (in.Len == 2 || in.Len == long)
}

// leaves reports whether a direct jump or call leaves the image for a kernel
// symbol, or any symbol for none: by its relocation, which belongs to the
// instruction, and by address as far as that is known.
func (c *checker) leaves(pc bytecode.PC, in *disasm.Insn, symbol string) bool {
	r := c.relocAt(in.Offset, in.Len)
	return r != nil && r.PC == pc && (symbol == "" || r.Target == symbol) && r.Kind == machine.RelRel32 &&
		r.Offset == c.origin()+in.Offset+in.Len-4 && (c.resolvedRight(r, in) || symbol == tailTarget && c.callsItself(in))
}

// tailTarget is the symbol of the target of a direct tail call.
const tailTarget = "tail call target"

// callsItself reports whether a tail call leads to the program that it is in.
func (c *checker) callsItself(in *disasm.Insn) bool {
	to, ok := in.Target()
	return ok && c.fn == 0 && to == c.img.Funcs[0].Entry+c.landingPad()
}

// resolvedRight reports whether a resolved relocation leads out of the function
// as a kernel function must; one that is not resolved holds zeros.
func (c *checker) resolvedRight(r *machine.Reloc, in *disasm.Insn) bool {
	to, ok := in.Target()
	if !ok {
		return false
	}
	if !r.Resolved {
		return to == in.Offset+in.Len
	}
	return to < 0 || to >= len(c.code)
}

// calls reports whether a call is of a function of the program. Functions lie
// at addresses of their own, so it is compared by address where the addresses
// are known, and by its relocation otherwise.
func (c *checker) calls(pc bytecode.PC, in *disasm.Insn, fn int) bool {
	to, ok := in.Target()
	if !ok {
		return false
	}
	if addrs := c.prog.Addresses.Funcs; len(addrs) == len(c.prog.Funcs) && addrs[c.fn] != 0 && addrs[fn] != 0 {
		base := addrs[c.fn] - uint64(c.img.Funcs[c.fn].Entry)
		return base+uint64(int64(to)) == addrs[fn]
	}
	return c.leaves(pc, in, "func "+strconv.Itoa(fn))
}

// relocAt returns the relocation inside n bytes at off of the current function,
// or nil.
func (c *checker) relocAt(off, n int) *machine.Reloc {
	base := c.origin() + off
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

// origin returns where the current function begins in the image.
func (c *checker) origin() int { return c.img.Funcs[c.fn].Offset }
