package abstract

import (
	"cmp"
	"slices"

	"github.com/bpfcfg/bpfcfg/abstract/scalar"
	"github.com/bpfcfg/bpfcfg/abstract/tnum"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// FaultKind is a kind of fault.
type FaultKind uint8

// The kinds of fault. Package succ/rules decides which of them make a kernel refuse the program,
// and the message.
const (
	NoFault         FaultKind = iota
	UnsetRegister             // Reg is read and was never written
	BadMemory                 // an access through Reg, which is not a pointer to memory
	NullMemory                // an access through Reg, which may be null
	Misaligned                // an access of Size bytes at Off from known Bits
	BelowTable                // an access whose lowest offset is outside of its table or map value of Value bytes
	AboveTable                // an access whose highest offset is outside of it
	NegativeIndex             // the offset in a table or map value may be negative
	UnboundedIndex            // the offset in a table or map value has no bound
	PartialEntry              // Size bytes of a table's entry are read
	TableWrite                // Size bytes are written to a table at Off
	StackRead                 // Size bytes are read at Off, which is outside of the stack
	StackWrite                // Size bytes are written at Off, which is outside of the stack
	PartialFill               // a part of a spilled pointer is read
	FromScalar                // a pointer is subtracted from a number
	TwoPointers               // Op of two pointers
	PointerMath               // arithmetic on a pointer of a kind that has none
	NullMath                  // arithmetic on a pointer that may be null
	NarrowMath                // 32-bit arithmetic on a pointer
	BitwiseMath               // Op, a bitwise one, on a pointer
	OtherMath                 // Op, which does not exist for pointers
	FarOffset                 // Value, a constant, is too far for an offset
	UnboundedOffset           // what is added to a pointer has no lower bound
	LargeOffset               // what is added to a pointer may be Value, which is too far
	FarPointer                // a pointer is Value bytes from its object, which is too far
	BadRegister               // Reg does not exist
	UnsetTarget               // an indirect jump through Reg, which was never written
	NoCodeAddress             // an indirect jump through Reg, which has no code address from a table
	IndexTooBig               // the offset of an entry, Value and Off, is too big; Max says which end of it
	EntryOutside              // entries Value to Off of a table of Size
	TooManyFrames             // a chain of Value calls
	TableArgument             // a table as an argument of helper Value
	NoCallback                // an argument that must be a function is not one
	LateArgument              // an argument on the stack is loaded after a store through r11 or a call
	NoArgument                // the load at Off is of an argument that the function does not have
	FarArgument               // the store at Off is of more arguments than there can be
	MissingArgument           // argument Value on the stack, for a function of Size, was not stored
	Trapped                   // a call of __bpf_trap
	CallbackResult            // a callback returns no number
	NoNumber                  // an argument that must be a number is not one
	NegativeSize              // the size of a buffer may be negative
	UnboundedSize             // the size of a buffer has no bound
	BadContext                // an access of Size bytes at Off of the context, where no field is
	StructArgument            // parameter Value of a kernel function is a structure, or with Max a union
	NoFunction                // an indirect call through Reg, which is not a function
	ModifiedFunc              // a function's address that is called has Value, or a number of Bits, added to it
	CallLocked                // bpf_throw or a tail call while a lock is held
	Leaks                     // Leave Value while a reference is held, acquired at Off; its number is Size, if not 0
	LeavesLocked              // Leave Value while a lock is held
	SocketWrite               // a write to a socket
	MixedPointers             // an access through pointers of kinds that one instruction may not mix
	NoSocket                  // an argument that must be a socket is not one
	ScalarArgument            // Reg must be a number, for the global function Type, which is Subprogs[Value]
	ContextArgument           // Reg must be the context for it; with Max it was never written
	MemoryArgument            // Reg must be a pointer to memory for it; with Max it was never written
	LaterResult               // a function that is called back later returns Reg, which holds a pointer of type Type
)

// The ways to leave a program, in Value of a fault.
const (
	LeaveExit     = iota // the end of the program
	LeaveTailCall        // a tail call
	LeavePacket          // a legacy packet load, which may end the program
	LeaveThrow           // bpf_throw
)

// Fault is a reason for which a kernel's verifier may refuse a program when it computes values.
type Fault struct {
	PC   bytecode.PC
	Kind FaultKind
	// Proven reports whether the verifier itself reaches the fault. A fault that is not proven
	// was seen in a state that over-approximates the verifier's.
	Proven bool

	Reg   bytecode.Reg // the register concerned
	Holds Kind         // the kind of that register, or of the pointer in question
	Null  bool         // and whether it may be null
	// Packet reports whether that pointer, of kind Other, is one to packet data.
	Packet bool
	// Fixed reports whether the offset of that pointer is a constant.
	Fixed bool

	Type             string    // the kernel's name of the register's type, or as the kind says
	Op               scalar.Op // the operation, of the kinds that name one
	Bits             tnum.T    // known bits of a variable offset
	Off, Size, Value int64     // bytes or numbers, as the kind says
	Max              bool      // which end of a range, or as the kind says
}

// fault records a fault; a is the alternative in which it was seen.
func (r *run) fault(a *Alt, n Fault) {
	n.Proven = r.proves(a)
	if n.Holds == KindInvalid {
		n.Holds, n.Null = a.Kind, a.flags&maybeNull != 0
	}
	_, n.Fixed = a.Off.IsConst()
	n.Packet = n.Packet || n.Holds == Other && a.toPacket()
	f := r.a.f
	at := faultPlace{n.PC, n.Kind}
	old, seen := f.faultAt[at]
	switch {
	case !seen:
		f.faultAt[at] = len(f.faults)
		f.faults = append(f.faults, n)
	case !f.faults[old].Proven && n.Proven:
		f.faults[old] = n
	}
}

// toPacket reports whether the alternative is a pointer to packet data.
func (a *Alt) toPacket() bool {
	return a.Kind == Other && memoryOf(a.Obj) == MemPacket && a.flags&maybeNull == 0
}

// proves reports whether the verifier itself has alternative a at this point, on some path, so
// that a fault of a is a fault for the verifier, too.
func (r *run) proves(a *Alt) bool { return r.sure && a.flags&loose == 0 }

// enters notes how certain a state is in which an instruction is carried out.
func (r *run) enters(s *State) { r.sure, r.left = s.certain(), s.left && !s.cover }

// faultPlace is a kind of fault at an instruction.
type faultPlace struct {
	pc   bytecode.PC
	kind FaultKind
}

// Faults returns the reasons for which a kernel's verifier may refuse the program when it
// computes values, by instruction and in the order in which they were seen. There is at most one
// of a kind for each instruction, a proven one if there is any. The slice must not be changed.
func (f *Facts) Faults() []Fault {
	byPC := func(a, b Fault) int { return cmp.Compare(a.PC, b.PC) }
	if slices.IsSortedFunc(f.faults, byPC) { // a million of them take a hundred megabytes
		return f.faults
	}
	return slices.SortedStableFunc(slices.Values(f.faults), byPC)
}

// read returns the value of a register for an instruction that uses it.
func (r *run) read(pc bytecode.PC, s *State, reg bytecode.Reg) *Value {
	if reg < numRegs && s.regs[reg] != nil {
		return s.regs[reg]
	}
	r.fault(&anything.Alt, Fault{PC: pc, Kind: UnsetRegister, Reg: reg})
	return anything
}

// constBits returns the known bits of a constant.
func constBits(v int64) tnum.T { return tnum.Const(uint64(v)) }
