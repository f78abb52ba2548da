package progen

import (
	"fmt"
	"math/rand/v2"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// Pattern is what a slot of a program that Mixed makes is part of.
type Pattern uint8

// The patterns. What surrounds them is Plain.
const (
	Plain       Pattern = iota
	BufferAt            // a helper writes to a buffer at a variable stack offset
	LastArg             // a helper writes after its last argument
	VarPointer          // pointer into a stack at a variable offset
	Narrow              // spills and fills of narrow widths
	Atomics             // atomic operations on stack and map values
	FlagPointer         // a flag reports whether a register or slot holds a pointer
	Links               // numbers linked to another by unequal distances meet
	ManyMeet            // more than 16 states meet
	PtrOrNumber         // a pointer and numbers meet
	LostPointer         // a stack pointer in bytes of which nothing is known
	Iterator            // a loop over an open-coded iterator
	Kfunc               // kernel functions, known and unknown
	Global              // a global function writes after its pointer argument
	CbLoop              // callback of bpf_loop, with links
	CbForEach           // of bpf_for_each_map_elem
	CbFindVMA           // of bpf_find_vma
	CbRingbuf           // of bpf_user_ringbuf_drain
	CbTimer             // of bpf_timer_set_callback, bpf_wq_set_callback, task work
	CbRBTree            // of bpf_rbtree_add
	LdAbs               // LD_ABS and LD_IND, which may leave the subprogram
	MayGoto             // a loop that may_goto ends
	Gotox               // an indirect jump, its address perhaps over the stack
	Static              // a static function with a pointer argument
	StackArgs           // arguments through R11
	PtrBack             // a callee stores a pointer to its caller's stack there
	TailCall            // bpf_tail_call
	Lookup              // a lookup with a constant key, of an array or a hash
	JoinedAt            // a pointer is loaded at an offset joined from several paths
	NumPatterns         // how many there are
)

// String returns the pattern in words.
func (s Pattern) String() string {
	return [...]string{
		"plain", "buffer at a variable offset", "last argument", "pointer at a variable offset", "narrow spill", "atomic",
		"flag and pointer", "links by unequal deltas", "more than 16 states meet", "pointer or number", "lost pointer",
		"iterator", "kfunc", "global function", "callback of loop", "callback of for_each", "callback of find_vma",
		"callback of ringbuf drain", "callback of timer", "callback of rbtree", "ld_abs", "may_goto", "gotox",
		"static function", "stack arguments", "pointer handed back", "tail call", "lookup",
		"pointer at a joined offset",
	}[s]
}

// Mixed returns a random program of about size pieces, and the pattern of each of its slots. An
// analysis of memory, calls and joins is most likely to get these patterns wrong. Loads and
// branches after a pattern depend on its result. The program is of type socket_filter or syscall
// and takes a context of 64 bytes. No kernel accepts it: it uses pointers rightly because one bit
// of the context decides twice, which no verifier knows.
func Mixed(seed uint64, size int) (*bytecode.Program, []Pattern) {
	g := &gen{rnd: rand.New(rand.NewPCG(seed, 19)), left: size, mixed: true}
	g.skb = g.rnd.IntN(4) == 0
	g.rodata = g.a.Map(g.constants())
	g.array = g.a.Map(bytecode.Map{Name: "array", Type: bytecode.MapArray, KeySize: 4, ValueSize: 64, MaxEntries: 4})
	g.hash = g.a.Map(bytecode.Map{Name: "hash", Type: bytecode.MapHash, KeySize: 4, ValueSize: 64, MaxEntries: 3})
	g.progs = g.a.Map(bytecode.Map{Name: "progs", Type: 3, KeySize: 4, ValueSize: 4, MaxEntries: 1})
	g.function(kindMain, "main", size/2)
	for i := 0; i < len(g.wanted); i++ { //nolint:intrange // function makes it longer
		w := g.wanted[i]
		g.function(w.kind, w.name, 1+g.rnd.IntN(4))
		g.mark(patternOf(w.kind), g.a.labels[w.name])
	}
	p := g.a.Program(fmt.Sprint("mixed", seed))
	if g.skb {
		p.Type = "socket_filter"
	}
	return p, append(g.patterns, make([]Pattern, len(p.Insns)-len(g.patterns))...)
}

// mark gives this pattern to the slots since from that have none yet.
func (g *gen) mark(s Pattern, from bytecode.PC) {
	for len(g.patterns) < int(g.a.PC()) {
		g.patterns = append(g.patterns, Plain)
	}
	for pc := from; pc < g.a.PC(); pc++ {
		if g.patterns[pc] == Plain {
			g.patterns[pc] = s
		}
	}
}

// patternOf returns the pattern that a function of a kind is part of.
func patternOf(k funcKind) Pattern {
	switch k {
	case kindGlobal:
		return Global
	case kindCallback:
		return CbLoop
	case kindMap:
		return CbForEach
	case kindVMA:
		return CbFindVMA
	case kindBuffer:
		return CbRingbuf
	case kindTimer:
		return CbTimer
	case kindNodes:
		return CbRBTree
	case kindPacket:
		return LdAbs
	case kindGiver:
		return PtrBack
	case kindArgs:
		return StackArgs
	case kindMaybe:
		return PtrOrNumber
	case kindPointer, kindDeep:
		return Static
	}
	return Plain
}

// where a piece may be made.
type where uint8

const (
	anywhere where = iota
	outer          // not in a function that calls nothing, nor deep
	mainOnly
)

// pieceOf is a piece of a pattern.
type pieceOf struct {
	pattern Pattern
	where   where
	make    func(*gen)
}

// mixedPieces returns the pieces to choose from.
func mixedPieces() []pieceOf {
	return []pieceOf{
		{Plain, anywhere, (*gen).alu}, {Plain, anywhere, (*gen).loadArg}, {Plain, anywhere, (*gen).storeStack},
		{Plain, anywhere, (*gen).look}, {Plain, outer, (*gen).branch}, {Plain, outer, (*gen).loop},
		{BufferAt, anywhere, (*gen).bufferAt}, {LastArg, anywhere, (*gen).lastArg},
		{VarPointer, anywhere, (*gen).varPointer}, {Narrow, anywhere, (*gen).narrow},
		{Atomics, anywhere, (*gen).atomics}, {FlagPointer, outer, (*gen).flagPointer},
		{Links, anywhere, (*gen).twoLinks}, {ManyMeet, mainOnly, (*gen).manyMeet}, {ManyMeet, mainOnly, (*gen).manyMeet},
		{PtrOrNumber, mainOnly, (*gen).pointersMeet}, {PtrOrNumber, mainOnly, (*gen).pointersMeet}, {LostPointer, anywhere,
			(*gen).lostPointer},
		{Iterator, outer, (*gen).iterator}, {Kfunc, anywhere, (*gen).kfunc},
		{Global, mainOnly, (*gen).callGlobal}, {CbLoop, mainOnly, (*gen).cbLoop},
		{CbForEach, mainOnly, (*gen).cbForEach}, {CbFindVMA, mainOnly, (*gen).cbFindVMA},
		{CbRingbuf, mainOnly, (*gen).cbRingbuf}, {CbTimer, mainOnly, (*gen).cbTimer},
		{CbRBTree, mainOnly, (*gen).cbRBTree}, {LdAbs, mainOnly, (*gen).ldAbs}, {MayGoto, outer, (*gen).walk},
		{Gotox, outer, (*gen).table}, {Gotox, outer, (*gen).stackLabels}, {Static, outer, (*gen).callStatic},
		{StackArgs, mainOnly, (*gen).stackArgs}, {PtrBack, mainOnly, (*gen).pointerBack},
		{TailCall, mainOnly, (*gen).tailCall}, {Lookup, anywhere, (*gen).constLookup}, {Lookup, anywhere, (*gen).lookup},
		{JoinedAt, mainOnly, (*gen).joinedAt}, {JoinedAt, mainOnly, (*gen).joinedAt},
	}
}

// mixedPiece makes one of them.
func (g *gen) mixedPiece() {
	list := mixedPieces()
	for {
		p := list[g.rnd.IntN(len(list))]
		last := g.kind == kindLeaf || g.kind == kindDeep || g.depth >= 3
		if p.where == outer && last || p.where == mainOnly && (g.kind != kindMain || g.depth >= 3) {
			continue
		}
		from := g.a.PC()
		g.mark(Plain, from)
		p.make(g)
		if p.pattern != Plain {
			g.mark(p.pattern, from)
		}
		return
	}
}
