// Package ebpfspec converts specifications of cilium/ebpf to Programs, for tools that load
// programs with that library, and Programs to specifications.
//
//	spec, err := ebpf.LoadCollectionSpec("prog.o")
//	programs, err := ebpfspec.FromCollection(spec)   // sorted by name
//	r, err := succ.Resolve(programs[0], succ.Options{})
//
// It is separate from cfg/load because it imports the whole library, with its system calls;
// cfg/load needs only instructions and types.
//
// It does not load anything into a kernel, apply CO-RE relocations, or repair a specification:
// anything that cilium/ebpf 0.22 cannot represent, or would encode differently, is an error in
// both directions. That library does not read objects with jump tables; load.ELF does.
package ebpfspec

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/load"
)

// The errors that callers distinguish. A returned error wraps one of them or an error of package
// load.
var (
	// ErrSystem: the program is for another system than Linux.
	ErrSystem = errors.New("not a program for Linux")
	// ErrNotInSpec: cilium/ebpf cannot represent something in the program.
	ErrNotInSpec = errors.New("cannot be expressed in a cilium/ebpf specification")
	// ErrEncoding: cilium/ebpf would pass other instructions to the kernel.
	ErrEncoding = errors.New("encoded by cilium/ebpf as another instruction")
)

// FromSpec makes a program of a specification. Of its maps only the names are known;
// FromCollection knows more. The specification is not changed and may be changed afterwards.
func FromSpec(spec *ebpf.ProgramSpec) (*bytecode.Program, error) {
	typ, err := typeName(spec.Type)
	if err != nil {
		return nil, fmt.Errorf("program %q: %w", spec.Name, err)
	}
	p, err := load.FromAsm(spec.Instructions)
	if err != nil {
		return nil, fmt.Errorf("program %q: %w", spec.Name, err)
	}
	if spec.Name != "" {
		p.Name = spec.Name
	}
	p.Section, p.Type, p.Flags = spec.SectionName, typ, spec.Flags
	p.AttachType = uint32(spec.AttachType)
	p.AttachTo = load.AttachName(typ, p.AttachType, spec.AttachTo)
	if p.BigEndian = spec.ByteOrder == binary.BigEndian; p.BigEndian {
		p.Diags = append([]string{load.OtherOrder}, p.Diags...)
	}
	if err := describe(p, spec.Instructions); err != nil {
		return nil, fmt.Errorf("program %q: %w", p.Name, err)
	}
	return p, nil
}

// describe fills in the subprograms of a program from BTF.
func describe(p *bytecode.Program, insns asm.Instructions) error {
	pc, sub := bytecode.PC(0), 0
	callback := ""
	for i := range insns {
		in := &insns[i]
		for sub < len(p.Subprogs) && p.Subprogs[sub].Start < pc {
			sub++
		}
		fn := btf.FuncMetadata(in)
		if fn != nil && pc == 0 {
			callback = exceptionCallback(fn)
		}
		if fn != nil && sub < len(p.Subprogs) && p.Subprogs[sub].Start == pc {
			s := &p.Subprogs[sub]
			if err := load.Describe(s, fn, p.Type); err != nil {
				return err
			}
			if pc == 0 && !p.TypedEntry() {
				s.Args = nil // the kernel gives the entry its context, whatever its BTF is
			}
			s.Exception = pc > 0 && callback != "" && s.Name == callback
		}
		pc += slots(in)
	}
	isCallback := func(s bytecode.Subprogram) bool { return s.Exception }
	if callback != "" && !slices.ContainsFunc(p.Subprogs, isCallback) {
		// The linker of cilium/ebpf follows calls, and nothing calls it.
		return fmt.Errorf("exception callback %q is missing from the instructions: %w", callback, ErrNotInSpec)
	}
	return nil
}

// slots returns the number of slots of an instruction.
func slots(in *asm.Instruction) bytecode.PC {
	if in.OpCode.IsDWordLoad() {
		return 2
	}
	return 1
}

// exceptionCallback returns the function that a declaration tag of the entry
// names (bpf_prog_assign_exc_cb in libbpf), if there is exactly one.
func exceptionCallback(fn *btf.Func) string {
	name := ""
	for _, tag := range fn.Tags {
		if n, ok := strings.CutPrefix(tag, "exception_callback:"); ok {
			if name != "" {
				return ""
			}
			name = n
		}
	}
	return name
}

// FromCollection makes programs of a collection, sorted by name, with the collection's maps and
// variables. If one program cannot be made, all fail: use FromSpec to continue without it.
func FromCollection(spec *ebpf.CollectionSpec) ([]*bytecode.Program, error) {
	known := map[string]bytecode.Map{}
	var out []*bytecode.Program
	for _, name := range slices.Sorted(maps.Keys(spec.Programs)) {
		p, err := FromSpec(spec.Programs[name])
		if err != nil {
			return nil, err
		}
		for i, m := range p.Maps {
			if _, done := known[m.Name]; !done {
				known[m.Name] = mapOf(m.Name, spec)
			}
			p.Maps[i] = known[m.Name]
		}
		out = append(out, p)
	}
	return out, nil
}

// flagRdonlyProg is BPF_F_RDONLY_PROG (include/uapi/linux/bpf.h). Maps with it
// are frozen when cilium/ebpf has filled them.
const flagRdonlyProg = 1 << 7

// mapOf describes a map of the collection. A map that the collection does not have gets only its
// name.
func mapOf(name string, spec *ebpf.CollectionSpec) bytecode.Map {
	out := bytecode.Map{Name: name}
	m := spec.Maps[name]
	if m == nil || m.Type&^0xffff != 0 { // the tag of another system
		return out
	}
	out.Type, out.KeySize, out.ValueSize = uint32(m.Type), m.KeySize, m.ValueSize
	out.MaxEntries, out.Flags, out.NoKptrs = m.MaxEntries, m.Flags, !holdsKptrs(m.Value)
	if in := m.InnerMap; in != nil {
		out.Inner = &bytecode.Map{Name: "inner", Type: uint32(in.Type), KeySize: in.KeySize, ValueSize: in.ValueSize,
			MaxEntries: in.MaxEntries, Flags: in.Flags, NoKptrs: !holdsKptrs(in.Value)}
	}
	if m.Type != ebpf.Array || m.MaxEntries != 1 {
		return out
	}
	out.ReadOnly = m.Flags&flagRdonlyProg != 0
	if len(m.Contents) == 1 {
		if v, ok := m.Contents[0].Value.([]byte); ok && len(v) == int(m.ValueSize) {
			out.Value = slices.Clone(v)
		}
	}
	for _, n := range slices.Sorted(maps.Keys(spec.Variables)) {
		v := spec.Variables[n]
		if v.SectionName != name {
			continue
		}
		out.Symbols = append(out.Symbols, bytecode.DataSymbol{Name: v.Name, Off: int64(v.Offset), Size: int64(len(v.Value))})
		// A variable that was set after loading is what the kernel will get.
		if end := int64(v.Offset) + int64(len(v.Value)); out.Value != nil && end <= int64(len(out.Value)) {
			copy(out.Value[v.Offset:end], v.Value)
		}
	}
	slices.SortStableFunc(out.Symbols, func(a, b bytecode.DataSymbol) int { return int(a.Off - b.Off) })
	return out
}

// ToSpec makes a specification of a program, for the byte order of the machine that loads it.
// Maps are referred to by name, so that they can come from a collection. It refuses whatever
// cilium/ebpf cannot represent (jump tables, code addresses in data, kernel functions and
// variables, whose references that library does not export) and instructions that it would encode
// differently, such as casts between address spaces. Source lines and BTF are left out; without
// BTF a kernel treats global functions as static.
func ToSpec(p *bytecode.Program) (*ebpf.ProgramSpec, error) {
	fail := func(err error) (*ebpf.ProgramSpec, error) { return nil, fmt.Errorf("program %q: %w", p.Name, err) }
	typ, err := typeOf(p.Type)
	if err != nil {
		return fail(err)
	}
	if len(p.Tables) > 0 {
		return fail(fmt.Errorf("jump table %q: %w", p.Tables[0].Name, ErrNotInSpec))
	}
	for _, m := range p.Maps {
		if len(m.Code) > 0 {
			return fail(fmt.Errorf("addresses of code in %q: %w", m.Name, ErrNotInSpec))
		}
	}
	for _, r := range p.Refs {
		switch r.Kind {
		case bytecode.RefKfunc, bytecode.RefKsym, bytecode.RefBTFID, bytecode.RefUnknown:
			return fail(fmt.Errorf("slot %d: %q: %w", r.PC, r.Name, ErrNotInSpec))
		}
	}
	for _, r := range p.Relocs {
		if r.State == bytecode.RelocPending {
			return fail(fmt.Errorf("slot %d: %s: %w", r.PC, r.Note(), ErrNotInSpec))
		}
	}
	insns, err := load.ToAsm(p)
	if err != nil {
		return nil, err
	}
	pc := bytecode.PC(0)
	for i := range insns {
		if insns[i].OpCode.Class().IsALU() && insns[i].Offset != 0 {
			return fail(fmt.Errorf("slot %d: %s: %w", pc, p.Text(pc), ErrEncoding))
		}
		pc += slots(&insns[i])
	}
	return &ebpf.ProgramSpec{
		Name: p.Name, Type: typ, SectionName: p.Section, Instructions: insns, Flags: p.Flags, ByteOrder: binary.NativeEndian,
	}, nil
}
