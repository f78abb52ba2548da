// Package damage makes broken ELF objects out of good ones, so that tests can
// see what a reader does with them.
//
//	for _, k := range damage.Kinds() {
//		bad := k.Apply(good, 17) // the same bytes for the same seed, on every machine
//	}
//
// Random bytes seldom get past the first check of a header. The faults here are
// in one place each: a size, a link, an entry of a jump table, a count in BTF.
// The package knows where these are from the headers of the good file, and does
// not repair what depends on them.
//
// It does not judge: some results are still good objects.
package damage

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"math/rand/v2"
)

// Kind is a kind of fault.
type Kind struct {
	Name  string
	What  string // what is changed, for people
	apply func(f *file)
}

// Kinds returns all kinds, always in the same order.
func Kinds() []Kind {
	return []Kind{
		{"header", "a field of the file header", fileHeader},
		{"section", "a field of a section header", sectionHeader},
		{"overlap", "a section that lies on another one", overlap},
		{"swap", "two section headers in each other's place", swap},
		{"compressed", "a section marked as compressed, with any size", compressed},
		{"xindex", "section numbers of more than 16 bits", xindex},
		{"symbol", "a field of a symbol", symbol},
		{"relocation", "offset, symbol or type of a relocation", relocation},
		{"same-slot", "relocations on one instruction", sameSlot},
		{"instruction", "a field of an instruction", instruction},
		{"jump-table", "entries of .jumptables", jumpTable},
		{"data", "bytes of data sections", dataBytes},
		{"strings", "bytes of string tables", stringBytes},
		{"btf-header", "offsets and lengths in the header of .BTF", header(".BTF")},
		{"btf-type", "words of types in .BTF", words(".BTF")},
		{"ext-header", "offsets and lengths in the header of .BTF.ext", header(".BTF.ext")},
		{"ext-record", "sizes, counts and records in .BTF.ext", words(".BTF.ext")},
		{"counts", "words of any section become 0xffffffff", counts},
		{"bytes", "bytes anywhere", anyBytes},
		{"cut", "the file ends early", cut},
		{"repeat", "a piece of the file stands twice", repeat},
		{"many", "several of the others", many},
	}
}

// Apply returns a damaged copy of an ELF object. A file that is no ELF64 object is damaged
// anywhere.
func (k Kind) Apply(data []byte, seed uint64) []byte {
	f := open(bytes.Clone(data), rand.New(rand.NewPCG(seed, uint64(len(k.Name)))))
	if f.order == nil {
		anyBytes(f)
	} else {
		k.apply(f)
	}
	return f.data
}

// file is an object that is being damaged.
type file struct {
	*rand.Rand
	data     []byte
	order    binary.ByteOrder // nil for a file that is no ELF64 object
	table    int              // byte offset of the section headers
	sections []sec
}

// sec is a section of the good file.
type sec struct {
	name     string
	typ      elf.SectionType
	flags    elf.SectionFlag
	off, len int // bytes in the file
}

// Sizes in ELF64 files, in bytes.
const (
	sizeHeader  = 64
	sizeSection = 64
	sizeSymbol  = 24
	sizeRel     = 16
	sizeInsn    = 8
)

// open finds the sections of a good object.
func open(data []byte, r *rand.Rand) *file {
	f := &file{Rand: r, data: data}
	if len(data) < sizeHeader || !bytes.HasPrefix(data, []byte(elf.ELFMAG)) || data[4] != byte(elf.ELFCLASS64) {
		return f
	}
	var order binary.ByteOrder = binary.LittleEndian
	if data[5] == byte(elf.ELFDATA2MSB) {
		order = binary.BigEndian
	}
	f.table = int(order.Uint64(data[40:]))
	n, names := int(order.Uint16(data[60:])), int(order.Uint16(data[62:]))
	if f.table <= 0 || n == 0 || names >= n || f.table > len(data)-n*sizeSection {
		return f
	}
	f.sections = make([]sec, n)
	for i := range f.sections {
		h := data[f.table+i*sizeSection:]
		s := sec{
			typ: elf.SectionType(order.Uint32(h[4:])), flags: elf.SectionFlag(order.Uint64(h[8:])),
			off: int(order.Uint64(h[24:])), len: int(order.Uint64(h[32:])),
		}
		if s.typ == elf.SHT_NOBITS || s.off < 0 || s.len < 0 || s.off > len(data) || s.len > len(data)-s.off {
			s.off, s.len = 0, 0
		}
		f.sections[i] = s
	}
	strs := f.sections[names]
	for i := range f.sections {
		at := int(order.Uint32(data[f.table+i*sizeSection:]))
		if at < strs.len {
			name, _, _ := bytes.Cut(data[strs.off+at:strs.off+strs.len], []byte{0})
			f.sections[i].name = string(name)
		}
	}
	f.order = order
	return f
}

// pick returns one of the sections that are wanted and not empty, or nil.
func (f *file) pick(wanted func(s *sec) bool) *sec {
	var found []*sec
	for i := range f.sections {
		if s := &f.sections[i]; s.len > 0 && wanted(s) {
			found = append(found, s)
		}
	}
	if len(found) == 0 {
		return nil
	}
	return found[f.IntN(len(found))]
}

// entry returns the offset in the file of one of the entries of a section, or -1.
func (f *file) entry(s *sec, size int) int {
	if s == nil || s.len < size {
		return -1
	}
	return s.off + size*f.IntN(s.len/size)
}

// nasty returns a number that readers trip over, or one near old.
func (f *file) nasty(old uint64) uint64 {
	edges := []uint64{
		0, 1, 2, 7, 8, 9, 16, 0xff, 0xfff1, 0xfff2, 0xffff, 1 << 16, 1 << 20, 1<<31 - 1, 1 << 31, 1<<32 - 1, 1 << 32,
		1 << 40, 1<<63 - 1, 1 << 63, 1<<64 - 8, 1<<64 - 1, uint64(len(f.data)), uint64(len(f.data)) - 1,
	}
	switch f.IntN(4) {
	case 0:
		return old + uint64(f.IntN(33)) - 16
	case 1:
		return old ^ 1<<f.IntN(64)
	case 2:
		return f.Uint64() >> f.IntN(64)
	}
	return edges[f.IntN(len(edges))]
}

// set changes the number of size bytes at an offset.
func (f *file) set(off, size int) {
	b := f.data[off:]
	switch size {
	case 1:
		b[0] = byte(f.nasty(uint64(b[0])))
	case 2:
		f.order.PutUint16(b, uint16(f.nasty(uint64(f.order.Uint16(b)))))
	case 4:
		f.order.PutUint32(b, uint32(f.nasty(uint64(f.order.Uint32(b)))))
	default:
		f.order.PutUint64(b, f.nasty(f.order.Uint64(b)))
	}
}

// field is the place of a number in a structure: offset and size in bytes.
type field struct{ off, size int }

// setField changes one field of the structure at an offset.
func (f *file) setField(at int, fields []field) {
	x := fields[f.IntN(len(fields))]
	f.set(at+x.off, x.size)
}
