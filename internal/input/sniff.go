package input

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// sniff reads the first bytes of a file. It is an object if it is an ELF file for BPF or
// its name ends in .o; machine names the other machine or format that it is for. An unknown
// file named .o counts as an object, so that a damaged one is not skipped.
func sniff(name string) (machine string, isObject bool) {
	byName := filepath.Ext(name) == ".o"
	f, err := os.Open(name)
	if err != nil {
		return "", byName
	}
	defer f.Close()
	head := make([]byte, 20)
	n, _ := io.ReadFull(f, head)
	head = head[:n]
	if m, ok := elfMachine(head); ok {
		if m == elf.EM_BPF {
			return "", true
		}
		if m != elf.EM_NONE {
			machine = strings.ToLower(strings.TrimPrefix(m.String(), "EM_"))
		}
		return machine, byName
	}
	return otherFormat(head), byName
}

// otherFormat names the format of a file by its first bytes, if it is one that build trees
// contain beside ELF files.
func otherFormat(head []byte) string {
	for magic, what := range map[string]string{
		"BC\xc0\xde": formatBitcode, "\xde\xc0\x17\x0b": formatBitcode, "\xcf\xfa\xed\xfe": "Mach-O", "\x00asm": "wasm",
		"!<arch>\n": formatArchive, "!<thin>\n": formatArchive,
	} {
		if bytes.HasPrefix(head, []byte(magic)) {
			return what
		}
	}
	return ""
}

// Formats with their own advice in messages.
const (
	formatBitcode = "LLVM bitcode"
	formatArchive = "archive"
)

// elfMachine returns the machine of an ELF file from its first 20 bytes.
func elfMachine(head []byte) (elf.Machine, bool) {
	if len(head) < 20 || !bytes.HasPrefix(head, []byte(elf.ELFMAG)) {
		return 0, false
	}
	if elf.Data(head[elf.EI_DATA]) == elf.ELFDATA2MSB {
		return elf.Machine(binary.BigEndian.Uint16(head[18:])), true
	}
	return elf.Machine(binary.LittleEndian.Uint16(head[18:])), true
}
