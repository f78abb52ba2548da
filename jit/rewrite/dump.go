package rewrite

import (
	"fmt"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/kernel"
	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/jit"
)

// Dumped is a predicted program in the form in which a kernel shows it to user
// space (kernel/bpf/syscall.c bpf_insn_prepare_dump and kernel/bpf/fixups.c
// bpf_jit_subprogs, Linux 7.3), which is less than what its JIT saw.
type Dumped struct {
	Insns []bytecode.Insn
	// Masked marks slots whose Imm depends on the running kernel: addresses,
	// map ids, random numbers.
	Masked []bool
	ax     bytecode.Reg
	maps   []bytecode.Map
	far    bool // the function of a far call is visible in the dump
}

// Dump returns the predicted program as a kernel would show it. Before Linux
// 7.1, blinding does not show in the dump of a program with several functions.
func (r *Result) Dump(prof jit.Profile) Dumped {
	p, hidden := r.Program, r.hidden
	if !r.kernel.Has(kernel.BlindWhole) && len(p.Funcs) > 1 {
		p, hidden = r.plain, nil
	}
	d := Dumped{
		Insns:  append([]bytecode.Insn(nil), p.Insns...),
		Masked: make([]bool, len(p.Insns)),
		ax:     bytecode.Reg(prof.AXReg),
		maps:   r.maps,
		far:    r.kernel.Has(kernel.FarCalls),
	}
	for _, pc := range hidden {
		d.Masked[pc] = true
	}
	defer d.showUnlinked(r.unlinked, r.kernel.Has(kernel.BlindWhole))
	refs := p.Refs
	for pc := 0; pc < len(d.Insns); pc++ {
		for len(refs) > 0 && int(refs[0].PC) < pc {
			refs = refs[1:]
		}
		ref := bytecode.Ref{}
		if len(refs) > 0 && int(refs[0].PC) == pc {
			ref = refs[0]
		}
		d.show(p, pc, ref)
		if d.Insns[pc].IsWide() {
			pc++
		}
	}
	return d
}

// show turns an instruction into its form in the dump.
func (d *Dumped) show(p *jit.Program, pc int, ref bytecode.Ref) {
	in := &d.Insns[pc]
	switch {
	case in.Code == bytecode.CodeTailCall:
		*in = bytecode.Insn{Code: bytecode.CodeCall, Imm: bytecode.HelperTailCall}
	case in.Code == bytecode.CodeCall && in.Src == bytecode.CallSubprogram:
		d.showCall(p, pc)
	case in.Code == bytecode.CodeCall:
		d.Masked[pc] = true
	case in.IsWide():
		d.showImm64(p, pc, ref)
	case ref.Kind != bytecode.RefInvalid:
		d.Masked[pc] = true
	case in.Class() == asm.LdXClass && in.Code&modeBits == modeProbeMem,
		in.Class() == asm.LdXClass && in.Code&modeBits == modeProbeMem32,
		in.Class() == asm.StClass && in.Code&modeBits == modeProbeMem32,
		in.Class() == asm.StXClass && in.Code&modeBits == modeProbeMem32:
		in.Code = in.Code&^modeBits | uint8(asm.MemMode)
	}
}

// showUnlinked shows references to functions that were removed. The distance of a call is where it
// would be if the function were there: in Off since Linux 7.1.
func (d *Dumped) showUnlinked(list []bytecode.PC, inOff bool) {
	for _, pc := range list {
		in := &d.Insns[pc]
		switch d.Masked[pc] = false; {
		case in.IsWide():
			in.Src = bytecode.LdFunc
		case inOff:
			*in = bytecode.Insn{Code: in.Code, Src: bytecode.CallSubprogram, Off: int16(in.Imm)}
		default:
			in.Src = bytecode.CallSubprogram
		}
	}
}

// showCall turns a call of a subprogram into its form in the dump. Kernels without
// kernel.FarCalls look for the function at a distance of 16 bits, and show the error
// (ENOENT) when none starts there.
func (d *Dumped) showCall(p *jit.Program, pc int) {
	const noSuchEntry = -2
	in := &d.Insns[pc]
	to := pc + 1 + int(in.Imm)
	in.Off = int16(in.Imm)
	switch far := int32(in.Off) != in.Imm; {
	case far && d.far:
		in.Off = 0
	case far:
		to = pc + 1 + int(in.Off)
	}
	if in.Imm = int32(funcIndex(p, to)); in.Imm == none && !d.far {
		in.Imm = noSuchEntry
	}
}

// showImm64 turns a 64-bit immediate load into its form in the dump.
func (d *Dumped) showImm64(p *jit.Program, pc int, ref bytecode.Ref) {
	first, second := &d.Insns[pc], &d.Insns[pc+1]
	// Linux finds the map of an address again, but for arenas, which have no
	// map_direct_value_meta (kernel/bpf/syscall.c bpf_map_from_imm).
	if ref.Kind == bytecode.RefMapValue && ref.Index < len(d.maps) && d.maps[ref.Index].Type == bytecode.MapArena {
		ref.Kind = bytecode.RefUnknown
	}
	switch ref.Kind {
	case bytecode.RefInvalid:
		first.Src = bytecode.LdImm64
	case bytecode.RefFunc:
		second.Imm = int32(funcIndex(p, pc+1+int(first.Imm)))
	case bytecode.RefMap:
		first.Src, second.Imm = bytecode.LdMapFD, 0
		d.Masked[pc] = true
	case bytecode.RefMapValue:
		first.Src, second.Imm = bytecode.LdMapValue, int32(ref.Off)
		d.Masked[pc] = true
	default:
		first.Src = bytecode.LdImm64
		d.Masked[pc], d.Masked[pc+1] = true, true
	}
}

// funcIndex returns the function that starts at a slot.
func funcIndex(p *jit.Program, start int) int {
	for i, f := range p.Funcs {
		if int(f.Start) == start {
			return i
		}
	}
	return none
}

// Differs returns the slots, in order, at which a real kernel's dump differs from d, apart from
// masked immediates. Lengths must be equal.
func (d Dumped) Differs(real []bytecode.Insn) ([]bytecode.PC, error) {
	if len(real) != len(d.Insns) {
		return nil, fmt.Errorf("%d slots, predicted %d", len(real), len(d.Insns))
	}
	var out []bytecode.PC
	for pc := range d.Insns {
		a, b := d.Insns[pc], real[pc]
		if d.Masked[pc] {
			a.Imm, b.Imm = 0, 0
		}
		if a != b && !d.blinded(real, pc) {
			out = append(out, bytecode.PC(pc))
		}
	}
	return out, nil
}

// blinded reports whether the slot is one of a pair that puts a hidden constant
// into AX, and the constants are the same.
func (d Dumped) blinded(real []bytecode.Insn, pc int) bool {
	for _, first := range []int{pc, pc - 1} {
		if first < 0 || first+1 >= len(real) {
			continue
		}
		a, b := d.Insns[first:first+2], real[first:first+2]
		if !d.isPair(a) || !d.isPair(b) {
			continue
		}
		if a[0].Code == b[0].Code && (d.Masked[first] || a[0].Imm^a[1].Imm == b[0].Imm^b[1].Imm) {
			return true
		}
	}
	return false
}

// isPair reports whether two instructions are AX = a; AX ^= b.
func (d Dumped) isPair(in []bytecode.Insn) bool {
	mov, xor := in[0], in[1]
	class := uint8(mov.Class())
	mov.Imm, xor.Imm = 0, 0
	return (class == w32 || class == w64) &&
		mov == bytecode.Insn{Code: class | opMov, Dst: d.ax} && xor == bytecode.Insn{Code: class | opXor, Dst: d.ax}
}
