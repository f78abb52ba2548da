package load

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
)

// FromAsm makes a program of instructions of cilium/ebpf, for users who have them from its
// collections or builders. References by symbol are resolved: calls, function addresses and
// jumps. A map that is referred to by name becomes a map with only that name. Source lines are
// kept; a line that is not a BTF line loses its position. A symbol that nothing calls counts as a
// label, unless it carries BTF of a function.
//
// All fields of an instruction are kept, including those that the Marshal of cilium/ebpf 0.22
// drops (offsets of moves and atomic operations). An instruction without an encoding, or with
// two, gives an error that wraps ErrAsm. Functions that carry BTF are marked Global by its
// linkage; Subprogram.Args needs the program type as well: see Describe and package
// cfg/load/ebpfspec.
func FromAsm(insns asm.Instructions) (*bytecode.Program, error) {
	p := &bytecode.Program{Name: insns.Name()}
	symbols := map[string]bytecode.PC{}
	pc := bytecode.PC(0)
	for i := range insns {
		if s := insns[i].Symbol(); s != "" {
			if _, ok := symbols[s]; ok {
				return nil, fmt.Errorf("instruction %d: symbol %q for the second time", i, s)
			}
			symbols[s] = pc
		}
		pc += asmSlots(&insns[i])
	}
	if pc == 0 {
		return nil, fmt.Errorf("no instructions: %w", ErrNoPrograms)
	}
	if pc > MaxInsns {
		return nil, fmt.Errorf("%d slots, the limit is %d: %w", pc, MaxInsns, ErrTooLarge)
	}
	names := map[bytecode.PC]string{0: insns.Name()}
	maps := map[string]int{}
	typed := map[bytecode.PC]*btf.Func{}
	for i := range insns {
		in := &insns[i]
		pc := p.Len()
		if fn := btf.FuncMetadata(in); fn != nil {
			names[pc], typed[pc] = in.Symbol(), fn
		}
		if err := checkAsm(in); err != nil {
			return nil, fmt.Errorf("instruction %d: %w", i, err)
		}
		p.Insns = append(p.Insns, fromAsm(in)...)
		if err := resolveAsm(p, pc, in, symbols, maps); err != nil {
			return nil, fmt.Errorf("instruction %d: %w", i, err)
		}
		if relo := btf.CORERelocationMetadata(in); relo != nil && in.Reference() == "" {
			if part := relocPart(p.Insns[pc]); part != 0 {
				p.Relocs = append(p.Relocs, bytecode.Reloc{PC: pc, Kind: bytecode.RelocCORE, Part: part, Text: relo.String()})
			}
		}
		if in.Source() != nil {
			p.Lines = append(p.Lines, asmLine(pc, in))
		}
	}
	nameAsm(p, symbols, names)
	splitSubprograms(p, names)
	for i := range p.Subprogs {
		if fn := typed[p.Subprogs[i].Start]; fn != nil {
			p.Subprogs[i].Global = fn.Linkage == btf.GlobalFunc
		}
	}
	return p, nil
}

// nameAsm adds the references that the instructions' own bits make, and names functions by the
// symbols that something calls.
func nameAsm(p *bytecode.Program, symbols map[string]bytecode.PC, names map[bytecode.PC]string) {
	callees := map[bytecode.PC]bool{}
	for pc := bytecode.PC(0); pc < p.Len(); pc += p.Insns[pc].Slots() {
		if f := p.Flow(pc); f.Kind == bytecode.FlowCall || f.Kind == bytecode.FlowFuncAddr {
			callees[f.Callee] = true
		}
		if _, known := p.RefAt(pc); !known {
			if ref, ok := plainRef(p, pc); ok {
				p.Refs = append(p.Refs, ref)
			}
		}
	}
	slices.SortFunc(p.Refs, func(a, b bytecode.Ref) int { return int(a.PC - b.PC) })
	for name, pc := range symbols {
		if callees[pc] {
			names[pc] = name
		}
	}
}

// asmSlots returns the number of slots of an instruction.
func asmSlots(in *asm.Instruction) bytecode.PC {
	if in.OpCode.IsDWordLoad() {
		return 2
	}
	return 1
}

// fromAsm returns the slots of an instruction. Cilium keeps sub-opcodes that
// the encoding has in Off or Imm in the upper bits of its opcode.
func fromAsm(in *asm.Instruction) []bytecode.Insn {
	out := bytecode.Insn{
		Code: uint8(in.OpCode), Dst: bytecode.Reg(in.Dst & 15), Src: bytecode.Reg(in.Src & 15),
		Off: in.Offset, Imm: int32(in.Constant),
	}
	switch {
	case in.OpCode.IsDWordLoad():
		return []bytecode.Insn{out, {Imm: int32(in.Constant >> 32)}}
	case in.OpCode.Class().IsALU():
		switch in.OpCode.ALUOp() {
		case asm.SDiv, asm.SMod:
			out.Off = 1
		case asm.MovSX8:
			out.Off = 8
		case asm.MovSX16:
			out.Off = 16
		case asm.MovSX32:
			out.Off = 32
		}
	case in.OpCode.AtomicOp() != asm.InvalidAtomic && in.Constant == 0:
		out.Imm = int32(in.OpCode.AtomicOp() >> 8)
	}
	return []bytecode.Insn{out}
}

// opaqueAsm makes the reference to an undefined function an opaque one; see the function opaque.
func opaqueAsm(p *bytecode.Program, pc bytecode.PC, name string) {
	in, part := &p.Insns[pc], bytecode.PartCall
	if in.Imm = 0; in.IsWide() {
		p.Insns[pc+1].Imm, in.Src, part = 0, bytecode.LdImm64, bytecode.PartImm64
	} else {
		in.Src = bytecode.CallKfunc
	}
	if name == resumeSymbol && part == bytecode.PartCall {
		p.Refs = append(p.Refs, bytecode.Ref{PC: pc, Kind: bytecode.RefKfunc, Name: resumeFunction})
		return
	}
	p.Refs = append(p.Refs, bytecode.Ref{PC: pc, Kind: bytecode.RefUnknown, Name: name})
	p.Relocs = append(p.Relocs, bytecode.Reloc{PC: pc, Kind: bytecode.RelocFunc, Part: part, Text: name})
	addDiag(&p.Diags, "slot %d: %s", pc, opaque(name).odd)
}

// resolveAsm resolves a reference by name, by the rules of cilium/ebpf: -1 stands for a distance
// that is not known yet.
func resolveAsm(p *bytecode.Program, pc bytecode.PC, in *asm.Instruction,
	symbols map[string]bytecode.PC, maps map[string]int) error {
	name := in.Reference()
	if name == "" {
		return nil
	}
	out := &p.Insns[pc]
	isGotol := out.Code == bytecode.CodeGotol
	switch {
	case in.IsLoadFromMap():
		i, ok := maps[name]
		if !ok {
			i = len(p.Maps)
			maps[name] = i
			p.Maps = append(p.Maps, bytecode.Map{Name: name})
		}
		ref := bytecode.Ref{PC: pc, Kind: bytecode.RefMap, Index: i}
		if out.Src == bytecode.LdMapValue {
			ref.Kind, ref.Off = bytecode.RefMapValue, int64(uint32(p.Insns[pc+1].Imm))
		}
		p.Refs = append(p.Refs, ref)
		out.Imm = 0
	case in.IsKfuncCall():
		p.Refs = append(p.Refs, bytecode.Ref{PC: pc, Kind: bytecode.RefKfunc, Name: name})
		out.Imm = 0
	case out.IsWide() && out.Src == bytecode.LdImm64 && btf.CORERelocationMetadata(in) == nil:
		p.Refs = append(p.Refs, bytecode.Ref{PC: pc, Kind: bytecode.RefKsym, Name: name})
	case (in.IsFunctionReference() || isGotol) && in.Constant == -1:
		target, ok := symbols[name]
		if !ok && isGotol {
			return fmt.Errorf("undefined symbol %q", name)
		}
		if !ok {
			opaqueAsm(p, pc, name)
			break
		}
		out.Imm = int32(target - pc - 1)
		if out.IsWide() {
			p.Insns[pc+1].Imm = 0
		}
	case in.OpCode.Class().IsJump() && in.Offset == -1:
		target, ok := symbols[name]
		if !ok {
			return fmt.Errorf("undefined symbol %q", name)
		}
		if d := target - pc - 1; d < math.MinInt16 || d > math.MaxInt16 {
			return fmt.Errorf("symbol %q is %d slots away, too far for a jump", name, d)
		}
		out.Off = int16(target - pc - 1)
	}
	return nil
}

// asmLine returns the source line of an instruction.
func asmLine(pc bytecode.PC, in *asm.Instruction) bytecode.Line {
	if l, ok := in.Source().(*btf.Line); ok {
		return bytecode.Line{
			PC: pc, File: l.FileName(), Line: int(l.LineNumber()), Col: int(l.LineColumn()), Text: l.Line(),
		}
	}
	return bytecode.Line{PC: pc, Text: in.Source().String()}
}

// ToAsm converts a program to instructions of cilium/ebpf: the first of each subprogram carries
// the subprogram's name as its symbol, loads of maps refer to the map's name.
//
// Everything that cilium/ebpf cannot represent is lost: jump tables (their loads look like plain
// loads of a map), code pointers in data, and all fields of Program other than the instructions.
// It refuses wide loads with set reserved bits. The Marshal of version 0.22 loses offsets of
// moves, so do not go through it to the kernel.
func ToAsm(p *bytecode.Program) (asm.Instructions, error) {
	code := bytes.NewReader(bytecode.Encode(p.Insns, binary.LittleEndian))
	insns, err := asm.AppendInstructions(nil, code, binary.LittleEndian, "linux")
	if err != nil {
		return nil, fmt.Errorf("program %q: %w", p.Name, err)
	}
	pc, sub := bytecode.PC(0), 0
	for i := range insns {
		if sub < len(p.Subprogs) && p.Subprogs[sub].Start == pc {
			insns[i] = insns[i].WithSymbol(p.Subprogs[sub].Name)
			sub++
		}
		if ref, ok := p.RefAt(pc); ok && (ref.Kind == bytecode.RefMap || ref.Kind == bytecode.RefMapValue) {
			insns[i] = insns[i].WithReference(p.Maps[ref.Index].Name)
		}
		pc += asmSlots(&insns[i])
	}
	return insns, nil
}
