package bytecode

// Types gives the types of loaded pointers in the target kernel, as Linux's verifier sees them.
// Type numbers are those of the kernel's BTF; 0 stands for an unknown type.
type Types interface {
	// Argument returns the type of size bytes at an offset of the context of a tracing, LSM or
	// struct_ops program. The context holds the arguments of a kernel function.
	Argument(p *Program, off int64, size int) Pointer
	// Member returns the type of size bytes at an offset of the object that base points to.
	Member(p *Program, base Pointer, off int64, size int) Pointer
	// Struct returns the number of a structure, 0 if no structure has the name.
	Struct(name string) int32
	// Result returns the number of the type that the result of a kernel function points to, 0 if
	// it is not such a pointer.
	Result(function string) int32
}

// Pointer is the type of a loaded value.
type Pointer struct {
	Kind PointerKind
	Null bool // it may be null, and the verifier requires a test
	// Vague reports that another kernel may know better whether it is null.
	Vague bool
	Type  int32 // of the object
}

// PointerKind is the kind of memory that a value points to (enum bpf_reg_type and its flags,
// include/linux/bpf.h, Linux 7.3).
type PointerKind uint8

// The kinds of pointer.
const (
	PointerUnknown PointerKind = iota // unknown
	PointerNumber                     // a number
	PointerTrusted                    // an object that exists: PTR_TRUSTED
	PointerRCU                        // an object that exists within an RCU read-side section: MEM_RCU
	PointerObject                     // an object that may be freed: PTR_UNTRUSTED, or no flag
	PointerBuffer                     // bytes: PTR_TO_BUF
	PointerArena                      // an arena
)

// SleepableFlag is BPF_F_SLEEPABLE of Program.Flags (include/uapi/linux/bpf.h).
const SleepableFlag = 1 << 4

// LocalType is a structure of the object itself that the program may allocate.
type LocalType struct {
	ID   int32  // number in the object's BTF
	Size uint32 // bytes
	// Special reports whether it has members that the kernel manages, such as locks, list nodes
	// and pointers to objects.
	Special bool
	Held    bool // a map, a list or a tree can hold one
}
