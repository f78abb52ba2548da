package verify

import "github.com/bpfcfg/bpfcfg/cfg/bytecode"

// Answer is what is known of a question.
type Answer uint8

// The answers.
const (
	No Answer = iota
	Maybe
	Yes
)

// Facts is the knowledge of Linux's verifier about the source program, which decides what it
// removes and the form of the rest. Where a fact is Maybe or not sure, either outcome is right, and
// counts as unknown.
type Facts interface {
	Seen(pc bytecode.PC) Answer // whether it reaches the instruction
	EdgeSeen(i int) Answer      // whether it takes the edge with this index in Graph.Edges
	// Selects returns whether an execution takes an indirect jump to a target. Some kernels
	// verify other targets.
	Selects(pc, target bytecode.PC) Answer
	Call(pc bytecode.PC) Call // of a helper call that it reaches
	// Memory returns the memory of a load, store or atomic, and whether that is sure.
	Memory(pc bytecode.PC) (m Memory, sure bool)
	WritesPacket() Answer // whether a store goes to packet data
}

// Call is what is known of the operands of a helper call, the same on all paths.
type Call struct {
	Map      *bytecode.Map // nil for none, and when paths differ
	Key      int64         // constant index of a tail call, -1 when there is none
	Callback int           // subprogram of a bpf_loop, -1 when there is none
	NoFlags  bool          // the flags of a bpf_loop are 0

	SureMap, SureKey, SureCallback, SureFlags bool // also that there is none
}

// Memory is the memory of an access, as far as that decides its form.
type Memory uint8

// The kinds of memory.
const (
	OtherMemory Memory = iota
	Context            // the program's context
	Socket             // struct bpf_sock
)
