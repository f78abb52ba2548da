package bytecode

// Types answers what the types of the kernel that a program is for say of the
// pointers that it loads, as Linux's verifier takes them. Type numbers are those of
// the kernel's BTF; 0 stands for a type that is not known.
type Types interface {
	// Argument returns what size bytes at an offset of the context of a tracing, LSM
	// or struct_ops program hold, which are the arguments of a kernel function.
	Argument(p *Program, off int64, size int) Pointer
	// Member returns what size bytes at an offset of the object behind base hold.
	Member(p *Program, base Pointer, off int64, size int) Pointer
	// Struct returns the number of a structure, 0 when there is none of the name.
	Struct(name string) int32
	// Result returns the number of the type that the result of a kernel function points
	// to, 0 for another result.
	Result(function string) int32
}

// Pointer says what a loaded value is.
type Pointer struct {
	Kind PointerKind
	Null bool // it may be null, and the verifier wants that tested
	// Vague reports that this kernel may know better whether it is null.
	Vague bool
	Type  int32 // of the object
}

// PointerKind says what a value leads to (enum bpf_reg_type and its flags,
// include/linux/bpf.h, Linux 7.3).
type PointerKind uint8

// The kinds of pointer.
const (
	PointerUnknown PointerKind = iota // it is not known
	PointerNumber                     // a number
	PointerTrusted                    // an object that is there: PTR_TRUSTED
	PointerRCU                        // an object that is there while nobody waits: MEM_RCU
	PointerObject                     // an object that may be gone: PTR_UNTRUSTED, or no flag
	PointerBuffer                     // bytes: PTR_TO_BUF
	PointerArena                      // an arena
)

// SleepableFlag is BPF_F_SLEEPABLE of Program.Flags (include/uapi/linux/bpf.h).
const SleepableFlag = 1 << 4

// LocalType is a structure of the object itself that the program may allocate.
type LocalType struct {
	ID   int32  // number in the object's BTF
	Size uint32 // bytes
	// Special reports whether it has members that the kernel takes care of, such as
	// locks, nodes of lists and pointers to objects.
	Special bool
	Held    bool // a map, a list or a tree can hold one
}
