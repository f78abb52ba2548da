package load

import (
	"encoding/binary"
	"slices"
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// locals returns the structures that programs of the object may allocate, by number.
//
// Source: kernel/bpf/btf.c btf_parse_struct_metas and btf_find_kptr, Linux 6.12 to 7.3.
func (b *btfTypes) locals() []bytecode.LocalType {
	special, held := b.kptrs()
	fields := map[string]bool{}
	for _, name := range []string{"bpf_spin_lock", "bpf_list_head", "bpf_list_node", "bpf_rb_root", "bpf_rb_node",
		"bpf_refcount"} {
		fields[name] = true
	}
	var out []bytecode.LocalType
	for id := uint32(1); uint64(id) < uint64(len(b.start)); id++ {
		t := b.at(id)
		if t.kind != kindStruct {
			continue
		}
		l := bytecode.LocalType{ID: int32(id), Size: t.size, Held: held[b.str(t.name)]}
		for i := range t.vlen {
			of := b.member(t, i).typ
			m := b.at(of)
			l.Special = l.Special || special[of] || m.kind == kindStruct && fields[b.str(m.name)]
		}
		out = append(out, l)
	}
	return out
}

// kptrs returns the types of pointers that are tagged as pointers to objects in maps, and the
// names of structures that a map, a list or a tree can hold.
func (b *btfTypes) kptrs() (pointers map[uint32]bool, held map[string]bool) {
	pointers, held = map[uint32]bool{}, map[string]bool{}
	for id := uint32(1); uint64(id) < uint64(len(b.start)); id++ {
		switch t := b.at(id); t.kind {
		case kindPtr:
			tag := b.at(t.size)
			if tag.kind != kindTypeTag {
				continue
			}
			switch b.str(tag.name) {
			case "kptr", "kptr_untrusted", "percpu_kptr":
				pointers[id] = true
				held[b.str(b.at(b.strip(tag.size)).name)] = true
			}
		case kindDeclTag:
			if node, ok := strings.CutPrefix(b.str(t.name), "contains:"); ok {
				name, _, _ := strings.Cut(node, ":")
				held[name] = true
			}
		}
	}
	return pointers, held
}

// allocates reports whether the program calls a kernel function to which the loader passes the
// object's description of an allocated structure.
func allocates(p *bytecode.Program) bool {
	for _, r := range p.Refs {
		if r.Kind == bytecode.RefKfunc && strings.Contains(r.Name, "bpf_obj_") || strings.Contains(r.Name, "percpu_obj_") {
			return true
		}
	}
	return false
}

// SetLocals fills in Program.Locals and Program.Kfuncs from raw BTF in the machine's byte order,
// if the program needs them. Malformed types give none.
func SetLocals(p *bytecode.Program, types []byte) {
	if len(types) == 0 {
		return
	}
	if b, err := parseBTF(types, binary.LittleEndian); err == nil {
		b.setLocals(p)
	}
}

// setLocals is SetLocals.
func (b *btfTypes) setLocals(p *bytecode.Program) {
	if allocates(p) {
		p.Locals = b.locals()
	}
	seen := map[string]bool{}
	for _, r := range p.Refs {
		if r.Kind != bytecode.RefKfunc || seen[r.Name] {
			continue
		}
		seen[r.Name] = true
		if k, ok := b.kfunc(r.Name); ok {
			p.Kfuncs = append(p.Kfuncs, k)
		}
	}
	slices.SortFunc(p.Kfuncs, func(x, y bytecode.Kfunc) int { return strings.Compare(x.Name, y.Name) })
}

// kfunc returns the prototype of a kernel function that the object declares.
func (b *btfTypes) kfunc(name string) (bytecode.Kfunc, bool) {
	id, ok := b.find(kindFunc, name)
	proto := b.at(b.at(id).size)
	if !ok || proto.kind != kindFuncProto {
		return bytecode.Kfunc{}, false
	}
	k := bytecode.Kfunc{Name: name, Result: b.param(proto.size).Kind}
	for i := range min(proto.vlen, maxArgs) {
		param := b.param(b.word(proto, 2*i+1))
		param.Name = b.str(b.word(proto, 2*i))
		k.Params = append(k.Params, param)
	}
	return k, true
}

// param describes a parameter or result of a type.
func (b *btfTypes) param(typ uint32) bytecode.Param {
	t := b.at(b.strip(typ))
	switch t.kind {
	case kindVoid:
		return bytecode.Param{}
	case kindInt, kindEnum, kindEnum64:
		return bytecode.Param{Kind: bytecode.ParamNumber}
	case kindStruct:
		return bytecode.Param{Kind: bytecode.ParamStruct}
	case kindUnion:
		return bytecode.Param{Kind: bytecode.ParamUnion}
	case kindPtr:
	default:
		return bytecode.Param{Kind: bytecode.ParamOther}
	}
	p := bytecode.Param{Kind: bytecode.ParamPointer, Const: b.isConst(t.size)}
	switch to := b.at(b.strip(t.size)); to.kind {
	case kindFuncProto:
		p.Kind = bytecode.ParamFunction
	case kindStruct, kindFwd:
		p.Of = b.str(to.name)
	}
	p.Size, _ = b.sizeOf(t.size)
	return p
}

// isConst reports whether a type is const-qualified.
func (b *btfTypes) isConst(typ uint32) bool {
	for range btfMaxDepth {
		switch t := b.at(typ); t.kind {
		case kindConst:
			return true
		case kindVolatile, kindRestrict, kindTypeTag:
			typ = t.size
		default:
			return false
		}
	}
	return false
}
