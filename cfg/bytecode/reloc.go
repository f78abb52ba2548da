package bytecode

import (
	"fmt"
	"sort"

	"github.com/bpfcfg/bpfcfg/internal/visible"
)

// Reloc is a change that a loader makes to an instruction for the running kernel: a number from
// its type information, or whether it has a symbol. While a relocation is pending, that part of
// the compiled instruction is meaningless.
//
// Source: bpf_core_patch_insn in tools/lib/bpf/relo_core.c and
// bpf_object__relocate_data in tools/lib/bpf/libbpf.c, libbpf 1.8.
type Reloc struct {
	PC    PC
	Kind  RelocKind
	Part  RelocPart
	State RelocState
	Text  string // description of the number: "byte offset of struct task_struct.pid"
	Max   uint64 // the largest possible number; 0 if every number that fits is possible
	Was   Insn   // the instruction before relocation, unless the state is RelocPending

	// Of a CO-RE relocation in an object (struct bpf_core_relo in
	// include/uapi/linux/bpf.h), else zero.
	Core uint32 // enum bpf_core_relo_kind
	Type uint32 // type number in the object's BTF
	Path string // access path: "0:1:2"
}

// RelocKind is the source of a relocation's value.
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

// RelocPart is the part of an instruction that a relocation writes.
type RelocPart uint8

// The parts of instructions.
const (
	PartImm    RelocPart = iota + 1 // the signed 32-bit immediate of an ALU instruction
	PartImm64                       // the immediate of a 64-bit immediate load
	PartAccess                      // offset and size of a load or store
	PartCall                        // the function that is called
)

// RelocState is the progress of a relocation.
type RelocState uint8

// The states of relocations.
const (
	RelocPending  RelocState = iota // not applied: the part is unknown until load
	RelocApplied                    // applied: the instruction is as the kernel gets it
	RelocPoisoned                   // impossible: no kernel accepts the instruction if it can be reached
)

// RelocAt returns the relocation of the instruction at pc, and reports whether it has one.
func (p *Program) RelocAt(pc PC) (Reloc, bool) {
	i := sort.Search(len(p.Relocs), func(i int) bool { return p.Relocs[i].PC >= pc })
	if i < len(p.Relocs) && p.Relocs[i].PC == pc {
		return p.Relocs[i], true
	}
	return Reloc{}, false
}

// PendingAt returns the part of the instruction at pc that is unknown until load, 0 if the
// instruction is as the kernel gets it.
func (p *Program) PendingAt(pc PC) RelocPart {
	if r, ok := p.RelocAt(pc); ok && r.State == RelocPending {
		return r.Part
	}
	return 0
}

// UnknownAt returns the variable of Unknown that overlaps size bytes at byte off of the map's
// value.
func (m *Map) UnknownAt(off int64, size int) (DataSymbol, bool) {
	i := sort.Search(len(m.Unknown), func(i int) bool { return m.Unknown[i].Off+m.Unknown[i].Size > off })
	if i < len(m.Unknown) && m.Unknown[i].Off < off+int64(size) {
		return m.Unknown[i], true
	}
	return DataSymbol{}, false
}

// Note returns the remark to print next to an instruction with the relocation: "CO-RE relocation:
// byte offset of struct task_struct.pid, unknown until load". It is safe to print.
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
