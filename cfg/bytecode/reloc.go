package bytecode

import (
	"fmt"
	"sort"

	"github.com/bpfcfg/bpfcfg/internal/visible"
)

// Reloc is a change that a loader makes to an instruction by what the running
// kernel has: a number of its type information, or whether it has a symbol. While
// it is pending, the instruction as compiled tells nothing about that part.
//
// Source: bpf_core_patch_insn in tools/lib/bpf/relo_core.c and
// bpf_object__relocate_data in tools/lib/bpf/libbpf.c, libbpf 1.8.
type Reloc struct {
	PC    PC
	Kind  RelocKind
	Part  RelocPart
	State RelocState
	Text  string // what the number is, in words: "byte offset of struct task_struct.pid"
	Max   uint64 // the largest number that it can be; 0 when it can be any that fits
	Was   Insn   // the instruction before, when the state is not RelocPending

	// Of a CO-RE relocation in an object (struct bpf_core_relo in
	// include/uapi/linux/bpf.h), else zero.
	Core uint32 // enum bpf_core_relo_kind
	Type uint32 // type number in the object's BTF
	Path string // access path: "0:1:2"
}

// RelocKind says what a relocation is made by.
type RelocKind uint8

// The kinds of relocations.
const (
	RelocCORE RelocKind = iota + 1 // the kernel's types (bpf_core_relo in .BTF.ext)
	RelocWeak                      // whether the kernel has a weak symbol
	RelocFunc                      // a function that another object or loader links in
)

// String returns the kind in words.
func (k RelocKind) String() string {
	switch k {
	case RelocCORE:
		return "CO-RE relocation"
	case RelocWeak:
		return "weak symbol"
	case RelocFunc:
		return "function of another object"
	}
	return fmt.Sprintf("relocation kind %d", uint8(k))
}

// RelocPart says what of an instruction a relocation writes.
type RelocPart uint8

// The parts of instructions.
const (
	PartImm    RelocPart = iota + 1 // the signed 32-bit immediate of an ALU instruction
	PartImm64                       // the immediate of a 64-bit immediate load
	PartAccess                      // offset and size of a load or store
	PartCall                        // what a call calls
)

// RelocState says how far a relocation is.
type RelocState uint8

// The states of relocations.
const (
	RelocPending  RelocState = iota // not made: the part is unknown until load
	RelocApplied                    // made: the instruction is as the kernel gets it
	RelocPoisoned                   // there is no such thing: no kernel takes the instruction when it is reached
)

// RelocAt returns the relocation of the instruction at pc, and whether it has
// one.
func (p *Program) RelocAt(pc PC) (Reloc, bool) {
	i := sort.Search(len(p.Relocs), func(i int) bool { return p.Relocs[i].PC >= pc })
	if i < len(p.Relocs) && p.Relocs[i].PC == pc {
		return p.Relocs[i], true
	}
	return Reloc{}, false
}

// PendingAt returns which part of the instruction at pc is unknown until load, 0
// when the instruction is what a kernel would get.
func (p *Program) PendingAt(pc PC) RelocPart {
	if r, ok := p.RelocAt(pc); ok && r.State == RelocPending {
		return r.Part
	}
	return 0
}

// UnknownAt returns the variable of Unknown that size bytes at byte off of the
// map's value belong to, at least in part.
func (m *Map) UnknownAt(off int64, size int) (DataSymbol, bool) {
	i := sort.Search(len(m.Unknown), func(i int) bool { return m.Unknown[i].Off+m.Unknown[i].Size > off })
	if i < len(m.Unknown) && m.Unknown[i].Off < off+int64(size) {
		return m.Unknown[i], true
	}
	return DataSymbol{}, false
}

// Note returns what to print beside an instruction with the relocation: "CO-RE
// relocation: byte offset of struct task_struct.pid, unknown until load". It is
// safe to print.
func (r Reloc) Note() string {
	s := r.Kind.String() + ": " + visible.Text(r.Text)
	switch r.State {
	case RelocPending:
		return s + ", unknown until load"
	case RelocPoisoned:
		return s + ", not in this kernel"
	}
	return s
}
