package load

import (
	"fmt"
	"sort"
	"strconv"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/cilium/ebpf/asm"
)

// fill turns the operands into references, and adds everything else that is known about the
// program.
func (l *linker) fill() error {
	sort.Slice(l.ops, func(i, j int) bool { return l.ops[i].pc < l.ops[j].pc })
	for _, op := range l.ops {
		if err := l.refer(op); err != nil {
			fn := l.functionAt(op.pc)
			return l.at(fn, op.pc-l.start[fn]+l.o.funcs[fn].off, err)
		}
	}
	if err := l.addCells(); err != nil {
		return err
	}
	l.reportLabels()
	l.addSubprograms()
	l.addLines()
	if err := l.addKeys(); err != nil {
		return err
	}
	l.addCleanups()
	return l.addCORE()
}

// functionAt returns the function of the object that a slot was copied from.
func (l *linker) functionAt(pc bytecode.PC) int {
	i := sort.Search(len(l.placed), func(i int) bool { return l.start[l.placed[i]] > pc })
	return l.placed[i-1]
}

// refer encodes an operand as libbpf does (bpf_object__relocate_data) and adds its reference.
// Values that only a kernel knows, such as descriptors, BTF ids and addresses, are zero.
func (l *linker) refer(op placedOperand) error {
	in := &l.p.Insns[op.pc]
	ref := bytecode.Ref{PC: op.pc}
	switch op.kind {
	case operandCall:
		return nil // the instruction itself is complete
	case operandFunc:
		ref.Kind, ref.Index = bytecode.RefFunc, int(l.start[op.fn])
	case operandMap:
		ref.Kind, ref.Index = bytecode.RefMap, l.mapIndex(op.index)
		in.Src, in.Imm = bytecode.LdMapFD, 0
	case operandValue:
		ref.Kind, ref.Index, ref.Off = bytecode.RefMapValue, l.mapIndex(op.index), int64(op.off)
		in.Src, in.Imm = bytecode.LdMapValue, 0
		l.setHigh(op.pc, op.off)
	case operandTable:
		i, err := l.table(op)
		if err != nil {
			return fmt.Errorf("jump table %q: %w", op.name, err)
		}
		ref.Kind, ref.Index, ref.Off = bytecode.RefTable, i, int64(l.high(op.pc))
		in.Src, in.Imm, in.Off = bytecode.LdMapValue, 0, 0
	case operandKfunc:
		ref.Kind, ref.Name = bytecode.RefKfunc, op.name
		in.Src, in.Imm = bytecode.CallKfunc, 0
	case operandOpaque:
		ref.Kind, ref.Name = bytecode.RefUnknown, op.name
		if in.Imm = 0; in.IsWide() {
			l.setHigh(op.pc, 0)
		} else {
			in.Src = bytecode.CallKfunc // nothing is known about the function
		}
	case operandKsym:
		ref.Kind, ref.Name = bytecode.RefKsym, op.name
		in.Imm = 0
		if op.typed {
			in.Src = bytecode.LdBTFID
		}
		l.setHigh(op.pc, 0)
	default:
		panic(fmt.Sprintf("bug: operand kind %d", op.kind))
	}
	l.p.Refs = append(l.p.Refs, ref)
	l.addPending(op, *in)
	return nil
}

// addPending records the part of an operand that the running kernel or a loader other than libbpf
// decides.
func (l *linker) addPending(op placedOperand, in bytecode.Insn) {
	r := bytecode.Reloc{PC: op.pc, Part: bytecode.PartCall, Text: op.name}
	if in.IsWide() {
		r.Part = bytecode.PartImm64
	}
	switch {
	case op.kind == operandOpaque:
		r.Kind = bytecode.RelocFunc
	case op.weak:
		r.Kind = bytecode.RelocWeak
	default:
		return
	}
	l.p.Relocs = append(l.p.Relocs, r)
}

// high returns the upper half of a 64-bit immediate, 0 if the code ends before it.
func (l *linker) high(pc bytecode.PC) uint32 {
	if pc+1 >= l.p.Len() {
		return 0
	}
	return uint32(l.p.Insns[pc+1].Imm)
}

// setHigh sets the upper half of a 64-bit immediate.
func (l *linker) setHigh(pc bytecode.PC, v uint32) {
	if pc+1 < l.p.Len() {
		l.p.Insns[pc+1].Imm = int32(v)
	}
}

// mapIndex returns the index in the program of a map of the object.
func (l *linker) mapIndex(i int) int {
	j, ok := l.maps[i]
	if !ok {
		j = len(l.p.Maps)
		l.maps[i] = j
		l.p.Maps = append(l.p.Maps, l.o.maps.all[i])
	}
	return j
}

// addCells adds the code pointers to the maps that have them.
func (l *linker) addCells() error {
	for i, j := range l.maps { // in any order: each j is its own
		cells := l.o.maps.cells[i]
		if len(cells) == 0 {
			continue
		}
		if err := l.spend(len(cells)); err != nil {
			return err
		}
		ptrs := make([]bytecode.CodePointer, len(cells))
		for k, c := range cells {
			ptrs[k] = l.codePointer(c)
		}
		l.p.Maps[j].Code = ptrs
	}
	return nil
}

// reportLabels adds a diagnostic about the program's labels in its data sections.
func (l *linker) reportLabels() {
	for i := range l.p.Maps {
		m := &l.p.Maps[i]
		labels, tables := 0, []string{}
		for _, c := range m.Code {
			if c.Func || c.Target < 0 {
				continue
			}
			labels++
			name := symbolAt(m, c.Off)
			if name != "" && (len(tables) == 0 || tables[len(tables)-1] != name) {
				tables = append(tables, name)
			}
		}
		if labels > 0 {
			for j, name := range tables {
				tables[j] = strconv.Quote(name)
			}
			l.diag("section %q has %d addresses of labels of this program (%s): libbpf makes jump tables of section %s only, "+
				"so Linux finds none and refuses a jump through them", m.Name, labels, some(tables), tablesSection)
		}
	}
}

// symbolAt returns the variable of a data section that contains a byte, "" if none is known.
func symbolAt(m *bytecode.Map, off int64) string {
	i := sort.Search(len(m.Symbols), func(i int) bool { return m.Symbols[i].Off > off }) - 1
	if i >= 0 && off < m.Symbols[i].Off+m.Symbols[i].Size {
		return m.Symbols[i].Name
	}
	return ""
}

// codePointer returns a code pointer with its target in the program.
func (l *linker) codePointer(c cell) bytecode.CodePointer {
	ptr := bytecode.CodePointer{Off: c.off, Target: -1}
	fn := l.o.funcAt(c.sec, c.target/bytecode.SlotSize)
	if fn < 0 || c.target%bytecode.SlotSize != 0 {
		return ptr
	}
	ptr.Func = l.o.isStart(fn, c)
	if start := l.start[fn]; start != notPlaced {
		ptr.Target = start + bytecode.PC(c.target/bytecode.SlotSize) - l.o.funcs[fn].off
	}
	return ptr
}

// addSubprograms describes the functions of the program.
func (l *linker) addSubprograms() {
	for _, fn := range l.placed {
		f := &l.o.funcs[fn]
		s := bytecode.Subprogram{Name: f.name, Start: l.start[fn], End: l.start[fn] + f.len, From: fn + 1}
		s.Exception = fn == l.exception
		if id, ok := l.o.funcType(f); ok {
			t := l.o.types.at(id)
			l.o.types.describe(&s, id, l.p.Type)
			s.Global = t.kind == kindFunc && t.vlen == btfGlobal && !f.hidden
			// The kernel gives the entry its context, unless it replaces a function.
			if s.Global && (fn != l.placed[0] || l.p.TypedEntry()) {
				s.Args = l.o.argsOf(id, l.p.Type)
			}
		}
		l.p.Subprogs = append(l.p.Subprogs, s)
	}
}

// btfGlobal is the linkage of a global function in BTF.
const btfGlobal = 1

// funcType returns the BTF id of a function by .BTF.ext, which the kernel uses. Without it the
// kernel treats functions as static.
func (o *object) funcType(f *function) (uint32, bool) {
	if o.ext == nil {
		return 0, false
	}
	infos := inRange(o.ext.funcs[f.sec], func(i funcInfo) bytecode.PC { return i.slot }, f.off, f.off+1)
	if len(infos) == 0 {
		return 0, false
	}
	return infos[0].typ, true
}

// addLines adds the source lines, at most one for each slot.
func (l *linker) addLines() {
	if l.o.ext == nil {
		return
	}
	for _, fn := range l.placed {
		f := &l.o.funcs[fn]
		infos := inRange(l.o.ext.lines[f.sec], func(i lineInfo) bytecode.PC { return i.slot }, f.off, f.off+f.len)
		for _, info := range infos {
			l.p.Lines = append(l.p.Lines, bytecode.Line{
				PC:   l.start[fn] + info.slot - f.off,
				File: l.o.types.str(info.file),
				Line: int(info.pos >> 10),
				Col:  int(info.pos & 0x3ff),
				Text: l.o.types.str(info.text),
			})
		}
	}
}

// addCORE adds the CO-RE relocations, which are pending: they need the BTF of
// the kernel that the program is to run on.
func (l *linker) addCORE() error {
	if l.o.ext == nil || len(l.o.ext.core) == 0 {
		return nil
	}
	for _, fn := range l.placed {
		f := &l.o.funcs[fn]
		infos := inRange(l.o.ext.core[f.sec], func(i coreInfo) bytecode.PC { return i.slot }, f.off, f.off+f.len)
		if err := l.spend(len(infos)); err != nil {
			return err
		}
		for i, info := range infos {
			pc := l.start[fn] + info.slot - f.off
			part := relocPart(l.p.Insns[pc])
			if _, taken := l.p.RefAt(pc); taken || part == 0 || i > 0 && infos[i-1].slot == info.slot {
				l.diag("slot %d: CO-RE relocation beside another relocation, or of an instruction that takes none", pc)
				continue
			}
			name, err := l.coreName(info)
			if err != nil {
				return err
			}
			l.p.Relocs = append(l.p.Relocs, bytecode.Reloc{
				PC: pc, Kind: bytecode.RelocCORE, Part: part, Text: name, Max: info.most(),
				Core: uint32(info.kind), Type: info.typ, Path: l.o.types.str(info.path),
			})
		}
	}
	sort.Slice(l.p.Relocs, func(i, j int) bool { return l.p.Relocs[i].PC < l.p.Relocs[j].PC })
	return nil
}

// relocPart returns the part of an instruction that a CO-RE relocation writes, 0 if the
// instruction cannot have one (bpf_core_patch_insn in tools/lib/bpf/relo_core.c).
func relocPart(in bytecode.Insn) bytecode.RelocPart {
	switch in.Class() {
	case asm.ALUClass, asm.ALU64Class:
		if in.Source() == asm.ImmSource && in.ALUOp() != asm.Swap {
			return bytecode.PartImm
		}
	case asm.LdXClass, asm.StClass, asm.StXClass:
		return bytecode.PartAccess
	case asm.LdClass:
		if in.IsWide() {
			return bytecode.PartImm64
		}
	}
	return 0
}

// coreName returns the description of a CO-RE relocation. Each description is made once for the
// object, because it can be much longer than its input.
func (l *linker) coreName(info coreInfo) (string, error) {
	info.slot = 0
	if name, ok := l.o.coreNames[info]; ok {
		return name, nil
	}
	name := l.o.types.corePath(info)
	l.o.coreNames[info] = name
	return name, l.spend(len(name) / bytecode.SlotSize)
}
