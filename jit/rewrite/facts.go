package rewrite

import (
	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// Facts is what the verifier of the profile's kernel learned of a program and
// the rewrites depend on. It is plain data, so that this package needs no
// analysis of its own. All slots are source slots; lists are by PC, and a slot
// is in each at most once.
//
// Each fact says whether it is proven that the verifier holds it. Rewrites that depend on an
// unproven fact are predicted all the same, and listed in Result.Unpredicted.
type Facts struct {
	// Seen reports for each slot whether the verifier found a path to it. The
	// second slot of a 64-bit immediate load counts as its first. Nil means
	// that everything was seen, so that nothing is removed.
	Seen []cfg.Truth
	// IndirectTarget reports for each slot whether the verifier followed a gotox
	// to it. Nil means none.
	IndirectTarget []cfg.Truth
	// Stack holds the stack use of each subprogram. Nil takes the
	// deepest access that names r10 as its base, a lower bound.
	Stack []StackFact
	// AsyncCallback reports for each subprogram whether a timer, workqueue or the
	// like can call it. Nil means none.
	AsyncCallback []cfg.Truth

	// Calls describes calls of helpers and kernel functions that are seen. Nothing is known of a
	// call that is not listed.
	Calls []CallFact
	// Accesses describes the memory of the loads, stores and atomics that are seen, and the place
	// of a stack buffer that a call fills. Nothing is known of an access that is not listed, unless
	// r10 is its base.
	Accesses []AccessFact
	// ArenaArith lists 64-bit arithmetic on arena pointers, which becomes
	// arithmetic on low halves. To is Arena.
	ArenaArith []AccessFact

	// BarrierBefore and BarrierAfter list instructions next to which the
	// verifier stops speculation, for loaders without CAP_PERFMON.
	BarrierBefore, BarrierAfter []bytecode.PC

	// DirectWrite reports whether the program may write to packet data, by itself
	// or through a slice of it, which gives some program types a prologue.
	DirectWrite cfg.Truth
	// Throws reports whether a call of bpf_throw can execute, besides those that
	// Program.Refs names.
	Throws cfg.Truth
}

// StackFact is the verifier's result about the stack of a subprogram.
type StackFact struct {
	Depth   int  // bytes, to the deepest one used, helper arguments included
	Certain bool // the verifier computes exactly this number
	// Low is how far down callees may load and store, in bytes; SureLow, how far they certainly do.
	Low, SureLow int
}

// Memory says what an access goes to, as far as the kernel treats it
// differently (kernel/bpf/fixups.c bpf_convert_ctx_accesses, Linux 7.3).
type Memory uint8

// The kinds of memory.
const (
	MemUnknown Memory = iota // any of the others
	MemPlain                 // stack, map values, packet data, trusted objects: the access stays
	MemCtx                   // the context
	MemSock                  // struct sock as programs see it (sock, sock_common)
	MemTCPSock               // struct bpf_tcp_sock
	MemXDPSock               // struct bpf_xdp_sock
	MemObject                // kernel memory that may be gone: the load may fault
	MemArena                 // an arena
)

// AccessFact is the verifier's result about an access: the kernel refuses a
// program in which one instruction accesses memory of two kinds, if one of them
// is special.
type AccessFact struct {
	PC      bytecode.PC
	To      Memory
	Certain bool // the verifier has this on some path
	// Low is the lowest possible offset from r10 in the own frame, SureLow the lowest proven one; 0
	// for none.
	Low, SureLow int
}

// NoMap is the Map of a CallFact of a call without a map, or whose map differs
// between paths.
const NoMap = -1

// CallFact is the verifier's result about a call after it has followed all
// paths.
type CallFact struct {
	PC bytecode.PC
	// Certain reports whether the fields below hold for the verifier.
	Certain bool

	Map   int  // index in Program.Maps of the map that R1 (R2 for bpf_tail_call) is on all paths, or NoMap
	Inner bool // the map is one that Maps[Map], a map of maps, gave
	// Key is the index of a bpf_tail_call, the type that a bpf_obj_new allocates, or where
	// in its object the node is that a bpf_rbtree_add and the like insert: the same on
	// all paths, else -1.
	Key int64
	// Callback is the subprogram that a bpf_loop calls on all paths, else -1.
	Callback int
	// FlagsZero reports whether R4 of a bpf_loop is zero on all paths.
	FlagsZero bool
}
