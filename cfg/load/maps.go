package load

import (
	"debug/elf"
	"sort"
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// Map types and flags that the loader handles (include/uapi/linux/bpf.h).
const (
	mapTypeArray   = 2
	mapTypePerCPU  = 6 // BPF_MAP_TYPE_PERCPU_ARRAY
	mapTypeArena   = 33
	flagMmapable   = 1 << 10 // BPF_F_MMAPABLE
	flagRdonlyProg = 1 << 7  // BPF_F_RDONLY_PROG
)

// maxMapValue is the size of the largest valid map value, in bytes.
const maxMapValue = 1 << 31

// pageSize is the unit of arena sizes on x86-64, in bytes.
const pageSize = 4096

// place is a position in the file's sections.
type place struct {
	sec int
	off uint64
}

// mapSet holds the maps of an object and the tables for finding them. The programs share the
// maps, so nothing in them may be changed.
type mapSet struct {
	legacy  []string // sections with map definitions in the old style, quoted
	all     []bytecode.Map
	at      map[place]int  // maps of .maps and maps sections, by address
	data    map[int]int    // data sections, by section
	cells   map[int][]cell // code pointers in data sections, by map and in order of offset
	kconfig int            // the .kconfig map, -1 if there is none
	arena   int            // the arena map, -1 if there is none
	// arenaData is where the variables of the arena start in it, in bytes.
	arenaData uint32
	zeroed    uint64                // of MaxZeroed, in bytes
	defs      map[uint32]definition // by BTF id of the variable
}

// definition is BTF's definition of a map variable. It is read once, because any number of
// symbols may have one name.
type definition struct {
	m      bytecode.Map
	values int64 // byte offset of the initial elements in the variable, -1 for none
	err    error
}

// cell is a code pointer in a data section, before linking.
type cell struct {
	off    int64 // byte offset in the data section
	sec    int   // section that it points into
	target int64 // byte offset there
}

// loadTypes reads .BTF and .BTF.ext. Without them programs have no lines and
// maps no sizes, but the rest works.
func (o *object) loadTypes() {
	i := o.f.sectionNamed(".BTF")
	if i < 0 {
		return
	}
	b, err := parseBTF(o.f.sections[i].data, o.f.order)
	if err != nil {
		o.diag("section \".BTF\" left out: %v", err)
		return
	}
	o.types = b
	if i = o.f.sectionNamed(".BTF.ext"); i < 0 {
		return
	}
	names := map[string]int{}
	for i := range o.f.sections {
		if _, ok := names[o.f.sections[i].name]; !ok {
			names[o.f.sections[i].name] = i
		}
	}
	e, err := parseBTFExt(o.f.sections[i].data, b, func(name string) int {
		if i, ok := names[name]; ok {
			return i
		}
		return -1
	})
	if err != nil {
		o.diag("section \".BTF.ext\" left out: %v", err)
		return
	}
	o.ext = e
	for _, odd := range e.odd {
		o.diag("%s", odd)
	}
}

// findMaps collects the maps of the object: definitions first, then data
// sections, then the map of kernel configuration values.
func (o *object) findMaps() {
	o.findKsyms()
	o.maps = mapSet{at: map[place]int{}, data: map[int]int{}, cells: map[int][]cell{}, kconfig: -1, arena: -1,
		defs: map[uint32]definition{}}
	for i := range o.f.sections {
		switch name := o.f.sections[i].name; {
		case name == ".maps":
			o.addBTFMaps(i)
		case name == "maps" || strings.HasPrefix(name, "maps/"):
			o.addLegacyMaps(i)
		}
	}
	for i := range o.f.sections {
		if isData(&o.f.sections[i]) {
			o.addDataMap(i)
		}
	}
	if len(o.maps.legacy) > 0 {
		o.refuse("libbpf 1.0 and later refuse map definitions in the old style, in %s: define maps in .maps",
			some(o.maps.legacy))
	}
	o.addKconfig()
	o.placeArena()
}

// add appends a map and returns its index.
func (o *object) addMap(m bytecode.Map) int {
	o.maps.all = append(o.maps.all, m)
	return len(o.maps.all) - 1
}

// isData reports whether a section becomes an array map of one element, by the names in libbpf
// (bpf_object__elf_collect).
func isData(s *section) bool {
	named := func(stem string) bool { return s.name == stem || strings.HasPrefix(s.name, stem+".") }
	switch s.typ {
	case elf.SHT_PROGBITS:
		return s.flags&elf.SHF_EXECINSTR == 0 && len(s.data) > 0 && (named(".data") || named(".rodata") || isPerCPU(s.name))
	case elf.SHT_NOBITS:
		return named(".bss") || isPerCPU(s.name)
	}
	return false
}

// isPerCPU reports whether a data section becomes a map with a copy for each CPU.
func isPerCPU(name string) bool { return name == ".percpu" || strings.HasPrefix(name, ".percpu.") }

// isReadOnly reports whether libbpf makes a read-only map of a data section. That is not so for
// .data.rel.ro, see isConst.
func isReadOnly(name string) bool { return name == ".rodata" || strings.HasPrefix(name, ".rodata.") }

// isConst reports whether compilers fill a section with constants that need relocations. Libbpf
// 1.8 makes a map like .data of it.
func isConst(name string) bool {
	return name == ".data.rel.ro" || strings.HasPrefix(name, ".data.rel.ro.")
}

// addDataMap adds the map of a data section.
func (o *object) addDataMap(sec int) {
	s := &o.f.sections[sec]
	if s.size > maxMapValue {
		o.diag("section %q: %d bytes are too large for a map", s.name, s.size)
		return
	}
	m := bytecode.Map{
		Name: s.name, Type: mapTypeArray, KeySize: 4, ValueSize: uint32(s.size), MaxEntries: 1,
		ReadOnly: isReadOnly(s.name), Const: isConst(s.name), NoKptrs: true,
	}
	if id, ok := o.types.find(kindDatasec, s.name); ok {
		m.NoKptrs = !o.types.holdsKptrs(id)
	}
	if m.ReadOnly {
		m.Flags |= flagRdonlyProg
	}
	if isPerCPU(s.name) {
		m.Type = mapTypePerCPU
	}
	switch {
	case s.typ != elf.SHT_NOBITS:
		m.Value = append([]byte{}, s.data...)
	case s.size <= MaxZeroed-o.maps.zeroed:
		m.Value = make([]byte, s.size)
		o.maps.zeroed += s.size
	default:
		o.diag("section %q: %d bytes, the contents of an object's zeros are not kept beyond %d", s.name, s.size, MaxZeroed)
	}
	volatile := o.volatileVars(s.name)
	for _, i := range o.f.defined[sec] {
		sym := o.f.symbols[i]
		if elf.ST_TYPE(sym.Info) != elf.STT_OBJECT {
			continue
		}
		if sym.Value > s.size || sym.Size > s.size-sym.Value {
			o.diag("section %q: variable %q crosses the end", s.name, o.f.symName(sym))
			continue
		}
		if elf.ST_BIND(sym.Info) != elf.STB_LOCAL && o.types != nil && m.Type == mapTypeArray {
			m.Flags |= flagMmapable // map_is_mmapable in libbpf
		}
		name := o.f.symName(sym)
		m.Symbols = append(m.Symbols, bytecode.DataSymbol{Name: name, Off: int64(sym.Value), Size: int64(sym.Size),
			Config: m.ReadOnly && volatile[name]})
	}
	sort.SliceStable(m.Symbols, func(i, j int) bool { return m.Symbols[i].Off < m.Symbols[j].Off })
	o.maps.data[sec] = o.addMap(m)
	o.maps.cells[o.maps.data[sec]] = o.findCells(sec)
}

// relAbs64 is R_BPF_64_ABS64: a 64-bit address in data, its addend in place.
const relAbs64 = 2

// findCells returns the code pointers of a data section: relocated 8-byte cells
// whose symbol lies in a section with instructions. The addend is in the cell.
func (o *object) findCells(sec int) []cell {
	var cells []cell
	s := &o.f.sections[sec]
	last := int64(-8)
	for _, r := range s.relocs {
		sym := o.f.symbols[r.sym]
		if r.typ != relAbs64 || o.code[int(sym.Shndx)] == nil {
			continue
		}
		if r.off > uint64(len(s.data)) || uint64(len(s.data))-r.off < 8 || int64(r.off) < last+8 {
			o.diag("section %q: code pointer at offset %d crosses the end or another one", s.name, r.off)
			continue
		}
		last = int64(r.off)
		target := sym.Value + o.f.order.Uint64(s.data[r.off:])
		cells = append(cells, cell{off: last, sec: int(sym.Shndx), target: int64(target)})
	}
	return cells
}

// placeArena finds the offset of the arena's variables: libbpf puts them at the end of the arena
// (bpf_object__relocate).
func (o *object) placeArena() {
	sec := o.f.sectionNamed(arenaSection)
	if o.maps.arena < 0 || sec < 0 {
		return
	}
	whole := uint64(o.maps.all[o.maps.arena].MaxEntries) * pageSize
	used := (uint64(len(o.f.sections[sec].data)) + pageSize - 1) / pageSize * pageSize
	o.maps.arenaData = uint32(whole - min(whole, used))
}

// arenaSection is the section into which clang puts variables of the arena's address space.
const arenaSection = ".addr_space.1"
