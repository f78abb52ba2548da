package load

import "github.com/bpfcfg/bpfcfg/cfg/bytecode"

// anyKptrs reports whether some type has a pointer that the kernel tracks in maps.
func (b *btfTypes) anyKptrs() bool { return b != nil && len(b.kptrHolders()) > 0 }

// holdsKptrs reports whether a value of the type can have a pointer that the kernel knows of: a
// load from there gives a pointer, from elsewhere in a map a number.
func (b *btfTypes) holdsKptrs(typ uint32) bool { return b.kptrHolders()[typ] }

// kptrHolders returns the types with such pointers at any depth, found once, from the pointers
// up. The kernel looks at fewer of them: not through all modifiers, and not into unions.
//
// Source: kernel/bpf/btf.c btf_find_field and btf_find_kptr, Linux 5.19 to 7.3.
func (b *btfTypes) kptrHolders() map[uint32]bool {
	if b.kptr != nil {
		return b.kptr
	}
	b.kptr = map[uint32]bool{}
	var todo []uint32
	for id := range uint32(len(b.start)) {
		if t := b.at(id); t.kind == kindPtr && b.isKptr(t.size) {
			b.kptr[id] = true
			todo = append(todo, id)
		}
	}
	if len(todo) == 0 {
		return b.kptr
	}
	for in := b.holders(); len(todo) > 0; {
		of := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, id := range in[of] {
			if !b.kptr[id] {
				b.kptr[id] = true
				todo = append(todo, id)
			}
		}
	}
	return b.kptr
}

// isKptr reports whether the target of a pointer has the tag of a pointer that the kernel tracks in maps.
func (b *btfTypes) isKptr(typ uint32) bool {
	for range btfMaxDepth {
		t := b.at(typ)
		switch t.kind {
		case kindTypedef, kindVolatile, kindConst, kindRestrict:
		case kindTypeTag:
			if bytecode.KptrTag(b.str(t.name)) {
				return true
			}
		default:
			return false
		}
		typ = t.size
	}
	return true
}

// holders returns for each type those whose values consist of it or have it as a part.
func (b *btfTypes) holders() map[uint32][]uint32 {
	in := map[uint32][]uint32{}
	for id := range uint32(len(b.start)) {
		switch t := b.at(id); t.kind {
		case kindArray:
			in[b.word(t, 0)] = append(in[b.word(t, 0)], id)
		case kindStruct, kindUnion:
			for i := range t.vlen {
				of := b.member(t, i).typ
				in[of] = append(in[of], id)
			}
		case kindDatasec:
			for i := range t.vlen {
				of := b.variable(t, i).typ
				in[of] = append(in[of], id)
			}
		case kindVar, kindTypedef, kindVolatile, kindConst, kindRestrict, kindTypeTag:
			in[t.size] = append(in[t.size], id)
		}
	}
	return in
}
