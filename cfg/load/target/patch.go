package target

import (
	"fmt"
	"math"

	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// patch writes the answer to a relocation into its instruction
// (bpf_core_patch_insn in tools/lib/bpf/relo_core.c, libbpf 1.8).
func patch(p *bytecode.Program, r *bytecode.Reloc, answers map[request]answer) error {
	in := &p.Insns[r.PC]
	a := answers[requestOf(r)]
	r.Was = *in
	if a.poison {
		poison(p, r)
		return nil
	}
	switch r.Part {
	case bytecode.PartImm:
		in.Imm = int32(a.target)
	case bytecode.PartImm64:
		if r.PC+1 >= p.Len() {
			return fmt.Errorf("64-bit immediate load without its second slot")
		}
		in.Imm, p.Insns[r.PC+1].Imm = int32(a.target), int32(a.target>>32)
	case bytecode.PartAccess:
		if a.target > math.MaxInt16 {
			return fmt.Errorf("offset %d is too large for a load or store: libbpf refuses the object", a.target)
		}
		ok, err := resize(in, requestOf(r), answers)
		switch {
		case err != nil:
			return err
		case !ok:
			poison(p, r)
			return nil
		}
		in.Off = int16(a.target)
	}
	r.State = bytecode.RelocApplied
	return nil
}

// poison replaces an instruction by a call of a helper that no kernel has. For a 64-bit immediate
// load it replaces both slots (bpf_core_poison_insn).
func poison(p *bytecode.Program, r *bytecode.Reloc) {
	bad := bytecode.Insn{Code: bytecode.CodeCall, Imm: btf.COREBadRelocationSentinel}
	wide := p.Insns[r.PC].IsWide()
	if p.Insns[r.PC] = bad; wide && r.PC+1 < p.Len() {
		p.Insns[r.PC+1] = bad
	}
	r.State = bytecode.RelocPoisoned
}

// resize adapts a load or store to a field whose size differs in the kernel, and reports whether
// it can: numbers must be unsigned. Arrays count by their elements, whose sizes do not differ in
// practice. Fields that are not numbers are left alone.
func resize(in *bytecode.Insn, q request, answers map[request]answer) (bool, error) {
	size, sign := answers[q.with(coreByteSize)], answers[q.with(coreSigned)]
	if size.err != nil || sign.err != nil || size.poison || sign.poison || size.local == size.target ||
		uint64(in.AccessBytes()) != size.local {
		return true, nil
	}
	if sign.local != 0 || sign.target != 0 {
		return false, nil
	}
	sizes := map[uint64]asm.Size{1: asm.Byte, 2: asm.Half, 4: asm.Word, 8: asm.DWord}
	bits, ok := sizes[size.target]
	if !ok {
		return false, fmt.Errorf("no load or store has %d bytes: libbpf refuses the object", size.target)
	}
	in.Code = in.Code&^uint8(asm.DWord|asm.Word|asm.Half|asm.Byte) | uint8(bits)
	return true, nil
}
