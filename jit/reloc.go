package jit

import (
	"strconv"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/jit/x86"
)

// ip returns the address of the next byte to be emitted. It is valid only if c.base is known.
func (c *function) ip() uint64 { return c.base + uint64(c.start) + uint64(c.x.Len()) }

// rel32 emits the distance from the end of the field to addr, or zeros if that or the image's own
// address is not known, and reports whether they are known.
func (c *function) rel32(addr uint64, known bool) bool {
	known = known && c.base != 0
	rel := int32(0)
	if known {
		rel = int32(uint32(addr - (c.ip() + 4)))
	}
	c.x.Imm32(rel)
	return known
}

// branch emits a jump (e9) or call (e8) to a kernel symbol.
func (c *function) branch(op byte, symbol string) {
	var addr uint64
	known := false
	if c.emit {
		addr, known = c.symbol(symbol)
	}
	c.branchTo(op, addr, known, symbol, 0)
}

// branchTo emits a jump or call to addr, which lies addend bytes after the
// target.
func (c *function) branchTo(op byte, addr uint64, known bool, target string, addend int64) {
	c.x.Byte(op)
	c.reloc(4, RelRel32, c.rel32(addr, known), target, addend)
}

// movAddress emits a move of an address to r, and returns size and kind of its
// field. Of an address that is not known the form is the 7-byte one if near is
// set, else that of 10 bytes.
func (c *function) movAddress(r x86.Reg, addr uint64, known, near bool) (size int, kind RelocKind) {
	x := &c.x
	short := c.prof.MovImm64Short
	switch {
	case known:
		x.MovImm64(r, addr, short)
		if addr>>32 == 0 {
			return 0, ""
		}
		near = short && x86.FitsInt32(addr)
	case near && short:
		x.MovSigned(r, 0)
	default:
		x.MovAbs(r, 0)
	}
	if near && short {
		return 4, RelAbs32S
	}
	return 8, RelAbs64
}

// reloc records that the last size bytes depend on target. Size 0 means that the value is encoded
// without a patchable field, so no relocation is recorded.
func (c *function) reloc(size int, kind RelocKind, resolved bool, target string, addend int64) {
	if !c.emit || size == 0 {
		return
	}
	pc := bytecode.PC(-1)
	if c.slot >= 0 {
		pc = c.fn.Start + bytecode.PC(c.slot)
	}
	c.img.Relocs = append(c.img.Relocs, Reloc{
		Offset: c.origin + int(c.start) + c.x.Len() - size,
		Size:   size, Kind: kind, PC: pc, Target: target, Addend: addend, Resolved: resolved,
	})
}

// relocOperand is reloc for an instruction's operand.
func (c *function) relocOperand(size int, kind RelocKind, resolved bool, op *operand) {
	if c.emit {
		target, addend := c.targetOf(op)
		c.reloc(size, kind, resolved, target, addend)
	}
}

// targetOf names what an operand refers to.
func (c *function) targetOf(op *operand) (string, int64) {
	if op.callee >= 0 {
		return "func " + strconv.Itoa(int(op.callee)), 0
	}
	if op.ref < 0 {
		in := c.insns[op.slot]
		return bareTarget(in), 0
	}
	return refTarget(c.prog.Refs[op.ref])
}

// bareTarget names an operand without a reference by the numbers in its bits.
func bareTarget(in bytecode.Insn) string {
	imm := strconv.Itoa(int(in.Imm))
	switch {
	case in.IsWide():
		return "pseudo " + strconv.Itoa(int(in.Src)) + " " + imm
	case in.Src == bytecode.CallKfunc:
		return "kfunc " + imm
	default:
		return "helper " + imm
	}
}

// refTarget names a reference: kernel functions and variables by their symbol
// alone, everything else with its kind.
func refTarget(r bytecode.Ref) (string, int64) {
	name := r.Name
	if name == "" {
		name = strconv.Itoa(r.Index)
	}
	switch r.Kind {
	case bytecode.RefMap:
		return "map " + name, 0
	case bytecode.RefMapValue:
		return "map-value " + name, r.Off
	case bytecode.RefTable:
		return "table " + name, r.Off
	case bytecode.RefTableMap:
		return "table-map " + name, 0
	case bytecode.RefHelper:
		return symbolOr(r.Name, "helper ", name), 0
	case bytecode.RefKfunc:
		return symbolOr(r.Name, "kfunc ", name), 0
	case bytecode.RefKsym:
		return symbolOr(r.Name, "ksym ", name), 0
	case bytecode.RefBTFID:
		return symbolOr(r.Name, "btf-id ", name), 0
	}
	return "unknown " + name, r.Off
}

// symbolOr returns symbol, or a description if it is empty.
func symbolOr(symbol, kind, name string) string {
	if symbol != "" {
		return symbol
	}
	return kind + name
}

// mayFault records that the x86 instruction from start, an offset in c.x, to
// the end may fault. A fault skips it.
func (c *function) mayFault(start int) {
	if !c.emit {
		return
	}
	c.img.Extable = append(c.img.Extable, ExtableSite{
		PC:     c.fn.Start + bytecode.PC(c.slot),
		Offset: c.origin + int(c.start) + start,
		Len:    c.x.Len() - start,
	})
}
