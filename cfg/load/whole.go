package load

import (
	"debug/elf"
	"slices"
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// Function is a function of an object.
type Function struct {
	Name    string
	Section string
	Start   bytecode.PC // slot in the section, -1 if its code is unusable
	Len     bytecode.PC // slots
	Global  bool        // global or weak symbol
}

// StructOps is a structure of functions that a loader registers with the kernel: section
// .struct_ops, .struct_ops.link or ?.struct_ops.
type StructOps struct {
	Name    string // of the variable
	Type    string // of the structure, without a flavour: "tcp_congestion_ops"
	Members []Member
}

// Member is a function of a StructOps.
type Member struct {
	Name    string // of the member, empty if BTF does not name it
	Index   int    // of the member in the object's structure
	Program string // C name of the program that it is assigned to
}

// functions describes the functions of the object.
func (o *object) functions() []Function {
	out := make([]Function, 0, len(o.funcs))
	for _, f := range o.funcs {
		out = append(out, Function{f.name, o.f.sections[f.sec].name, f.off, f.len, f.global})
	}
	return out
}

// uncalled makes programs of the functions that no program has. A function that cannot be linked
// is left out, because nothing loads it.
func (o *object) uncalled(programs []*bytecode.Program) []*bytecode.Program {
	have := make([]bool, len(o.funcs))
	mark := func(p *bytecode.Program) {
		for _, s := range p.Subprogs {
			have[s.From-1] = true
		}
	}
	for _, p := range programs {
		mark(p)
	}
	for _, fn := range o.entries { // failed entries are programs, too
		have[fn] = true
	}
	if !slices.Contains(have, false) {
		return nil
	}
	diags, missing, told := o.diags, o.undefined, o.reported
	var linked []*bytecode.Program
	callees := o.callees()
	for _, inner := range []bool{false, true} { // callers first, then functions in cycles of calls
		for fn := range o.funcs {
			if have[fn] || callees[fn] != inner {
				continue
			}
			if p, err := o.link(fn); err == nil {
				mark(p)
				linked = append(linked, p)
			}
		}
	}
	o.diags, o.undefined, o.reported = diags, missing, told // nobody loads them
	return roots(linked)
}

// roots leaves out the programs whose entry is a subprogram of a later one.
func roots(list []*bytecode.Program) []*bytecode.Program {
	inner := map[int]bool{}
	for _, p := range slices.Backward(list) {
		if inner[p.Subprogs[0].From] {
			continue
		}
		for _, s := range p.Subprogs[1:] {
			inner[s.From] = true
		}
	}
	return slices.DeleteFunc(list, func(p *bytecode.Program) bool { return inner[p.Subprogs[0].From] })
}

// pointerSize is the size of a pointer in data for BPF, in bytes.
const pointerSize = 8

// elements returns the initial elements of a map whose variable is sym: each is a
// relocation against a program or a map (bpf_object__collect_map_relos in
// tools/lib/bpf/libbpf.c).
func (o *object) elements(sec int, sym elf.Sym64, at int64) []bytecode.Element {
	if at < 0 || sym.Size <= uint64(at) || sym.Value+sym.Size < sym.Value {
		return nil
	}
	var out []bytecode.Element
	lo := sym.Value + uint64(at)
	for _, r := range o.f.sections[sec].relocsIn(lo, sym.Value+sym.Size) {
		if name := o.pointee(sec, r); name != "" && (r.off-lo)%pointerSize == 0 {
			out = append(out, bytecode.Element{Index: uint32((r.off - lo) / pointerSize), Name: name})
		}
	}
	return out
}

// pointee returns the name of the function or map that a relocated pointer in data points to,
// empty if it points to neither.
func (o *object) pointee(sec int, r reloc) string {
	sym := o.f.symbols[r.sym]
	to := int(sym.Shndx)
	if isExtern(sym) || to <= 0 || to >= len(o.f.sections) {
		return ""
	}
	if elf.ST_TYPE(sym.Info) != elf.STT_SECTION {
		return o.f.symName(sym)
	}
	data := o.f.sections[sec].data
	if o.code[to] == nil || r.off > uint64(len(data)) || uint64(len(data))-r.off < pointerSize {
		return ""
	}
	off := sym.Value + o.f.order.Uint64(data[r.off:])
	if fn := o.funcAt(to, int64(off/bytecode.SlotSize)); fn >= 0 {
		return o.funcs[fn].name
	}
	return ""
}

// structOps returns the structures of functions of the object.
func (o *object) structOps() []StructOps {
	var out []StructOps
	for sec := range o.f.sections {
		switch o.f.sections[sec].name {
		case ".struct_ops", ".struct_ops.link", "?.struct_ops", "?.struct_ops.link":
		default:
			continue
		}
		for _, i := range o.f.defined[sec] {
			if sym := o.f.symbols[i]; elf.ST_TYPE(sym.Info) == elf.STT_OBJECT {
				out = append(out, o.structOpsOf(sec, sym))
			}
		}
	}
	return out
}

// structOpsOf returns one structure of functions.
func (o *object) structOpsOf(sec int, sym elf.Sym64) StructOps {
	s := StructOps{Name: o.f.symName(sym)}
	var t btfType
	if id, ok := o.types.find(kindVar, s.Name); ok {
		t = o.types.at(o.types.strip(o.types.at(id).size))
		s.Type, _, _ = strings.Cut(o.types.str(t.name), "___")
	}
	for _, r := range o.f.sections[sec].relocsIn(sym.Value, max(sym.Value, sym.Value+sym.Size)) {
		m := Member{Program: o.pointee(sec, r)}
		for i := 0; t.kind == kindStruct && i < t.vlen; i++ {
			if f := o.types.member(t, i); uint64(f.off) == 8*(r.off-sym.Value) {
				m.Name, m.Index = o.types.str(o.types.word(t, 3*i)), i
			}
		}
		if m.Program != "" {
			s.Members = append(s.Members, m)
		}
	}
	return s
}

// bind finds the structure and member that each program of type struct_ops is assigned to, as
// libbpf does (bpf_object__collect_st_ops_relos in tools/lib/bpf/libbpf.c). The member's number
// is that of the object's structure; the kernel's may differ.
func (o *Object) bind() {
	for _, s := range o.StructOps {
		for _, m := range s.Members {
			i := slices.IndexFunc(o.Programs, func(p *bytecode.Program) bool { return p.Name == m.Program })
			if i < 0 || m.Name == "" || o.Programs[i].Type != "struct_ops" {
				continue
			}
			p := o.Programs[i]
			p.AttachTo, p.AttachMember, p.AttachType = "struct "+s.Type, m.Name, uint32(m.Index)
		}
	}
}
