package main

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
)

// object returns a BPF object whose section .text holds the code, for tools that
// read objects alone.
func object(code []byte) []byte {
	names := []byte("\x00.text\x00.symtab\x00.strtab\x00.shstrtab\x00f\x00")
	at := func(name string) uint32 { return uint32(bytes.Index(names, append([]byte{0}, name...)) + 1) }
	const headerSize = 64
	symbols := &bytes.Buffer{}
	for _, s := range []elf.Sym64{{}, {Name: at("f\x00"), Info: elf.ST_INFO(elf.STB_GLOBAL, elf.STT_FUNC), Shndx: 1,
		Size: uint64(len(code))}} {
		write(symbols, s)
	}
	body := append(bytes.Clone(code), symbols.Bytes()...)
	symbolsAt := uint64(headerSize + len(code))
	namesAt := symbolsAt + uint64(symbols.Len())
	body = append(body, names...)
	for len(body)%8 != 0 {
		body = append(body, 0)
	}
	out := &bytes.Buffer{}
	write(out, elf.Header64{
		Ident: [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Type:  uint16(elf.ET_REL), Machine: uint16(elf.EM_BPF), Version: uint32(elf.EV_CURRENT),
		Shoff: uint64(headerSize + len(body)), Ehsize: headerSize, Shentsize: 64, Shnum: 5, Shstrndx: 4,
	})
	out.Write(body)
	text := elf.SHF_ALLOC | elf.SHF_EXECINSTR
	for _, s := range []elf.Section64{
		{},
		{Name: at(".text"), Type: uint32(elf.SHT_PROGBITS), Flags: uint64(text), Off: headerSize, Size: uint64(len(code)),
			Addralign: 8},
		{Name: at(".symtab"), Type: uint32(elf.SHT_SYMTAB), Off: symbolsAt, Size: uint64(symbols.Len()), Link: 3, Info: 1,
			Entsize: 24, Addralign: 8},
		{Name: at(".strtab"), Type: uint32(elf.SHT_STRTAB), Off: namesAt, Size: uint64(len(names)), Addralign: 1},
		{Name: at(".shstrtab"), Type: uint32(elf.SHT_STRTAB), Off: namesAt, Size: uint64(len(names)), Addralign: 1},
	} {
		write(out, s)
	}
	return out.Bytes()
}

// write appends a structure of fixed size.
func write(b *bytes.Buffer, v any) {
	if err := binary.Write(b, binary.LittleEndian, v); err != nil {
		panic("bug: " + err.Error())
	}
}
