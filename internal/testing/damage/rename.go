package damage

import (
	"bytes"
	"debug/elf"
	"fmt"
	"math/rand/v2"
)

// Kinds of names, as Rename reports them.
const (
	SectionName = "section" // of the file
	SymbolName  = "symbol"  // a function, a variable, a map
	TypeString  = "btf"     // any other string of .BTF: types, members, files, source lines
	License     = "license" // the contents of section "license"
)

// Rename returns an object in which with has replaced every string by one of any length. Names of
// sections in .BTF.ext change with the sections. It panics if data is no good object.
func Rename(data []byte, with func(what, name string) string) []byte {
	f := open(bytes.Clone(data), rand.New(rand.NewPCG(0, 0)))
	if f.order == nil {
		panic("bug: no ELF object to rename in")
	}
	r := &renamer{file: f, with: with}
	r.elf()
	r.btf()
	return f.data
}

// renamer builds new string tables at the end of the file.
type renamer struct {
	*file
	with func(what, name string) string
}

// stringTable is a string table that grows.
type stringTable struct {
	bytes []byte
	at    map[string]uint32
}

// add returns the offset of a string.
func (t *stringTable) add(s string) uint32 {
	if len(t.bytes) == 0 {
		t.bytes, t.at = []byte{0}, map[string]uint32{"": 0}
	}
	off, ok := t.at[s]
	if !ok {
		off = uint32(len(t.bytes))
		t.at[s] = off
		t.bytes = append(append(t.bytes, s...), 0)
	}
	return off
}

// cString returns the string at an offset of b.
func cString(b []byte, off uint32) string {
	s, _, _ := bytes.Cut(b[off:], []byte{0})
	return string(s)
}

// replace gives section i other contents, at the end of the file.
func (r *renamer) replace(i int, content []byte) {
	for len(r.data)%8 != 0 {
		r.data = append(r.data, 0)
	}
	h := r.table + i*sizeSection
	r.order.PutUint64(r.data[h+24:], uint64(len(r.data)))
	r.order.PutUint64(r.data[h+32:], uint64(len(content)))
	r.data = append(r.data, content...)
}

// bytesOf returns the contents of a section of the good file.
func (r *renamer) bytesOf(i int) []byte {
	s := r.sections[i]
	return bytes.Clone(r.data[s.off : s.off+s.len])
}

// elf renames sections and symbols. The names of both may be in one table.
func (r *renamer) elf() {
	names := int(r.order.Uint16(r.data[62:]))
	tables := map[int]*stringTable{names: {}}
	for i, s := range r.sections {
		at := tables[names].add(r.with(SectionName, s.name))
		r.order.PutUint32(r.data[r.table+i*sizeSection:], at)
		if s.typ != elf.SHT_SYMTAB {
			continue
		}
		link := int(r.order.Uint32(r.data[r.table+i*sizeSection+40:]))
		if tables[link] == nil {
			tables[link] = &stringTable{}
		}
		old := r.bytesOf(link)
		for off := s.off; off+sizeSymbol <= s.off+s.len; off += sizeSymbol {
			name := cString(old, r.order.Uint32(r.data[off:]))
			if name != "" {
				name = r.with(SymbolName, name)
			}
			r.order.PutUint32(r.data[off:], tables[link].add(name))
		}
	}
	for i := range r.sections {
		if t := tables[i]; t != nil {
			r.replace(i, t.bytes)
		} else if r.sections[i].name == "license" {
			r.replace(i, append([]byte(r.with(License, cString(r.bytesOf(i), 0))), 0))
		}
	}
}

// btf renames the strings of .BTF and where .BTF.ext refers to them.
func (r *renamer) btf() {
	for i, s := range r.sections {
		if s.name != ".BTF" {
			continue
		}
		b := r.bytesOf(i)
		hdr := r.order.Uint32(b[4:])
		types := b[hdr+r.order.Uint32(b[8:]):][:r.order.Uint32(b[12:])]
		t := &btfStrings{r: r, old: b[hdr+r.order.Uint32(b[16:]):]}
		t.types(types)
		for j, x := range r.sections {
			if x.name == ".BTF.ext" {
				ext := r.bytesOf(j)
				t.ext(ext)
				r.replace(j, ext)
			}
		}
		out := bytes.Clone(b[:24])
		r.order.PutUint32(out[4:], 24)
		r.order.PutUint32(out[8:], 0)
		r.order.PutUint32(out[16:], uint32(len(types)))
		r.order.PutUint32(out[20:], uint32(len(t.new.bytes)))
		r.replace(i, append(append(out, types...), t.new.bytes...))
	}
}

// btfStrings moves references from the old strings to the new.
type btfStrings struct {
	r   *renamer
	old []byte
	new stringTable
}

// move renames what the word at the start of b refers to.
func (t *btfStrings) move(b []byte, what string) {
	name := cString(t.old, t.r.order.Uint32(b))
	if name != "" {
		name = t.r.with(what, name)
	}
	t.r.order.PutUint32(b, t.new.add(name))
}

// types renames types and members (Documentation/bpf/btf.rst, Linux 7.3).
func (t *btfStrings) types(b []byte) {
	const (
		array, structure, union, enum, fn, proto = 3, 4, 5, 6, 12, 13
		variable, datasec, tag, enum64           = 14, 15, 17, 19
	)
	for len(b) > 0 {
		info := t.r.order.Uint32(b[4:])
		kind, n := info>>24&0x1f, int(info&0xffff)
		what := TypeString
		switch kind {
		case fn, variable:
			what = SymbolName
		case datasec:
			what = SectionName
		}
		t.move(b, what)
		b = b[12:]
		each, named := 0, kind != datasec
		switch kind {
		case 1, variable, tag:
			b = b[4:]
		case array:
			b = b[12:]
		case structure, union, datasec, enum64:
			each = 12
		case enum, proto:
			each = 8
		}
		for range n {
			if each > 0 && named {
				t.move(b, TypeString)
			}
			b = b[each:]
		}
	}
}

// ext renames sections, files, source lines and access paths.
func (t *btfStrings) ext(b []byte) {
	order := t.r.order
	hdr := order.Uint32(b[4:])
	for _, at := range []int{8, 16, 24} { // functions, lines, CO-RE relocations
		if at+8 > int(hdr) {
			continue
		}
		part := b[hdr+order.Uint32(b[at:]):][:order.Uint32(b[at+4:])]
		if len(part) == 0 {
			continue
		}
		size := order.Uint32(part)
		for part = part[4:]; len(part) > 0; {
			t.move(part, SectionName)
			n := order.Uint32(part[4:])
			part = part[8:]
			for range n {
				switch at {
				case 16: // file and text
					t.move(part[4:], TypeString)
					t.move(part[8:], TypeString)
				case 24: // an access path is digits and colons: as it is
					order.PutUint32(part[8:], t.new.add(cString(t.old, order.Uint32(part[8:]))))
				}
				part = part[size:]
			}
		}
	}
}

// Evil returns a name that tries to break out of every format, with a tag by which it can be found
// again.
func Evil(tag string) string {
	return fmt.Sprintf("%s\x1b[31m\x1b]8;;http://e.x\x07\u009b1m\u202e\u2066\u2028\x7f\xff"+
		"]]>--></text></script><script>alert(1)</script><b>&amp;\"'`|*_\\%%0A%%0D::error file=x::y\r\n"+
		"INJECTED::error::%s\n../../../%s", tag, tag, tag)
}
