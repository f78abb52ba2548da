package load

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"sort"
	"strings"
)

// elfFile is a view of an ELF file's bytes in which all extents have been checked.
//
// It uses the structures of debug/elf, but not its reader: elf.NewFile inflates compressed
// sections, even that of the section names, so a small file can make it use any amount of memory
// before it can be examined.
type elfFile struct {
	data     []byte
	order    binary.ByteOrder
	sections []section
	symbols  []elf.Sym64
	strings  string // names of symbols
	// defined are the symbols in each section, as indices of symbols.
	defined map[int][]int
}

// section is an ELF section. Its bytes are within the file, unless it is of
// type SHT_NOBITS and has none.
type section struct {
	name   string
	typ    elf.SectionType
	flags  elf.SectionFlag
	data   []byte // nil for SHT_NOBITS
	size   uint64
	link   uint32
	info   uint32
	entry  uint64 // size of an entry in a table
	relocs []reloc
}

// reloc is a relocation without addend (SHT_REL).
type reloc struct {
	off uint64 // byte offset in the section
	sym uint32 // index of the symbol
	typ uint32 // R_BPF_*
}

// maxName bounds the names that are read from string tables, in bytes. Longer ones are cut: many
// symbols with one endless name would take quadratic time.
const maxName = 1024

// Sizes of the structures in the file.
const (
	sizeHeader  = 64
	sizeSection = 64
	sizeSymbol  = 24
	sizeRel     = 16
)

// isExec reports whether the section holds instructions.
func (s *section) isExec() bool {
	return s.typ == elf.SHT_PROGBITS && s.flags&elf.SHF_EXECINSTR != 0 && len(s.data) > 0
}

// parseELF checks the headers and reads sections, symbols and relocations.
func parseELF(data []byte) (*elfFile, error) {
	f := &elfFile{data: data}
	hdr, err := f.header(true)
	if err != nil {
		return nil, err
	}
	if err := f.readSections(hdr); err != nil {
		return nil, err
	}
	if err := f.readSymbols(); err != nil {
		return nil, err
	}
	return f, f.readRelocs()
}

// header reads the file header and, if required, refuses a file that is not a BPF object. The
// first LLVM releases with BPF wrote machine EM_NONE, and libbpf accepts it.
func (f *elfFile) header(bpf bool) (elf.Header64, error) {
	var hdr elf.Header64
	if !bytes.HasPrefix(f.data, []byte(elf.ELFMAG)) {
		return hdr, ErrNotELF
	}
	if len(f.data) < sizeHeader {
		return hdr, fmt.Errorf("ELF header: %w", ErrTruncated)
	}
	switch elf.Data(f.data[elf.EI_DATA]) {
	case elf.ELFDATA2LSB:
		f.order = binary.LittleEndian
	case elf.ELFDATA2MSB:
		f.order = binary.BigEndian
	default:
		return hdr, fmt.Errorf("unknown byte order %d in the ELF header: %w", f.data[elf.EI_DATA], ErrTruncated)
	}
	machine := elf.Machine(f.order.Uint16(f.data[18:]))
	if bpf && machine != elf.EM_BPF && machine != elf.EM_NONE {
		return hdr, fmt.Errorf("made for machine %s: %w", machine, ErrNotBPF)
	}
	if c := elf.Class(f.data[elf.EI_CLASS]); c != elf.ELFCLASS64 {
		return hdr, fmt.Errorf("%s instead of ELFCLASS64: %w", c, ErrNotBPF)
	}
	f.decode(f.data, &hdr)
	if t := elf.Type(hdr.Type); bpf && t != elf.ET_REL {
		return hdr, fmt.Errorf("file type %s instead of ET_REL: %w", t, ErrNotBPF)
	}
	return hdr, nil
}

// decode fills the structure v from the start of b, which the caller has
// checked to be long enough.
func (f *elfFile) decode(b []byte, v any) {
	if _, err := binary.Decode(b, f.order, v); err != nil {
		panic("bug: structure longer than its extent: " + err.Error())
	}
}

// readSections reads the section headers and checks every extent.
func (f *elfFile) readSections(hdr elf.Header64) error {
	size := uint64(len(f.data))
	if hdr.Shoff == 0 {
		return fmt.Errorf("no section headers: %w", ErrNoPrograms)
	}
	if hdr.Shentsize != sizeSection || hdr.Shoff > size || size-hdr.Shoff < sizeSection {
		return fmt.Errorf("section headers lie outside of the file: %w", ErrTruncated)
	}
	var first elf.Section64
	f.decode(f.data[hdr.Shoff:], &first)
	count, names := uint64(hdr.Shnum), uint32(hdr.Shstrndx)
	if count == 0 { // more than a 16-bit number of sections
		count = first.Size
	}
	if elf.SectionIndex(names) == elf.SHN_XINDEX {
		names = first.Link
	}
	if count > (size-hdr.Shoff)/sizeSection {
		return fmt.Errorf("section headers lie outside of the file: %w", ErrTruncated)
	}
	raw := make([]elf.Section64, count)
	f.sections = make([]section, count)
	claimed := uint64(0)
	for i := range raw {
		f.decode(f.data[hdr.Shoff+uint64(i)*sizeSection:], &raw[i])
		if err := f.fillSection(&f.sections[i], &raw[i]); err != nil {
			return fmt.Errorf("section %d: %w", i, err)
		}
		// The file bounds the bytes that are read from sections only if they do not overlap. No
		// linker writes overlapping sections; a thousand headers on one extent would cause a
		// thousand copies of it.
		if claimed += uint64(len(f.sections[i].data)); claimed > size {
			return fmt.Errorf("section %d: sections overlap, %d bytes in a file of %d: %w", i, claimed, size, ErrTruncated)
		}
	}
	if uint64(names) >= count {
		return fmt.Errorf("no section names: %w", ErrTruncated)
	}
	table := string(f.sections[names].data)
	for i := range raw {
		f.sections[i].name = cString(table, uint64(raw[i].Name))
	}
	return nil
}

// fillSection decodes one section header.
func (f *elfFile) fillSection(s *section, raw *elf.Section64) error {
	*s = section{
		typ:   elf.SectionType(raw.Type),
		flags: elf.SectionFlag(raw.Flags),
		size:  raw.Size,
		link:  raw.Link,
		info:  raw.Info,
		entry: raw.Entsize,
	}
	if s.typ == elf.SHT_NULL || s.typ == elf.SHT_NOBITS {
		return nil
	}
	if s.flags&elf.SHF_COMPRESSED != 0 {
		return fmt.Errorf("compressed sections are not supported, decompress with objcopy: %w", ErrNotBPF)
	}
	size := uint64(len(f.data))
	if raw.Off > size || raw.Size > size-raw.Off {
		return fmt.Errorf("%d bytes at offset %d lie outside of the file of %d bytes: %w",
			raw.Size, raw.Off, size, ErrTruncated)
	}
	s.data = f.data[raw.Off : raw.Off+raw.Size]
	return nil
}

// readSymbols reads the symbol table. A file must have one.
func (f *elfFile) readSymbols() error {
	table := -1
	for i := range f.sections {
		if f.sections[i].typ != elf.SHT_SYMTAB {
			continue
		}
		if table >= 0 {
			return fmt.Errorf("two symbol tables: %w", ErrNotBPF)
		}
		table = i
	}
	if table < 0 {
		return fmt.Errorf("no symbol table, the object was stripped, use llvm-strip -g instead: %w", ErrNoPrograms)
	}
	s := &f.sections[table]
	if uint64(s.link) >= uint64(len(f.sections)) {
		return fmt.Errorf("symbol table without names: %w", ErrTruncated)
	}
	f.strings = string(f.sections[s.link].data)
	f.symbols = make([]elf.Sym64, len(s.data)/sizeSymbol)
	f.defined = map[int][]int{}
	for i := range f.symbols {
		b := s.data[i*sizeSymbol:]
		f.symbols[i] = elf.Sym64{
			Name:  f.order.Uint32(b),
			Info:  b[4],
			Other: b[5],
			Shndx: f.order.Uint16(b[6:]),
			Value: f.order.Uint64(b[8:]),
			Size:  f.order.Uint64(b[16:]),
		}
		if sec := int(f.symbols[i].Shndx); sec > 0 && sec < len(f.sections) {
			f.defined[sec] = append(f.defined[sec], i)
		}
	}
	return nil
}

// readRelocs attaches the relocations to the sections that they change, sorted
// by offset. BPF has relocations without addends only.
func (f *elfFile) readRelocs() error {
	for i := range f.sections {
		s := &f.sections[i]
		if s.typ != elf.SHT_REL {
			continue
		}
		if s.entry != sizeRel || uint64(s.info) >= uint64(len(f.sections)) {
			return fmt.Errorf("section %q: damaged relocations: %w", s.name, ErrTruncated)
		}
		target := &f.sections[s.info]
		for b := s.data; len(b) >= sizeRel; b = b[sizeRel:] {
			info := f.order.Uint64(b[8:])
			r := reloc{off: f.order.Uint64(b), sym: elf.R_SYM64(info), typ: elf.R_TYPE64(info)}
			if r.sym >= uint32(len(f.symbols)) {
				return fmt.Errorf("section %q: relocation against symbol %d of %d: %w",
					s.name, r.sym, len(f.symbols), ErrTruncated)
			}
			target.relocs = append(target.relocs, r)
		}
	}
	for i := range f.sections {
		r := f.sections[i].relocs
		sort.SliceStable(r, func(a, b int) bool { return r[a].off < r[b].off })
	}
	return nil
}

// relocsIn returns the relocations of a section in the byte range [lo, hi).
func (s *section) relocsIn(lo, hi uint64) []reloc {
	a := sort.Search(len(s.relocs), func(i int) bool { return s.relocs[i].off >= lo })
	b := sort.Search(len(s.relocs), func(i int) bool { return s.relocs[i].off >= hi })
	return s.relocs[a:max(a, b)]
}

// symName returns the name of a symbol. A section symbol has the name of its section.
func (f *elfFile) symName(sym elf.Sym64) string {
	if sym.Name == 0 && int(sym.Shndx) < len(f.sections) {
		return f.sections[sym.Shndx].name
	}
	return cString(f.strings, uint64(sym.Name))
}

// sectionNamed returns the index of the first section with the name, or -1.
func (f *elfFile) sectionNamed(name string) int {
	for i := range f.sections {
		if f.sections[i].name == name && f.sections[i].typ != elf.SHT_NULL {
			return i
		}
	}
	return -1
}

// cString returns the string that starts at off in a string table and ends
// before a zero byte, at the end of the table, or after maxName bytes. An
// offset outside of the table gives an empty string.
func cString(table string, off uint64) string {
	if off >= uint64(len(table)) {
		return ""
	}
	s := table[off:min(uint64(len(table)), off+maxName)]
	if n := strings.IndexByte(s, 0); n >= 0 {
		return s[:n]
	}
	return s
}
