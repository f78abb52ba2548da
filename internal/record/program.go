package record

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/load"
)

// ErrNoProgram is returned for a job that only works on maps.
var ErrNoProgram = errors.New("the job has no program")

// maxTable bounds the elements of an instruction array that Program fills in: the most instructions
// that a program may have (BPF_COMPLEXITY_LIMIT_INSNS, Linux 7.3). maxTables bounds those of all
// arrays of a program together: a few bytes can request an array.
const (
	maxTable  = 1_000_000
	maxTables = 4_000_000
)

// maxValues bounds the values of the maps that Program takes over, in bytes for
// all maps of a program together.
const maxValues = 16 << 20

// maxDiags bounds the remarks about a program.
const maxDiags = 1000

// Map flags (include/uapi/linux/bpf.h).
const (
	flagRdonlyProg = 1 << 7
)

// Program returns the program as the job submitted it, before any rewriting: its relocations as
// references, its maps with the contents that they had at load time, and names from its BTF. Name
// is the job's name; the function's own name is that of Subprogs[0]. Subprograms are the targets of
// calls and of function addresses, and the exception callback.
//
// It errs on a job that has no program, on a slot that is not 8 bytes long, and on references to
// things that the job does not have. It accepts programs that no kernel would; Diags lists their
// oddities.
func (j *Job) Program() (*bytecode.Program, error) {
	if len(j.Insns) == 0 {
		return nil, ErrNoProgram
	}
	p := &bytecode.Program{Name: j.Name, Type: ProgTypeName(j.ProgType), Flags: j.ProgFlags,
		AttachType: j.AttachType, AttachTo: j.AttachTo}
	if j.Object != nil {
		p.Section = j.Object.Section
	}
	var err error
	if p.Insns, err = Decode(j.Insns); err != nil {
		return nil, err
	}
	b := builder{job: j, prog: p, maps: map[string]mapPlace{}, byName: map[string]*Map{}}
	for i := range j.Maps {
		if m := &j.Maps[i]; b.byName[m.Name] == nil { // the first of a name counts
			b.byName[m.Name] = m
		}
	}
	for _, step := range []func() error{b.references, b.bound, b.functions} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	if j.BTF != nil {
		load.SetLocals(p, j.BTF.Data)
	}
	return p, nil
}

// Decode returns the instructions in slots of 8 bytes each.
func Decode(slots []Hex) ([]bytecode.Insn, error) {
	code := make([]byte, 0, len(slots)*bytecode.SlotSize)
	for i, s := range slots {
		if len(s) != bytecode.SlotSize {
			return nil, fmt.Errorf("insn %d has %d bytes", i, len(s))
		}
		code = append(code, s...)
	}
	return bytecode.Decode(code, binary.LittleEndian)
}

// Slots returns instructions in the form of a record. It is the inverse of Decode.
func Slots(insns []bytecode.Insn) []Hex {
	code := bytecode.Encode(insns, binary.LittleEndian)
	out := make([]Hex, len(insns))
	for i := range out {
		out[i] = code[i*bytecode.SlotSize : (i+1)*bytecode.SlotSize]
	}
	return out
}

// builder makes the Program of a job.
type builder struct {
	job    *Job
	prog   *bytecode.Program
	byName map[string]*Map     // maps of the job
	maps   map[string]mapPlace // those that are in the program
	size   uint64              // bytes of map values so far
	cells  int                 // elements of tables so far
}

// mapPlace is the place of a map of the job, in Tables or in Maps.
type mapPlace struct {
	table bool
	index int
}

// diag records an oddity of the program.
func (b *builder) diag(format string, args ...any) {
	switch n := len(b.prog.Diags); {
	case n < maxDiags-1:
		b.prog.Diags = append(b.prog.Diags, fmt.Sprintf(format, args...))
	case n == maxDiags-1:
		b.prog.Diags = append(b.prog.Diags, "and more of this kind, omitted")
	}
}

// references patches the operands that the job relocates, and adds their references.
func (b *builder) references() error {
	relocs := slices.Clone(b.job.Relocs)
	slices.SortStableFunc(relocs, func(x, y Reloc) int { return x.Insn - y.Insn })
	wide := -1 // first slot of the wide load looked at last
	next := 0
	for i := range b.prog.Insns {
		if wide >= 0 && i == wide+1 {
			continue
		}
		in := &b.prog.Insns[i]
		if in.IsWide() {
			wide = i
		}
		for next < len(relocs) && relocs[next].Insn < i {
			return fmt.Errorf("relocation of slot %d, which is no instruction", relocs[next].Insn)
		}
		if next == len(relocs) || relocs[next].Insn != i {
			if err := b.implied(i); err != nil {
				return err
			}
			continue
		}
		if err := b.patch(relocs[next]); err != nil {
			return fmt.Errorf("insn %d: %w", i, err)
		}
		if next++; next < len(relocs) && relocs[next].Insn == i {
			return fmt.Errorf("insn %d is relocated twice", i)
		}
	}
	if next < len(relocs) {
		return fmt.Errorf("relocation of slot %d, which is no instruction", relocs[next].Insn)
	}
	return nil
}

// patch applies one relocation.
func (b *builder) patch(r Reloc) error {
	in := &b.prog.Insns[r.Insn]
	in.Imm = 0 // only a kernel knows it
	ref := bytecode.Ref{PC: bytecode.PC(r.Insn), Name: r.Name}
	value := false
	switch r.Kind {
	case "map_fd":
		in.Src = bytecode.LdMapFD
	case "map_idx":
		in.Src = bytecode.LdMapIdx
	case "map_value":
		in.Src, value = bytecode.LdMapValue, true
	case "map_idx_value":
		in.Src, value = bytecode.LdMapIdxValue, true
	case "kfunc":
		in.Src, ref.Kind = bytecode.CallKfunc, bytecode.RefKfunc
		b.prog.Refs = append(b.prog.Refs, ref)
		return nil
	case "btf_id":
		in.Src, ref.Kind = bytecode.LdBTFID, bytecode.RefKsym
		b.prog.Refs = append(b.prog.Refs, ref)
		return nil
	default:
		return fmt.Errorf("unknown relocation kind %q", r.Kind)
	}
	if value {
		if r.Insn+1 >= len(b.prog.Insns) {
			return errors.New("map value reference in the last slot")
		}
		b.prog.Insns[r.Insn+1].Imm = int32(r.Off)
		ref.Off = int64(r.Off)
	}
	return b.mapRef(ref, value)
}

// mapRef adds a reference to the map called ref.Name.
func (b *builder) mapRef(ref bytecode.Ref, value bool) error {
	at, err := b.place(ref.Name)
	if err != nil {
		return err
	}
	ref.Kind, ref.Index = bytecode.MapRef(at.table, value), at.index
	b.prog.Refs = append(b.prog.Refs, ref)
	return nil
}

// implied adds the reference that an instruction without relocation has by itself: a subprogram, or
// a map by its index in fd_array.
func (b *builder) implied(i int) error {
	in := b.prog.Insns[i]
	ref := bytecode.Ref{PC: bytecode.PC(i)}
	switch {
	case in.IsWide() && in.Src == bytecode.LdFunc:
		ref.Kind, ref.Index = bytecode.RefFunc, i+1+int(in.Imm)
	case in.IsWide() && (in.Src == bytecode.LdMapIdx || in.Src == bytecode.LdMapIdxValue):
		if in.Imm < 0 || int(in.Imm) >= len(b.job.FDArray) {
			b.diag("insn %d: index %d is outside fd_array", i, in.Imm)
			return nil
		}
		ref.Name = b.job.FDArray[in.Imm]
		if i+1 < len(b.prog.Insns) && in.Src == bytecode.LdMapIdxValue {
			ref.Off = int64(uint32(b.prog.Insns[i+1].Imm))
		}
		return b.mapRef(ref, in.Src == bytecode.LdMapIdxValue)
	case in.IsWide() && in.Src != bytecode.LdImm64:
		ref.Kind, ref.Name = bytecode.RefUnknown, "operand without relocation"
	case in.IsKfuncCall():
		ref.Kind, ref.Name = bytecode.RefUnknown, "kernel function without relocation"
	default:
		return nil
	}
	b.prog.Refs = append(b.prog.Refs, ref)
	return nil
}

// bound adds the maps that only fd_array names.
func (b *builder) bound() error {
	for _, name := range b.job.FDArray {
		at, err := b.place(name)
		if err != nil {
			return err
		}
		if at.table {
			b.prog.Tables[at.index].FDArray = true
		}
	}
	return nil
}

// functions finds the subprograms and names them.
func (b *builder) functions() error {
	p := b.prog
	starts := []bytecode.PC{0}
	for pc := bytecode.PC(0); pc < p.Len(); pc += p.Insns[pc].Slots() {
		f := p.Flow(pc)
		if f.Kind != bytecode.FlowCall && f.Kind != bytecode.FlowFuncAddr {
			continue
		}
		if f.Callee < 0 || f.Callee >= p.Len() {
			b.diag("insn %d: subprogram at %d is outside the program", pc, f.Callee)
			continue
		}
		starts = append(starts, f.Callee)
	}
	types, err := b.job.BTF.functions(b.job.ProgType)
	if err != nil {
		b.diag("btf: %v", err)
	}
	for _, f := range types {
		if f.Exception && f.Start < p.Len() {
			starts = append(starts, f.Start)
		}
	}
	slices.Sort(starts)
	starts = slices.Compact(starts)
	for i, s := range starts {
		end := p.Len()
		if i+1 < len(starts) {
			end = starts[i+1]
		}
		p.Subprogs = append(p.Subprogs, bytecode.Subprogram{Start: s, End: end})
	}
	for _, f := range types {
		i, ok := slices.BinarySearch(starts, f.Start)
		if !ok {
			b.diag("btf: function %q at %d is never called", f.Name, f.Start)
			continue
		}
		f.End = p.Subprogs[i].End
		p.Subprogs[i] = f
	}
	if !p.TypedEntry() {
		p.Subprogs[0].Args = nil // the entry gets a context, whatever its C type
	}
	p.Lines = b.job.BTF.lines(p.Len())
	return nil
}
