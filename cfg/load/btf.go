package load

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// btfTypes is an index of section .BTF: the position of each type, without unpacking, so its size
// is bounded by that of the section.
//
// Only the tests use cilium/ebpf's btf package, to judge this reader. It unpacks types by
// recursion, and a chain of some hundred thousand pointers, a file of a few megabytes, ends the
// process by stack overflow, which nothing can catch (version 0.22.0).
//
// Source: Documentation/bpf/btf.rst, Linux 7.3.
type btfTypes struct {
	order   binary.ByteOrder
	data    []byte   // type section
	start   []uint32 // by type id: offset of the type in data; id 0 is void
	strings string
	byName  map[btfName]uint32  // functions, variables and data sections
	tags    map[tagged][]string // declaration tags that the kernel or libbpf uses
	kptr    map[uint32]bool     // types with pointers that the kernel knows of in maps; nil until asked
}

// tagged is the object of a declaration tag: a type, or one of its parameters.
type tagged struct {
	typ   uint32
	param int32 // -1 for the type itself
}

// btfName is the key of a lookup by name.
type btfName struct {
	kind btfKind
	name string
}

// btfKind is the kind of a BTF type.
type btfKind uint8

// The kinds of BTF types (include/uapi/linux/btf.h).
const (
	kindVoid btfKind = iota
	kindInt
	kindPtr
	kindArray
	kindStruct
	kindUnion
	kindEnum
	kindFwd
	kindTypedef
	kindVolatile
	kindConst
	kindRestrict
	kindFunc
	kindFuncProto
	kindVar
	kindDatasec
	kindFloat
	kindDeclTag
	kindTypeTag
	kindEnum64
)

// Sizes in BTF, and its magic number.
const (
	btfMagic      = 0xeb9f
	btfHeaderSize = 24
	btfTypeSize   = 12 // the common part of all kinds
	btfMaxDepth   = 32 // as MAX_RESOLVE_DEPTH in kernel/bpf/btf.c
)

// errBTF is wrapped by every error about type information. None of them ends
// loading.
var errBTF = errors.New("damaged BTF")

// btfType is one type, decoded from its first words.
type btfType struct {
	kind btfKind
	name uint32 // offset of the name in the strings
	vlen int    // number of members, parameters, …
	flag bool   // kind flag
	size uint32 // size in bytes, or the id of another type
	more []byte // what follows, vlen times tailSize long
}

// tailSize returns the number of bytes after the common part of a type: once for the type, and
// for each of its vlen elements.
func (k btfKind) tailSize() (once, each int) {
	switch k {
	case kindInt, kindVar, kindDeclTag:
		return 4, 0
	case kindArray:
		return 12, 0
	case kindStruct, kindUnion, kindDatasec, kindEnum64:
		return 0, 12
	case kindEnum, kindFuncProto:
		return 0, 8
	default:
		return 0, 0
	}
}

// parseBTF indexes the types of a .BTF section.
func parseBTF(data []byte, order binary.ByteOrder) (*btfTypes, error) {
	if len(data) < btfHeaderSize || order.Uint16(data) != btfMagic {
		return nil, fmt.Errorf("no header: %w", errBTF)
	}
	hdrLen := order.Uint32(data[4:])
	types, err := extent(data, hdrLen, order.Uint32(data[8:]), order.Uint32(data[12:]))
	if err != nil {
		return nil, fmt.Errorf("types: %w", err)
	}
	strs, err := extent(data, hdrLen, order.Uint32(data[16:]), order.Uint32(data[20:]))
	if err != nil {
		return nil, fmt.Errorf("strings: %w", err)
	}
	b := &btfTypes{order: order, data: types, strings: string(strs), start: []uint32{0}, byName: map[btfName]uint32{},
		tags: map[tagged][]string{}}
	for off := 0; off < len(types); {
		t, n, err := b.decode(off)
		if err != nil {
			return nil, fmt.Errorf("type %d: %w", len(b.start), err)
		}
		b.index(t, uint32(len(b.start)))
		b.start = append(b.start, uint32(off))
		off += n
	}
	return b, nil
}

// extent returns the bytes [hdr+off, hdr+off+size) of data.
func extent(data []byte, hdr, off, size uint32) ([]byte, error) {
	lo := uint64(hdr) + uint64(off)
	hi := lo + uint64(size)
	if hi > uint64(len(data)) {
		return nil, fmt.Errorf("bytes %d to %d of %d: %w", lo, hi, len(data), errBTF)
	}
	return data[lo:hi], nil
}

// decode reads the type at an offset and returns its size in the section.
func (b *btfTypes) decode(off int) (btfType, int, error) {
	rest := b.data[off:]
	if len(rest) < btfTypeSize {
		return btfType{}, 0, fmt.Errorf("cut off: %w", errBTF)
	}
	info := b.order.Uint32(rest[4:])
	t := btfType{
		kind: btfKind(info >> 24 & 0x1f),
		name: b.order.Uint32(rest),
		vlen: int(info & 0xffff),
		flag: info>>31 != 0,
		size: b.order.Uint32(rest[8:]),
	}
	if t.kind == kindVoid || t.kind > kindEnum64 {
		return btfType{}, 0, fmt.Errorf("unknown kind %d: %w", t.kind, errBTF)
	}
	once, each := t.kind.tailSize()
	n := btfTypeSize + once + each*t.vlen
	if len(rest) < n {
		return btfType{}, 0, fmt.Errorf("cut off: %w", errBTF)
	}
	t.more = rest[btfTypeSize:n]
	return t, n, nil
}

// index records the name of a type that is looked up by name. As in libbpf, the first type with a
// name counts.
func (b *btfTypes) index(t btfType, id uint32) {
	switch t.kind {
	case kindFunc, kindVar, kindDatasec:
		key := btfName{t.kind, b.str(t.name)}
		if _, ok := b.byName[key]; !ok {
			b.byName[key] = id
		}
	case kindDeclTag:
		tag := b.str(t.name)
		if strings.HasPrefix(tag, tagException) || strings.HasPrefix(tag, tagArg) {
			at := tagged{t.size, int32(b.word(t, 0))}
			b.tags[at] = append(b.tags[at], tag)
		}
	}
}

// Declaration tags that matter: on a program, its exception callback; on a parameter of a global
// function, the type that the kernel assumes.
const (
	tagException = "exception_callback:"
	tagArg       = "arg:"
)

// find returns the id of the function, variable or data section with the name.
func (b *btfTypes) find(kind btfKind, name string) (uint32, bool) {
	if b == nil {
		return 0, false
	}
	id, ok := b.byName[btfName{kind, name}]
	return id, ok
}

// at returns the type with an id; void for 0 and for ids that do not exist.
func (b *btfTypes) at(id uint32) btfType {
	if id == 0 || uint64(id) >= uint64(len(b.start)) {
		return btfType{}
	}
	t, _, err := b.decode(int(b.start[id]))
	if err != nil {
		panic("bug: indexed type does not decode: " + err.Error())
	}
	return t
}

// str returns the string at an offset.
func (b *btfTypes) str(off uint32) string { return cString(b.strings, uint64(off)) }

// word returns 32-bit word number i after the common part of a type.
func (b *btfTypes) word(t btfType, i int) uint32 { return b.order.Uint32(t.more[4*i:]) }

// strip follows typedefs and qualifiers and returns the id of the type that they name.
func (b *btfTypes) strip(id uint32) uint32 {
	for range btfMaxDepth {
		t := b.at(id)
		switch t.kind {
		case kindTypedef, kindVolatile, kindConst, kindRestrict, kindTypeTag:
			id = t.size
		default:
			return id
		}
	}
	return 0
}

// sizeOf returns the size of a type in bytes, and reports whether it has one. Chains longer than
// btfMaxDepth have none, as in the kernel.
func (b *btfTypes) sizeOf(id uint32) (uint32, bool) {
	count := uint64(1)
	for range btfMaxDepth {
		id = b.strip(id)
		t := b.at(id)
		size := uint64(t.size)
		switch t.kind {
		case kindInt, kindStruct, kindUnion, kindEnum, kindEnum64, kindFloat, kindDatasec:
		case kindPtr:
			size = 8
		case kindVar:
			id = t.size
			continue
		case kindArray:
			id = b.word(t, 0)
			count *= uint64(b.word(t, 2))
			if count > 1<<32 {
				return 0, false
			}
			continue
		default:
			return 0, false
		}
		if size*count > 1<<32-1 {
			return 0, false
		}
		return uint32(size * count), true
	}
	return 0, false
}

// alignOf returns the alignment of a type in bytes, at least 1. A structure is
// aligned like its most aligned scalar member; nested ones count as 8, which
// is their usual alignment.
func (b *btfTypes) alignOf(id uint32) uint32 {
	for range btfMaxDepth {
		id = b.strip(id)
		t := b.at(id)
		switch t.kind {
		case kindArray:
			id = b.word(t, 0)
		case kindInt, kindEnum, kindEnum64, kindFloat:
			return max(1, min(t.size, 8))
		default:
			return 8
		}
	}
	return 8
}

// member is a member of a structure, a parameter or a variable of a data
// section, by index.
type member struct {
	name string
	typ  uint32
	off  uint32 // bits for members, bytes for variables
	size uint32 // bytes, of variables
}

// member returns member i of a structure or union.
func (b *btfTypes) member(t btfType, i int) member {
	return member{name: b.str(b.word(t, 3*i)), typ: b.word(t, 3*i+1), off: b.word(t, 3*i+2)}
}

// hasMember reports whether a type is a structure with a member that is a structure of
// this name.
func (b *btfTypes) hasMember(id uint32, name string) bool {
	t := b.at(b.strip(id))
	for i := 0; t.kind == kindStruct && i < t.vlen; i++ {
		if m := b.at(b.strip(b.member(t, i).typ)); m.kind == kindStruct && b.str(m.name) == name {
			return true
		}
	}
	return false
}

// variable returns variable i of a data section.
func (b *btfTypes) variable(t btfType, i int) member {
	m := member{typ: b.word(t, 3*i), off: b.word(t, 3*i+1), size: b.word(t, 3*i+2)}
	m.name = b.str(b.at(m.typ).name)
	return m
}
