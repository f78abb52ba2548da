package ebpfspec

import (
	"github.com/cilium/ebpf/btf"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// holdsKptrs reports whether a value of the type, nil for none, can have a pointer that the kernel
// tracks in maps.
//
// Source: kernel/bpf/btf.c btf_find_field and btf_find_kptr, Linux 5.19 to 7.3.
func holdsKptrs(value btf.Type) bool {
	seen := map[btf.Type]bool{}
	for todo := []btf.Type{value}; len(todo) > 0; {
		typ := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if typ == nil || seen[typ] {
			continue
		}
		seen[typ] = true
		switch t := typ.(type) {
		case *btf.Pointer:
			if isKptr(t.Target) {
				return true
			}
		case *btf.Array:
			todo = append(todo, t.Type)
		case *btf.Struct:
			todo = append(todo, membersOf(t.Members)...)
		case *btf.Union:
			todo = append(todo, membersOf(t.Members)...)
		case *btf.Datasec:
			for _, v := range t.Vars {
				todo = append(todo, v.Type)
			}
		case *btf.Var:
			todo = append(todo, t.Type)
		default:
			todo = append(todo, qualified(typ))
		}
	}
	return false
}

// membersOf returns the types of members.
func membersOf(members []btf.Member) (out []btf.Type) {
	for _, m := range members {
		out = append(out, m.Type)
	}
	return out
}

// qualified returns the type that a name or qualifier stands before, nil if it is none.
func qualified(typ btf.Type) btf.Type {
	switch t := typ.(type) {
	case *btf.Typedef:
		return t.Type
	case *btf.Const:
		return t.Type
	case *btf.Volatile:
		return t.Type
	case *btf.Restrict:
		return t.Type
	case *btf.TypeTag:
		return t.Type
	}
	return nil
}

// isKptr reports whether the target of a pointer has such a tag.
func isKptr(typ btf.Type) bool {
	seen := map[btf.Type]bool{}
	for ; typ != nil && !seen[typ]; typ = qualified(typ) {
		seen[typ] = true
		if tag, ok := typ.(*btf.TypeTag); ok && bytecode.KptrTag(tag.Value) {
			return true
		}
	}
	return false
}
