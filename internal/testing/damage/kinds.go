package damage

import (
	"debug/elf"
	"slices"
)

// fileHeader changes a field of Elf64_Ehdr.
func fileHeader(f *file) {
	f.setField(0, []field{
		{4, 1}, {5, 1}, {6, 1}, {16, 2}, {18, 2}, {20, 4}, {24, 8}, {32, 8}, {40, 8}, {48, 4}, {52, 2}, {54, 2}, {56, 2},
		{58, 2}, {60, 2}, {62, 2},
	})
}

// sectionHeader changes a field of an Elf64_Shdr.
func sectionHeader(f *file) {
	f.setField(f.table+sizeSection*f.IntN(len(f.sections)), []field{
		{0, 4}, {4, 4}, {8, 8}, {16, 8}, {24, 8}, {32, 8}, {40, 4}, {44, 4}, {48, 8}, {56, 8},
	})
}

// overlap lets one section claim bytes of another.
func overlap(f *file) {
	a, b := f.IntN(len(f.sections)), f.sections[f.IntN(len(f.sections))]
	h := f.data[f.table+a*sizeSection:]
	shift := f.IntN(b.len + 1)
	f.order.PutUint64(h[24:], uint64(b.off+shift))
	if f.IntN(2) == 0 {
		f.order.PutUint64(h[32:], uint64(b.len-shift))
	}
}

// swap exchanges two section headers; symbols and relocations then mean others.
func swap(f *file) {
	a := f.table + sizeSection*f.IntN(len(f.sections))
	b := f.table + sizeSection*f.IntN(len(f.sections))
	for i := range sizeSection {
		f.data[a+i], f.data[b+i] = f.data[b+i], f.data[a+i]
	}
}

// compressed marks a section as compressed and gives it an Elf64_Chdr that
// claims any size.
func compressed(f *file) {
	i := f.IntN(len(f.sections))
	flags := f.data[f.table+i*sizeSection+8:]
	f.order.PutUint64(flags, f.order.Uint64(flags)|uint64(elf.SHF_COMPRESSED))
	if s := f.sections[i]; s.len >= 24 {
		f.order.PutUint32(f.data[s.off:], uint32(1+f.IntN(2))) // zlib or zstd
		f.set(s.off+8, 8)
	}
}

// xindex marks the numbers of sections as stored elsewhere, in a section with other contents.
func xindex(f *file) {
	first := f.data[f.table:]
	switch f.IntN(3) {
	case 0:
		f.order.PutUint16(f.data[60:], 0)
		f.order.PutUint64(first[32:], uint64(len(f.sections)))
		if f.IntN(2) == 0 {
			f.set(f.table+32, 8)
		}
	case 1:
		f.order.PutUint32(first[40:], uint32(f.order.Uint16(f.data[62:])))
		f.order.PutUint16(f.data[62:], uint16(elf.SHN_XINDEX))
		if f.IntN(2) == 0 {
			f.set(f.table+40, 4)
		}
	default:
		if at := f.entry(f.pick(func(s *sec) bool { return s.typ == elf.SHT_SYMTAB }), sizeSymbol); at >= 0 {
			f.order.PutUint16(f.data[at+6:], uint16(elf.SHN_XINDEX))
		}
	}
}

// symbol changes a field of an Elf64_Sym.
func symbol(f *file) {
	if at := f.entry(f.pick(func(s *sec) bool { return s.typ == elf.SHT_SYMTAB }), sizeSymbol); at >= 0 {
		f.setField(at, []field{{0, 4}, {4, 1}, {5, 1}, {6, 2}, {8, 8}, {16, 8}})
	}
}

// isRel reports whether a section holds relocations.
func isRel(s *sec) bool { return s.typ == elf.SHT_REL }

// relocation changes a field of an Elf64_Rel.
func relocation(f *file) {
	if at := f.entry(f.pick(isRel), sizeRel); at >= 0 {
		f.setField(at, []field{{0, 8}, {8, 4}, {12, 4}})
	}
}

// sameSlot gives relocations the offset of others.
func sameSlot(f *file) {
	s := f.pick(isRel)
	from := f.entry(s, sizeRel)
	for range 1 + f.IntN(4) {
		if to := f.entry(s, sizeRel); to >= 0 {
			copy(f.data[to:to+8], f.data[from:from+8])
		}
	}
}

// instruction changes a field of an instruction.
func instruction(f *file) {
	at := f.entry(f.pick(func(s *sec) bool { return s.flags&elf.SHF_EXECINSTR != 0 }), sizeInsn)
	if at >= 0 {
		f.setField(at, []field{{0, 1}, {1, 1}, {2, 2}, {4, 4}})
	}
}

// jumpTable changes entries of jump tables.
func jumpTable(f *file) {
	s := f.pick(func(s *sec) bool { return s.name == ".jumptables" })
	for range 1 + f.IntN(3) {
		if at := f.entry(s, 8); at >= 0 {
			f.set(at, 8)
		}
	}
}

// scatter changes bytes of a section.
func (f *file) scatter(s *sec) {
	for range 1 + f.IntN(8) {
		if at := f.entry(s, 1); at >= 0 {
			f.set(at, 1)
		}
	}
}

// dataBytes changes bytes of sections that become maps, or define them.
func dataBytes(f *file) {
	f.scatter(f.pick(func(s *sec) bool {
		return s.typ == elf.SHT_PROGBITS && s.flags&elf.SHF_ALLOC != 0 && s.flags&elf.SHF_EXECINSTR == 0
	}))
}

// stringBytes changes bytes of string tables: terminators, too.
func stringBytes(f *file) {
	f.scatter(f.pick(func(s *sec) bool { return s.typ == elf.SHT_STRTAB }))
}

// named returns the section of a name, or nil.
func (f *file) named(name string) *sec {
	return f.pick(func(s *sec) bool { return s.name == name })
}

// header changes one of the first words of a section.
func header(name string) func(f *file) {
	return func(f *file) {
		if s := f.named(name); s != nil && s.len >= 32 {
			f.set(s.off+4*f.IntN(8), 4)
		}
	}
}

// words changes words of a section.
func words(name string) func(f *file) {
	return func(f *file) {
		s := f.named(name)
		for range 1 + f.IntN(4) {
			if at := f.entry(s, 4); at >= 0 {
				f.set(at, 4)
			}
		}
	}
}

// counts fills words of any section.
func counts(f *file) {
	s := f.pick(func(*sec) bool { return true })
	for range 1 + f.IntN(4) {
		if at := f.entry(s, 4); at >= 0 {
			f.order.PutUint32(f.data[at:], 1<<32-1)
		}
	}
}

// anyBytes changes bytes anywhere.
func anyBytes(f *file) {
	for range 1 + f.IntN(16) {
		if len(f.data) > 0 {
			f.data[f.IntN(len(f.data))] = byte(f.Uint32())
		}
	}
}

// cut ends the file early.
func cut(f *file) { f.data = f.data[:f.IntN(len(f.data))] }

// repeat inserts a copy of a piece of the file.
func repeat(f *file) {
	from := f.IntN(len(f.data))
	to := from + f.IntN(min(4096, len(f.data)-from))
	f.data = slices.Insert(f.data, f.IntN(len(f.data)), slices.Clone(f.data[from:to])...)
}

// many applies several kinds that leave the headers where they are.
func many(f *file) {
	in := []func(*file){
		sectionHeader, symbol, relocation, sameSlot, instruction, jumpTable, dataBytes, stringBytes, header(".BTF"),
		words(".BTF"), header(".BTF.ext"), words(".BTF.ext"),
	}
	for range 2 + f.IntN(6) {
		in[f.IntN(len(in))](f)
	}
}
