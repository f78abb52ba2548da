package load

import (
	"debug/elf"
	"fmt"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// operand is the meaning of an instruction's relocation.
type operand struct {
	kind  operandKind
	fn    int    // operandCall, operandFunc: function of the object
	index int    // operandMap, operandValue: map of the object
	off   uint32 // operandValue: byte offset, as the kernel reads it
	table elf.Sym64
	name  string // operandTable, operandKfunc, operandKsym
	typed bool   // operandKsym: by BTF id
	weak  bool   // operandKfunc, operandKsym: the kernel need not have it
	odd   string // a reason for which libbpf would object
}

// operandKind is the kind of thing that a relocated instruction refers to.
type operandKind uint8

// The kinds of operands, with libbpf's names for the relocations (enum
// reloc_type in tools/lib/bpf/libbpf.c).
const (
	operandNone   operandKind = iota
	operandCall               // a subprogram (RELO_CALL)
	operandFunc               // the address of a subprogram (RELO_SUBPROG_ADDR)
	operandMap                // a map (RELO_LD64)
	operandValue              // a place in a data section (RELO_DATA, RELO_EXTERN_LD64)
	operandTable              // a jump table (RELO_INSN_ARRAY)
	operandKfunc              // a kernel function (RELO_EXTERN_CALL)
	operandKsym               // a kernel variable (RELO_EXTERN_LD64)
	operandOpaque             // a symbol that is defined elsewhere, which libbpf would not find
)

// tablesSection holds the jump tables. It is not loaded as such and has no relocations.
const tablesSection = ".jumptables"

// resolve returns the operand of an instruction of a function by its relocation. Like libbpf, it
// decides by instruction and symbol, not by the relocation's type.
func (o *object) resolve(in bytecode.Insn, r reloc) (operand, error) {
	sym := o.f.symbols[r.sym]
	name := o.f.symName(sym)
	isCall := in.Code == bytecode.CodeCall
	if !isCall && !in.IsWide() {
		return operand{}, fmt.Errorf("relocation against %q on opcode %#02x, which takes none: %w",
			name, in.Code, ErrTruncated)
	}
	if isExtern(sym) {
		return o.resolveExtern(name, isCall, elf.ST_BIND(sym.Info) == elf.STB_WEAK), nil
	}
	sec := int(sym.Shndx)
	switch {
	case elf.SectionIndex(sym.Shndx) == elf.SHN_COMMON:
		return operand{}, fmt.Errorf("variable %q has no section: initialize it, or compile with -fno-common", name)
	case sec <= 0 || sec >= len(o.f.sections):
		return opaque(name), nil
	case isCall:
		return o.resolveCall(in, sym, name)
	case o.code[sec] != nil:
		return o.resolveFunc(in, sym, name)
	}
	return o.resolveData(in, sym, name)
}

// resolveExtern finds the meaning of an undefined symbol.
func (o *object) resolveExtern(name string, isCall, weak bool) operand {
	x := o.findExtern(name)
	switch {
	case isCall && x.kind == externKfunc && name == resumeSymbol:
		return operand{kind: operandKfunc, name: resumeFunction}
	case isCall && x.kind == externKfunc:
		return operand{kind: operandKfunc, name: name, weak: weak}
	case !isCall && x.kind == externKconfig:
		return operand{kind: operandValue, index: o.maps.kconfig, off: uint32(x.off)}
	case !isCall && (x.kind == externKsym || x.kind == externKfunc):
		return operand{kind: operandKsym, name: name, typed: x.typed, weak: weak}
	}
	return opaque(name)
}

// opaque returns the operand for a symbol that neither the object nor the kernel defines, such as
// memset: a loader of its own links it in. The graph can be made without it; libbpf refuses the
// object.
func opaque(name string) operand {
	return operand{kind: operandOpaque, name: name, odd: fmt.Sprintf("refers to undefined symbol %q, "+
		"which libbpf would not find: declare it in .ksyms or .kconfig, or link the object that defines it", name)}
}

// resolveCall finds the callee of a call with a relocation: the symbol's address plus the
// distance in the instruction, which is -1 for a function symbol and slot-1 for a section symbol.
func (o *object) resolveCall(in bytecode.Insn, sym elf.Sym64, name string) (operand, error) {
	sec := int(sym.Shndx)
	if in.Src != bytecode.CallSubprogram {
		return operand{}, fmt.Errorf("call of %q is not marked as a call of a subprogram: %w", name, ErrTruncated)
	}
	if o.code[sec] == nil {
		return operand{}, fmt.Errorf("call of %q in section %q, which holds no instructions",
			name, o.f.sections[sec].name)
	}
	if sym.Value%bytecode.SlotSize != 0 {
		return operand{}, fmt.Errorf("call of %q at byte %d, in the middle of a slot: %w", name, sym.Value, ErrTruncated)
	}
	return o.callee(operandCall, sec, int64(sym.Value/bytecode.SlotSize)+int64(in.Imm)+1)
}

// resolveFunc finds the function whose address is loaded: symbol plus Imm, in
// bytes.
func (o *object) resolveFunc(in bytecode.Insn, sym elf.Sym64, name string) (operand, error) {
	off := int64(sym.Value) + int64(in.Imm)
	if off%bytecode.SlotSize != 0 {
		return operand{}, fmt.Errorf("address of %q%+d is in the middle of a slot: %w", name, in.Imm, ErrTruncated)
	}
	return o.callee(operandFunc, int(sym.Shndx), off/bytecode.SlotSize)
}

// callee returns the operand for the function that contains a slot. Like libbpf it uses the start
// of that function, even if the slot lies inside it.
func (o *object) callee(kind operandKind, sec int, slot int64) (operand, error) {
	fn := o.funcAt(sec, slot)
	if fn < 0 {
		return operand{}, fmt.Errorf("no function at slot %d of section %q", slot, o.f.sections[sec].name)
	}
	op := operand{kind: kind, fn: fn}
	switch f := &o.funcs[fn]; {
	case int64(f.off) != slot:
		op.odd = fmt.Sprintf("refers to slot %d of function %q, libbpf takes the function's start",
			slot-int64(f.off), f.name)
	case sec != o.text:
		op.odd = fmt.Sprintf("refers to function %q in section %q, libbpf takes subprograms from .text only",
			f.name, o.f.sections[sec].name)
	}
	return op, nil
}

// resolveData finds the map, data section or jump table that an address points to.
func (o *object) resolveData(in bytecode.Insn, sym elf.Sym64, name string) (operand, error) {
	sec := int(sym.Shndx)
	s := &o.f.sections[sec]
	off := sym.Value + uint64(int64(in.Imm))
	if s.name == tablesSection {
		return operand{kind: operandTable, table: sym, name: name}, nil
	}
	if i, ok := o.maps.data[sec]; ok {
		return operand{kind: operandValue, index: i, off: uint32(off)}, nil
	}
	if s.name == arenaSection && o.maps.arena >= 0 {
		return operand{kind: operandValue, index: o.maps.arena, off: uint32(off) + o.maps.arenaData}, nil
	}
	if i, ok := o.maps.at[place{sec, off}]; ok {
		op := operand{kind: operandMap, index: i}
		if in.Imm != 0 {
			op.odd = fmt.Sprintf("refers to map %q by section and offset, libbpf ignores the offset: "+
				"do not make maps static", o.maps.all[i].Name)
		}
		return op, nil
	}
	return operand{}, fmt.Errorf("address of %q%+d in section %q, which is neither a map nor data that becomes one",
		name, in.Imm, s.name)
}
