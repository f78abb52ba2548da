// Package target applies to an object what a loader changes for one kernel: it fills in the
// numbers that depend on the kernel's types, symbols and configuration.
//
//	k, err := target.Read("vmlinux", data)      // raw BTF, or an ELF file with .BTF
//	made, failed := k.Apply(object)             // Programs with Relocs applied
//
// CO-RE relocations are worked out by btf.CORERelocate of cilium/ebpf and written into
// instructions by the rules of libbpf 1.8: sizes of loads and stores are adapted, and a reference
// to something that the kernel lacks becomes an instruction that no kernel accepts if it is
// reachable (bpf_core_patch_insn in tools/lib/bpf/relo_core.c). The package does not load
// programs into a kernel and does not check them.
package target

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cilium/ebpf/btf"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/load"
)

// Kernel is the kernel that programs are to run on, as far as it is known.
type Kernel struct {
	name    string
	types   *btf.Spec   // of the kernel itself
	modules []*btf.Spec // in the order given
	config  *Config     // nil if not known
}

// Read makes a Kernel of its types: raw BTF or an ELF file with a section .BTF.
// The error names the file.
func Read(name string, data []byte) (*Kernel, error) {
	raw, err := load.KernelBTF(data)
	if err == nil {
		var spec *btf.Spec
		if spec, err = btf.LoadSpecFromReader(bytes.NewReader(raw)); err == nil {
			return &Kernel{name: name, types: spec}, nil
		}
	}
	return nil, fmt.Errorf("%s: not the types of a kernel: %w", name, err)
}

// AddModule adds the types of a module, which build on those of the kernel: split
// BTF, raw or in a file of the module.
func (k *Kernel) AddModule(name string, data []byte) error {
	raw, err := load.KernelBTF(data)
	if err == nil {
		var spec *btf.Spec
		if spec, err = btf.LoadSplitSpecFromReader(bytes.NewReader(raw), k.types); err == nil {
			k.modules = append(k.modules, spec)
			return nil
		}
	}
	return fmt.Errorf("%s: not the types of a module: %w", name, err)
}

// SetConfig sets the configuration of the kernel.
func (k *Kernel) SetConfig(c *Config) { k.config = c }

// Apply returns the object as a loader changes it for the kernel; o itself is not changed. A
// program that libbpf would refuse is in Failed of the result.
func (k *Kernel) Apply(o *load.Object) *load.Object {
	out := *o
	out.Programs, out.Failed = nil, slices.Clone(o.Failed)
	local, answers, err := k.solve(o)
	if err != nil {
		out.Diags = append(slices.Clone(o.Diags), fmt.Sprintf("CO-RE relocations are ignored: %v", err))
	}
	for _, p := range o.Programs {
		q := *p
		q.Insns, q.Relocs = slices.Clone(p.Insns), slices.Clone(p.Relocs)
		if err := k.relocate(&q, local, answers); err != nil {
			err = fmt.Errorf("load %s: section %q: program %q: for %s: %w", o.Name, p.Section, p.Name, k.name, err)
			out.Failed = append(out.Failed, load.ProgramError{Name: p.Name, Section: p.Section, Err: err})
			continue
		}
		k.config.fill(&q, local)
		q.Kernel = k.Types()
		k.bind(&q)
		out.Programs = append(out.Programs, &q)
	}
	return &out
}

// bind gives a struct_ops program the kernel's number of the member that it is assigned to.
func (k *Kernel) bind(p *bytecode.Program) {
	t := &types{k.types}
	ops, ok := findIn[*btf.Struct](t, strings.TrimPrefix(p.AttachTo, "struct "))
	if !ok || p.AttachMember == "" {
		return
	}
	if i := slices.IndexFunc(ops.Members, func(m btf.Member) bool { return m.Name == p.AttachMember }); i >= 0 {
		p.AttachType = uint32(i)
	}
}

// relocate changes the instructions of a program of an object with these types.
func (k *Kernel) relocate(p *bytecode.Program, local *btf.Spec, answers map[request]answer) error {
	for i := range p.Relocs {
		r := &p.Relocs[i]
		if r.State != bytecode.RelocPending || r.Kind != bytecode.RelocCORE {
			continue
		}
		a, ok := answers[requestOf(r)]
		if !ok {
			continue
		}
		if a.err != nil {
			return fmt.Errorf("slot %d: %s: %w", r.PC, r.Text, a.err)
		}
		if err := patch(p, r, answers); err != nil {
			return fmt.Errorf("slot %d: %s: %w", r.PC, r.Text, err)
		}
	}
	for _, ref := range p.Refs {
		if err := k.symbol(p, local, ref); err != nil {
			return fmt.Errorf("slot %d: %w", ref.PC, err)
		}
	}
	return nil
}

// errMissing reports that the kernel lacks a required symbol.
var errMissing = errors.New("not in this kernel, so libbpf refuses the program")

// errOther reports that the kernel's function has another prototype than the declared one.
var errOther = errors.New("declared with another prototype than this kernel's, so libbpf refuses the program")

// poisonKfunc is the number of the helper that libbpf calls in place of a missing weak kernel
// function (POISON_CALL_KFUNC_BASE in libbpf.c).
const poisonKfunc = 2_002_000_000

// symbol finds a kernel function or variable that an instruction refers to. Only the kernel knows
// addresses.
func (k *Kernel) symbol(p *bytecode.Program, local *btf.Spec, ref bytecode.Ref) error {
	in := &p.Insns[ref.PC]
	var id btf.TypeID
	err := errMissing
	switch decl := declaration(local, ref.Name); {
	case ref.Kind == bytecode.RefKfunc, ref.Kind == bytecode.RefKsym && in.Src != bytecode.LdBTFID && decl != nil:
		id, err = k.function(ref.Name, decl)
	case ref.Kind == bytecode.RefKsym && in.Src == bytecode.LdBTFID:
		if v, spec := find[*btf.Var](k, ref.Name); spec != nil {
			id, err = spec.TypeID(v)
		}
	case ref.Kind == bytecode.RefKsym: // the address of a variable without a type, or of an undeclared one
		if id, err = k.function(ref.Name, nil); err != nil {
			return nil
		}
	default:
		return nil
	}
	rel := weakAt(p, ref.PC)
	switch {
	case err == nil:
		if rel != nil {
			rel.State, rel.Was = bytecode.RelocApplied, *in
		}
		in.Imm = int32(id)
		if in.IsWide() {
			in.Src = bytecode.LdBTFID
		}
		rename(p, ref.PC, plain(ref.Name))
	case rel == nil:
		return fmt.Errorf("%q: %w", ref.Name, err)
	default:
		rel.State, rel.Was = bytecode.RelocPoisoned, *in
		if in.IsWide() {
			in.Src, in.Imm = bytecode.LdImm64, 0
			dropRef(p, ref.PC)
			break
		}
		*in = bytecode.Insn{Code: bytecode.CodeCall, Imm: poisonKfunc}
		dropRef(p, ref.PC)
	}
	return nil
}

// plain returns a name without its flavour, as libbpf looks for a function.
func plain(name string) string {
	name, _, _ = strings.Cut(name, "___")
	return name
}

// declaration returns an object's declaration of a function, nil if there is none. The first of
// several counts (find_extern_btf_id in tools/lib/bpf/libbpf.c).
func declaration(local *btf.Spec, name string) *btf.Func {
	if local == nil {
		return nil
	}
	var first *btf.Func
	var lowest btf.TypeID
	all, _ := local.AnyTypesByName(name) // of any flavour
	for _, t := range all {
		fn, ok := t.(*btf.Func)
		if !ok || fn.Name != name || fn.Linkage != btf.ExternFunc {
			continue
		}
		if id, err := local.TypeID(fn); err == nil && (first == nil || id < lowest) {
			first, lowest = fn, id
		}
	}
	return first
}

// function finds a function by the object's name for it, with the declared prototype if there is
// one (bpf_object__resolve_ksym_func_btf_id in tools/lib/bpf/libbpf.c).
func (k *Kernel) function(name string, decl *btf.Func) (btf.TypeID, error) {
	fn, spec := find[*btf.Func](k, plain(name))
	switch {
	case spec == nil:
		return 0, errMissing
	case decl != nil && btf.CheckTypeCompatibility(decl.Type, fn.Type) != nil:
		return 0, errOther
	}
	return spec.TypeID(fn)
}

// dropRef removes the reference of an instruction that now refers to nothing.
func dropRef(p *bytecode.Program, pc bytecode.PC) {
	p.Refs = slices.DeleteFunc(slices.Clone(p.Refs), func(r bytecode.Ref) bool { return r.PC == pc })
}

// rename gives the object of an instruction its name in the kernel.
func rename(p *bytecode.Program, pc bytecode.PC, name string) {
	i := slices.IndexFunc(p.Refs, func(r bytecode.Ref) bool { return r.PC == pc })
	if p.Refs[i].Name != name {
		p.Refs = slices.Clone(p.Refs)
		p.Refs[i].Name = name
	}
}

// weakAt returns the relocation of a weak symbol, nil if the symbol must exist.
func weakAt(p *bytecode.Program, pc bytecode.PC) *bytecode.Reloc {
	for i := range p.Relocs {
		if r := &p.Relocs[i]; r.PC == pc && r.Kind == bytecode.RelocWeak {
			return r
		}
	}
	return nil
}

// find returns the first type of a kind and name, of the kernel or else of a module, and the set
// of types that it belongs to, nil if there is none.
func find[T btf.Type](k *Kernel, name string) (T, *btf.Spec) {
	for _, spec := range append([]*btf.Spec{k.types}, k.modules...) {
		types, err := spec.AnyTypesByName(name)
		if err != nil {
			continue
		}
		for _, t := range types {
			if found, ok := t.(T); ok {
				return found, spec
			}
		}
	}
	var none T
	return none, nil
}
