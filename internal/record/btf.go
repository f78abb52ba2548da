package record

import (
	"bytes"
	"encoding/binary"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/load"
)

// functions returns the program's functions in the BTF, by slot:
// name, linkage, and the parameters of global ones. Nil without BTF.
//
// It does not use the reader of cilium/ebpf, which unpacks types by recursion: a chain of a million
// pointers, 24 MB of a record, ends the process.
func (b *BTF) functions(progType string) ([]bytecode.Subprogram, error) {
	if b == nil {
		return nil, nil
	}
	var order binary.ByteOrder = binary.LittleEndian
	if len(b.Data) > 1 && b.Data[0] == 0xeb {
		order = binary.BigEndian
	}
	return load.Functions(b.Data, order, b.FuncInfo, ProgTypeName(progType))
}

// strings returns the string section of a type object, nil of a damaged one
// (struct btf_header in include/uapi/linux/btf.h).
func (b *BTF) strings() []byte {
	const header = 24
	if b == nil || len(b.Data) < header {
		return nil
	}
	le := binary.LittleEndian
	from := uint64(le.Uint32(b.Data[4:])) + uint64(le.Uint32(b.Data[16:]))
	to := from + uint64(le.Uint32(b.Data[20:]))
	if from > to || to > uint64(len(b.Data)) {
		return nil
	}
	return b.Data[from:to]
}

// maxText bounds a string of a type object in bytes, so that lines which share
// a long one do not multiply it.
const maxText = 4096

// lines returns the source lines of a program with so many slots, in the order of
// slots, the first of each.
func (b *BTF) lines(n bytecode.PC) []bytecode.Line {
	if b == nil {
		return nil
	}
	table := b.strings()
	text := func(off uint32) string {
		if uint64(off) >= uint64(len(table)) {
			return ""
		}
		s := table[off:]
		s = s[:min(len(s), maxText)]
		if end := bytes.IndexByte(s, 0); end >= 0 {
			s = s[:end]
		}
		return string(s)
	}
	var out []bytecode.Line
	for _, l := range b.LineInfo {
		pc := bytecode.PC(l[0])
		if pc >= n || len(out) > 0 && out[len(out)-1].PC >= pc {
			continue
		}
		out = append(out, bytecode.Line{PC: pc, File: text(l[1]), Text: text(l[2]), Line: int(l[3] >> 10),
			Col: int(l[3] & 0x3ff)})
	}
	return out
}
