//go:build linux && amd64

package guest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/live"
)

// poisonedCall is the helper that libbpf calls in place of a kernel function that
// is missing (POISON_CALL_KFUNC_BASE in tools/lib/bpf/libbpf.c).
const poisonedCall = 2002000000

// targetTypes returns the types that programs are adapted to: those of a file, or
// the kernel's own.
func targetTypes(file string) (*btf.Spec, error) {
	if file == "" {
		spec, err := btf.LoadKernelSpec()
		if err != nil {
			return nil, fmt.Errorf("this kernel has no types (CONFIG_DEBUG_INFO_BTF): give others with --btf: %w", err)
		}
		return spec, nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	spec, err := btf.LoadSpecFromReader(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("--btf: %w", err)
	}
	return spec, nil
}

// adapter applies the relocations of a program that depend on the kernel.
type adapter struct {
	kernel *live.Kernel
	target func() (*btf.Spec, error)
	types  *btf.Spec // of the object
	ext    *btf.ExtInfos
	p      *bytecode.Program
}

// adapt returns the program as a loader submits it, or the program itself if nothing depends on the
// kernel.
func (a *adapter) adapt() (*bytecode.Program, error) {
	if !slices.ContainsFunc(a.p.Relocs, func(r bytecode.Reloc) bool { return r.State == bytecode.RelocPending }) {
		return a.p, nil
	}
	p := *a.p
	p.Insns, p.Relocs, p.Refs = slices.Clone(p.Insns), slices.Clone(p.Relocs), slices.Clone(p.Refs)
	a.p = &p
	for i := range p.Relocs {
		if r := &p.Relocs[i]; r.Kind == bytecode.RelocWeak && r.State == bytecode.RelocPending {
			if err := a.weak(r); err != nil {
				return nil, err
			}
		}
	}
	return &p, a.fields()
}

// weak applies the relocation of a symbol that the kernel need not have.
func (a *adapter) weak(r *bytecode.Reloc) error {
	i := slices.IndexFunc(a.p.Refs, func(x bytecode.Ref) bool { return x.PC == r.PC })
	if i < 0 {
		return nil // stays pending, which loading reports
	}
	in, ref := &a.p.Insns[r.PC], a.p.Refs[i]
	r.Was = *in
	known := false
	if spec, err := a.target(); err == nil {
		known = spec.TypeByName(ref.Name, new(*btf.Func)) == nil || spec.TypeByName(ref.Name, new(*btf.Var)) == nil
	}
	if _, ok := a.kernel.Address(ref.Name); ok && in.IsWide() && in.Src != bytecode.LdBTFID {
		known = true
	}
	if r.State = bytecode.RelocApplied; known {
		return nil
	}
	a.p.Refs = slices.Delete(a.p.Refs, i, i+1)
	if in.Src = 0; in.IsWide() {
		in.Imm, a.p.Insns[r.PC+1].Imm = 0, 0
		return nil
	}
	in.Imm, in.Off, r.State = poisonedCall, 0, bytecode.RelocPoisoned
	return nil
}

// fields applies the CO-RE relocations. cilium/ebpf calculates them, by names of
// types as libbpf does.
func (a *adapter) fields() error {
	var relos []*btf.CORERelocation
	var at []bytecode.PC
	for i := range a.p.Subprogs {
		for _, o := range a.of(i) {
			relos, at = append(relos, o.Relo), append(at, bytecode.PC(o.Offset))
		}
	}
	if len(relos) == 0 {
		return nil
	}
	spec, err := a.target()
	if err != nil {
		return err
	}
	fixups, err := btf.CORERelocate(relos, []*btf.Spec{spec}, binary.LittleEndian, a.types.TypeID)
	if err != nil {
		return fmt.Errorf("CO-RE: %w", err)
	}
	for i := range fixups {
		if err := a.apply(at[i], &fixups[i]); err != nil {
			return fmt.Errorf("slot %d: CO-RE: %w", at[i], err)
		}
	}
	return nil
}

// of returns the relocations of a subprogram, with slots of the program for their
// offsets. The object's function is found by name, and for the entry by section.
func (a *adapter) of(sub int) []btf.CORERelocationOffset {
	s := a.p.Subprogs[sub]
	var out []btf.CORERelocationOffset
	for section, funcs := range a.ext.Funcs {
		if sub == 0 && section != a.p.Section {
			continue
		}
		for _, f := range funcs {
			if f.Func.Name != s.Name {
				continue
			}
			for _, o := range a.ext.CORERelos[section] {
				if pc := bytecode.PC(o.Offset) - bytecode.PC(f.Offset); pc >= 0 && pc < s.End-s.Start {
					out = append(out, btf.CORERelocationOffset{Relo: o.Relo, Offset: asm.RawInstructionOffset(s.Start + pc)})
				}
			}
		}
	}
	return out
}

// apply writes the value of a relocation into an instruction.
func (a *adapter) apply(pc bytecode.PC, f *btf.COREFixup) error {
	n := a.p.Insns[pc].Slots()
	var in asm.Instruction
	raw := bytecode.Encode(a.p.Insns[pc:pc+n], binary.LittleEndian)
	if err := in.Unmarshal(bytes.NewReader(raw), binary.LittleEndian, "linux"); err != nil {
		return err
	}
	if err := f.Apply(&in); err != nil {
		return err
	}
	var out bytes.Buffer
	if _, err := in.Marshal(&out, binary.LittleEndian); err != nil {
		return err
	}
	made, err := bytecode.Decode(out.Bytes(), binary.LittleEndian)
	if err != nil {
		return err
	}
	if bytecode.PC(len(made)) != n {
		return errors.New("the instruction would have another size")
	}
	for i := range a.p.Relocs {
		if r := &a.p.Relocs[i]; r.PC == pc && r.Kind == bytecode.RelocCORE {
			r.Was, r.State = a.p.Insns[pc], bytecode.RelocApplied
			if in.Constant == btf.COREBadRelocationSentinel {
				r.State = bytecode.RelocPoisoned
			}
		}
	}
	copy(a.p.Insns[pc:], made)
	return nil
}
