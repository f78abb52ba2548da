// Package machine holds the input and the output of a JIT: a rewritten program with all the
// information that its instructions lack, and the image of its machine code. It is plain data,
// apart from any compiler, so that a checker of images need not import one.
//
//	img := machine.Image{Code: code, Funcs: []machine.FuncImage{{Name: "main", Len: len(code)}}}
//	for _, f := range img.Funcs {
//		fmt.Println(f.Name, f.Offset, f.Len)
//	}
package machine

import "github.com/bpfcfg/bpfcfg/cfg/bytecode"

// Program is the input of the kernel's x86-64 JIT: a program after all of the verifier's rewrites,
// with all information that its instructions lack. Slots are xlated slots throughout.
type Program struct {
	Insns []bytecode.Insn
	Funcs []Func         // in order; together they cover Insns
	Refs  []bytecode.Ref // operands that need an address, by PC; Index of a RefFunc is an xlated slot

	// IndirectTarget marks the slots that the verifier followed a gotox to;
	// nil means none.
	IndirectTarget []bool
	// Tables holds for each instruction array the xlated slot of each entry,
	// Deleted for one whose instruction the verifier removed.
	Tables [][]bytecode.PC

	ArenaStart uint64 // kernel address of the arena, 0 when the program has none
	UserStart  uint64 // user address of the arena
	ArenaUsed  bool   // the program has an arena, whatever its address
	Classic    bool   // converted from classic BPF
	// Unprivileged: a classic program loaded without CAP_SYS_ADMIN.
	Unprivileged bool
	// TailCalls gives for direct tail calls, by PC, the state of their slot.
	TailCalls []TailCall
	// ArenaArgs gives the kfunc calls that take arena pointers, by PC.
	ArenaArgs []ArenaArgs

	Addresses Addresses
}

// ArenaArgs describes a call of a kfunc that takes arena pointers: the call
// site adds the arena's base to them (Linux 7.3).
type ArenaArgs struct {
	PC       bytecode.PC
	Pointers uint8 // bit n is set if argument n (in R1+n) is an arena pointer
	Nullable uint8 // bit n is set if that pointer may be null, and stays so
}

// Deleted marks a table entry whose instruction the verifier removed.
const Deleted bytecode.PC = -1

// Func is the JIT's input about one function of a Program (in the kernel:
// struct bpf_prog_aux and bpf_subprog_info).
type Func struct {
	Name       string
	Start, End bytecode.PC // xlated slots, End exclusive
	StackDepth int         // bytes, as the verifier computed it, not rounded

	TailCallReachable bool // holds or calls a tail call
	ExceptionBoundary bool // function 0 of a program that throws
	ExceptionCallback bool
	Hidden            bool // appended by the verifier; absent from dumps

	PrivateStack    bool
	PrivateStackPtr uint64 // per-CPU address; 0 when unknown: 7 bytes where that form exists, which is a guess
	OutStackArgs    int    // outgoing stack argument slots (Linux 7.3)
}

// TailCall describes a direct tail call: constant index, known map.
type TailCall struct {
	PC     bytecode.PC
	Filled bool   // the slot held a program when the image was finished
	Target uint64 // that program's bpf_func, 0 when unknown
}

// Addresses are facts of a running kernel. All fields may be nil: then the
// image has zeros at the sites, and 64-bit constants take the width class of
// their kind.
type Addresses struct {
	// Funcs holds the address of each function of the program (bpf_func).
	Funcs []uint64
	// Symbol returns the address of a kernel symbol.
	Symbol func(name string) (addr uint64, ok bool)
	// Value returns the value of a RefMap, RefMapValue, RefTable, RefKsym,
	// RefBTFID, RefHelper or RefKfunc operand: what a 64-bit immediate load
	// loads, or what a call calls.
	Value func(ref bytecode.Ref) (value uint64, ok bool)
	// Thunked reports whether the callee begins after a call-depth accounting
	// template of its own, so that the call site has none.
	Thunked func(ref bytecode.Ref) bool
}

// Image is the machine code of a Program.
type Image struct {
	Code  []byte      // all functions in order, without gaps
	Funcs []FuncImage // one for each function, hidden ones too
	// Offsets holds for each xlated slot where its code starts, relative to
	// the start of its function. The second slot of a 64-bit immediate load has
	// the offset after the load.
	Offsets []int32
	Relocs  []Reloc       // by Offset
	Extable []ExtableSite // by PC
	// Tables holds jitted_off of each table entry, relative to its function;
	// 0 with Deleted entries, as the kernel shows.
	Tables  [][]int32
	Profile string // name of the profile
}

// FuncImage is where a function lies in an Image.
type FuncImage struct {
	Name     string
	Offset   int // byte offset of its first byte in Code
	Len      int // bytes
	Entry    int // bpf_func: bytes after Offset, non-zero with a CFI preamble
	Prologue int // bytes from Offset to the first instruction's code
	Epilogue int // offset from Offset of the first exit's code, -1 without exit
	Walks    int // walks over the instructions until the image was final
}

// RelocKind names the form of a relocation site.
type RelocKind string

// The forms of relocation sites.
const (
	RelRel32     RelocKind = "rel32"      // 4 bytes: target minus the end of the field
	RelCallDepth RelocKind = "call-depth" // rel32 of the call-depth counter, one byte before the instruction's end
	RelAbs64     RelocKind = "abs64"      // 8 bytes
	RelAbs32S    RelocKind = "abs32s"     // 4 bytes, sign-extended
)

// Size returns the bytes of a site of the form, 0 for an unknown form.
func (k RelocKind) Size() int {
	switch k {
	case RelAbs64:
		return 8
	case RelRel32, RelCallDepth, RelAbs32S:
		return 4
	}
	return 0
}

// Reloc is a place in an Image whose bytes depend on an address.
type Reloc struct {
	Offset   int // in Image.Code
	Size     int // bytes
	Kind     RelocKind
	PC       bytecode.PC // xlated slot it belongs to, -1 for a prologue
	Target   string      // the address that belongs there: a symbol, "map NAME", "func N"
	Addend   int64
	Resolved bool // the bytes in Code are final
}

// ExtableSite is an instruction that may fault and is listed in the kernel's
// exception table.
type ExtableSite struct {
	PC     bytecode.PC
	Offset int // of the faulting x86 instruction in Image.Code
	Len    int // bytes to skip
}
