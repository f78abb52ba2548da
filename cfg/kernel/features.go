package kernel

// Feature is a property that some kernel versions have. Its number is its row in Table.
type Feature uint8

// Features of the instruction set and of the x86-64 JIT.
const (
	ShiftX          Feature = iota // shifts by BMI2, where the CPU has it
	InsnV4                         // -mcpu=v4: movsx, bswap, signed division, gotol, sign-extending loads
	ProbeWindow                    // loads that may fault are checked against a window that has user space and vsyscall
	MayGoto                        // may_goto
	Exceptions                     // bpf_throw, exception boundary and callback
	Arena                          // arenas: address casts, loads and stores with a base
	ArenaAtomics                   // atomic operations on arenas
	ShortMov64                     // 7-byte form of sign-extended 64-bit constants
	PercpuMove                     // per-CPU address moves, made for inlined helpers
	TailCallPointer                // tail-call counter through a pointer
	CountToSubprogs                // the counter is passed on to subprograms alone, not to helpers
	PrivateStack                   // private stacks
	AcquireRelease                 // load_acquire, store_release
	ArenaSignExtend                // sign-extending arena loads
	LockedXchg                     // LOCK prefix on xchg
	Gotox                          // indirect jumps, instruction arrays
	EndbrTargets                   // ENDBR64 at targets of indirect jumps in IBT builds
	StackArgs                      // arguments on the stack: r11 holds them, the hidden register is r12
	ArenaArgs                      // arena arguments of kernel functions

	// Features of the rewrites after the verifier.

	InlineXchg          // bpf_kptr_xchg is inlined
	SignedGuards        // signed division is guarded against -1
	Fastcall            // spills around inlined helpers are removed
	TimedMayGoto        // may_goto looks at the clock, may_goto +0 is removed
	InlineCurrentTask   // bpf_get_current_task is inlined
	InlineIterNum       // bpf_iter_num_new, next and destroy are inlined
	PruneBranches       // constant branches are decided before verification
	BlindWhole          // blinding shows in dumps of programs with several functions
	KeepTargetNops      // targets of indirect jumps that do nothing are kept
	ArenaZext           // 32-bit compare-and-exchange in an arena is extended, as elsewhere
	StorageFlags        // helpers that make local storage get flags of the allocation
	StoragePlain        // local storage helpers are known to get no such flags any more
	JumpIntoFastcall    // spills that jumps lead between are kept
	QueueWord           // a socket without a queue has 32 bits of ones for it
	QueueLong           // it has 64 bits of ones, of which a load of 16 bits or more keeps all
	OpsZero             // a field of a socket that may not be read is 0, with one register too
	OpsKept             // with one register, that stays the pointer to the context
	MinGuard            // the smallest round-trip time is read only from a socket that may be read
	MinBare             // it is read in any case
	PacketVLAN          // a packet has a VLAN tag if a word of it is not 0, not by a bit of its own
	StampKinds          // the kind of a packet's time stamp has two bits, not one
	SmallPercpu         // addresses of per-CPU variables are offsets from 0
	NarrowPercpu        // the offset of a per-CPU variable is moved as 32 bits
	ArgCountWhole       // the word that counts a traced function's arguments holds nothing else
	ArgCountByte        // only the lowest byte of that word is known to count
	XskWord             // the inlined lookup in a map of AF_XDP sockets compares 32 bits
	XskLong             // it compares 64 bits
	FarCalls            // a dump shows the callee of a call whose distance does not fit into 16 bits
	TargetsSkipPrologue // a target that begins a function is placed after the code that the verifier inserted there

	// Features of the verifier's rules.

	LateFields      // registers and reserved fields are checked when a path reaches them
	FixedOffsets    // messages show the constant part of a pointer's offset separately
	DeepRecursion   // recursion is found when calls nest too deep
	LastGotox       // an indirect jump may end a subprogram
	OffsetIsAccess  // a bad offset into a table is EACCES, not EINVAL
	TablesByMap     // targets of a subprogram are computed once, a table that spans several is named
	JumpEdgeLimit   // edges of indirect jumps are counted and limited in number
	StaticCallx     // indirect calls of static functions
	Unwinding       // exceptions may continue at landing pads
	DivisionRange   // ranges of quotients and remainders are computed
	Negation        // the range of a negative number is computed
	SpilledCode     // a code address survives being stored on the stack
	TableLoadOffset // the offset in a load from a table counts
	ArrayLookups    // a lookup in an array by a constant key is not null
	NotNull         // buffers, maps and trusted objects are assumed to be not null
	IterTrust       // what the arguments of iterators lead to is trusted
	CalledGlobals   // global functions are verified when something calls them
	DeepCalls       // calls nest 16 deep, not 8
	ScrubbedZeros   // zeros beside a spilled number are forgotten with it by a store at a variable offset
	MixedZeros      // bytes of the stack are zero where some were stored as such and others are of a spilled 0
	CallbackLimits  // callbacks may neither use legacy packet loads nor tail call, without exception
	EqualByRange    // == and != are decided by ranges, not by known bits alone
	RangeCompare    // comparisons of two registers without a constant, and !=, refine ranges
	LinkedAdd       // a number and the same number plus a constant are refined together
	LinkedSub       // the same for minus a constant, and for 32-bit additions
	MayLinkSub      // stable releases may have that
	LoadExits       // a legacy packet load may leave its function
	CleanLinks      // links of an overwritten register are forgotten
	LiveLinks       // linked registers that nothing reads any more are ignored
	LiveSlots       // so are linked slots of the stack, in the states that are remembered
	SameRegister    // a register compared with itself is decided
	HalfPointers    // 32 bits of a pointer may be zero
	FreshResult     // the old value of a register is ignored when a hook's result is loaded into it
	MixedProbe      // a load may fault if one of the objects that it may read can be freed
	BareResults     // objects that kernel functions return may be freed, so loads from them may fault
	TrustedResults  // objects that kernel functions return are known to exist
	LeakWords       // the message about a held reference is the same wherever the program may end
	OwnFrame        // a number plus a pointer to the stack points into the same frame
	OwnFill         // a number loaded from the stack with sign extension has no links
	LiveRegisters   // registers that nothing reads any more do not distinguish states
	LooseLinks      // a state without a link covers one with it
	ContextStores   // constants are stored into the context without a register
	BugWords        // the log reports what the kernel considers a bug of its own
	TryBranches     // a branch is decided by trying both sides for a contradiction
	Arcs            // a number has one range, which may wrap, in place of one with a sign and one without
	KnownNumbers    // how numbers are computed, refined and kept on the stack is modelled
	SwappedNumbers  // a number is known after a change of its byte order
	ForkedNumbers   // AND and OR follow a number that is 0 or -1 as either
	MayFork         // stable releases differ in both
	RangesFirst     // the parts of a number refine each other once, at comparisons and narrow loads
	RangesOld       // the parts of a number refine each other in three rounds, and a sum that wraps has no range
	RangesFew       // two rounds without signs that differ, such sums, and equality by ranges alone
	RangesThrice    // three rounds, and sums may wrap
	MayFindMember   // stable releases may find the only member of the known bits in the range
	RangesMember    // they do
	RangesTwice     // two rounds, 64 bits first

	featureCount
)

// Table returns the table, by Feature. It is flat: a row for each.
func Table() [featureCount]Row {
	row := func(since, until Version, e Evidence, what string) Row { return Row{0, since, until, e, what} }
	t := [featureCount]Row{
		ShiftX:          row(6002, 0, Recorded, "shifts by BMI2"),
		InsnV4:          row(6006, 0, Read, "instructions of -mcpu=v4"),
		ProbeWindow:     row(6006, 0, Read, "loads that may fault: a window; since 6.9, in 6.6's stable releases"),
		MayGoto:         row(6009, 0, Read, "may_goto"),
		Exceptions:      row(6007, 0, Read, "exceptions: bpf_throw and exception callbacks"),
		Arena:           row(6009, 0, Read, "arenas"),
		ArenaAtomics:    row(6010, 0, Read, "atomic operations on arenas"),
		ShortMov64:      row(6010, 0, Read, "7-byte form of sign-extended 64-bit constants"),
		PercpuMove:      row(6010, 0, Read, "per-CPU address moves"),
		TailCallPointer: row(6012, 0, Recorded, "tail-call counter through a pointer"),
		CountToSubprogs: row(6013, 0, Recorded, "tail-call counter loaded before calls of subprograms only"),
		PrivateStack:    row(6013, 0, Read, "private stacks"),
		AcquireRelease:  row(6015, 0, Read, "load_acquire and store_release"),
		ArenaSignExtend: row(6018, 0, Read, "sign-extending arena loads"),
		LockedXchg:      row(0, 7000, Read, "LOCK prefix on xchg"),
		Gotox:           row(6019, 0, Recorded, "indirect jumps and instruction arrays"),
		EndbrTargets:    row(7001, 0, Read, "ENDBR64 at targets of indirect jumps"),
		StackArgs:       row(7002, 0, Read, "arguments on the stack; the hidden register is r12"),
		ArenaArgs:       row(7003, 0, Read, "arena arguments of kernel functions"),

		InlineXchg:          row(6009, 0, Read, "bpf_kptr_xchg is inlined"),
		SignedGuards:        row(6012, 0, Read, "signed division is guarded against -1"),
		Fastcall:            row(6012, 0, Read, "spills around inlined helpers are removed"),
		TimedMayGoto:        row(6015, 0, Read, "may_goto looks at the clock; may_goto +0 is removed"),
		InlineCurrentTask:   row(7000, 0, Read, "bpf_get_current_task is inlined"),
		InlineIterNum:       row(7003, 0, Recorded, "the iterator over numbers is inlined"),
		PruneBranches:       row(7001, 0, Read, "constant branches are decided before verification"),
		BlindWhole:          row(7001, 0, Read, "blinding shows in dumps of several functions"),
		KeepTargetNops:      row(Next, 0, Read, "targets of indirect jumps that do nothing are kept"),
		ArenaZext:           row(7002, 0, Read, "compare-and-exchange in arenas is extended; in 6.12's stable releases"),
		StorageFlags:        row(0, 7000, Recorded, "helpers that make local storage get allocation flags in r5"),
		StoragePlain:        row(7002, 0, Read, "helpers that make local storage get no allocation flags"),
		JumpIntoFastcall:    row(7002, 0, Read, "spills that a jump leads between stay; in 6.12's stable releases"),
		QueueWord:           row(7002, 0, Recorded, "no queue is 32 bits of ones; in 6.12's stable releases, not in 6.19"),
		QueueLong:           row(6016, 6018, Recorded, "it is 64 bits; also 6.18.15, 6.19.14, 7.0.13 and 7.1.13"),
		OpsZero:             row(7002, 0, Recorded, "fields of sock_ops are 0 where the socket may not be read"),
		OpsKept:             row(6016, 6018, Recorded, "one register keeps the context there; also 6.18.15 and 6.19.14"),
		MinGuard:            row(7002, 0, Recorded, "sock_ops.rtt_min is checked, too; in 6.12's stable releases"),
		MinBare:             row(6016, 6018, Recorded, "it is not; also 6.18.15, 6.19.14, 7.0.13 and 7.1.13"),
		PacketVLAN:          row(6002, 0, Read, "a VLAN tag is a word that is not 0, not a bit"),
		StampKinds:          row(6010, 0, Read, "the kind of a packet's time stamp has two bits"),
		SmallPercpu:         row(0, 6015, Recorded, "addresses of per-CPU variables are offsets from 0"),
		NarrowPercpu:        row(6010, 6015, Recorded, "offsets of per-CPU variables are moved as 32 bits"),
		ArgCountWhole:       row(0, 7000, Recorded, "the count of a traced function's arguments is a word"),
		ArgCountByte:        row(7002, 0, Read, "the count of a traced function's arguments is a byte"),
		XskWord:             row(7002, 0, Recorded, "lookups of AF_XDP sockets compare 32 bits; also 6.1.192, 6.12.117"),
		XskLong:             row(6016, 6018, Recorded, "they compare 64 bits; also 6.18.15, 6.19.14, 7.0.13 and 7.1.13"),
		FarCalls:            row(7002, 0, Read, "dumps name the callee of a far call"),
		TargetsSkipPrologue: row(Next, 0, Read, "targets skip code inserted at the start of a function"),

		LateFields:      row(0, 7001, Recorded, "registers and reserved fields are checked on paths"),
		FixedOffsets:    row(0, 7001, Recorded, "messages show the constant part of an offset separately"),
		DeepRecursion:   row(0, 7000, Read, "recursion is found when calls nest too deep"),
		LastGotox:       row(7002, 0, Read, "an indirect jump may end a subprogram"),
		OffsetIsAccess:  row(7000, 0, Read, "a bad offset into a table is EACCES"),
		TablesByMap:     row(Next, 0, Read, "targets are computed once a subprogram, tables named by map"),
		JumpEdgeLimit:   row(Next, 0, Read, "edges of indirect jumps are limited"),
		StaticCallx:     row(Next, 0, Read, "indirect calls of static functions"),
		Unwinding:       row(Next, 0, Proposed, "exceptions continue at landing pads; refusals are not known"),
		DivisionRange:   row(7000, 0, Read, "ranges of quotients and remainders"),
		Negation:        row(6017, 0, Recorded, "ranges of negative numbers; not in 6.12.117, but in 6.18.15"),
		SpilledCode:     row(7003, 0, Read, "code addresses survive on the stack"),
		TableLoadOffset: row(7001, 0, Read, "the offset in a load from a table counts"),
		HalfPointers:    row(7002, 0, Read, "32 bits of a pointer may be zero; in 6.12's stable releases, not in 6.19"),
		FreshResult:     row(7002, 0, Read, "a hook's result is any of its range; in 6.12's stable releases, not in 6.19"),
		MixedProbe:      row(7003, 0, Recorded, "loads from objects of which one may be freed may fault"),
		BareResults:     row(0, 7000, Recorded, "objects that kernel functions return may be freed"),
		TrustedResults:  row(7002, 0, Read, "objects that kernel functions return are trusted"),
		ArrayLookups:    row(6014, 0, Read, "a lookup in an array by a constant key is not null"),
		NotNull:         row(6012, 0, Read, "buffers, maps and trusted objects are not null"),
		IterTrust:       row(6006, 0, Read, "arguments of iterators are trusted; not in 6.1.192"),
		CalledGlobals:   row(6008, 0, Recorded, "global functions are verified when something calls them"),
		DeepCalls:       row(7002, 0, Read, "calls nest 16 deep, not 8"),
		ScrubbedZeros:   row(7000, 0, Recorded, "a store at a variable offset forgets zeros beside a spill; 6.12.117 too"),
		MixedZeros:      row(7003, 0, Recorded, "a load of zeros and of parts of a spilled 0 is 0"),
		CallbackLimits:  row(7002, 0, Read, "no packet loads and tail calls in callbacks; stable releases before differ"),
		EqualByRange:    row(6004, 0, Recorded, "== and != are decided by ranges"),
		RangeCompare:    row(6008, 0, Read, "comparisons without a constant, and !=, refine ranges"),
		LinkedAdd:       row(6011, 0, Read, "a number plus a constant stays linked"),
		LinkedSub:       row(7000, 0, Recorded, "so does a number minus a constant, and one of 32 bits"),
		MayLinkSub:      row(6018, 6019, Recorded, "stable releases differ: not in 6.18.15, 6.19.14, but in 6.18.44"),
		LoadExits:       row(7002, 0, Recorded, "the failure of LD_ABS in a function is followed; not in 6.12.117, 6.19.14"),
		CleanLinks:      row(7002, 0, Recorded, "an ended link leaves nothing; in 6.12's stable releases, not in 6.19.14"),
		LiveLinks:       row(6019, 0, Recorded, "registers that nothing reads are not linked; in 6.19.14, not 6.18.15"),
		LiveSlots:       row(7002, 0, Recorded, "slots that nothing reads do not count as linked; compared with 7.2.7"),
		SameRegister:    row(6019, 0, Read, "a register compared with itself is decided"),
		LeakWords:       row(6013, 0, Read, "one wording for references that are held where a program may end"),
		OwnFrame:        row(7003, 0, Read, "a number plus a pointer to the stack is one into the same frame"),
		OwnFill:         row(7003, 0, Read, "a number loaded from the stack with its sign is linked to nothing"),
		LiveRegisters:   row(6015, 0, Read, "registers that are not read any more do not distinguish states"),
		LooseLinks:      row(7000, 0, Recorded, "a state without a link covers one with it; also in 6.12.117"),
		ContextStores:   row(6004, 0, Read, "constants are stored into the context by one instruction"),
		BugWords:        row(6016, 0, Read, "faults of the verifier itself appear in its log"),
		TryBranches:     row(7001, 0, Recorded, "branches are decided by trying both sides"),
		Arcs:            row(7002, 0, Recorded, "a number has one range, which may wrap"),
		KnownNumbers:    row(6012, 0, Recorded, "what the verifier knows of numbers is modelled: 6.1.192 knows some worse"),
		SwappedNumbers:  row(6019, 0, Recorded, "a number whose bytes change their order is known: 6.19.14, not 6.18.15"),
		ForkedNumbers:   row(6019, 0, Recorded, "0 or -1 is followed as either at AND and OR; 6.12.117 too, not 6.18.15"),
		MayFork:         row(6012, 6019, Recorded, "stable releases differ in both"),
		RangesFirst:     row(6001, 6002, Recorded, "one round, and decisions by constants alone: 6.1.192"),
		RangesOld:       row(6012, 6013, Recorded, "sums that wrap have no range: 6.12.117"),
		RangesFew:       row(6013, 6017, Recorded, "two rounds, and equality by ranges alone: 6.16.12"),
		RangesThrice:    row(6017, 6019, Recorded, "three rounds refine the parts of a number"),
		MayFindMember:   row(6018, 6019, Recorded, "later stable releases may find a single member: not 6.18.15"),
		RangesMember:    row(6019, 7001, Recorded, "a single member in the range is found: 6.19.14, 7.0.13"),
		RangesTwice:     row(7001, 7002, Recorded, "two rounds refine the parts of a number"),
	}
	for i := range t {
		t[i].Feature = Feature(i)
	}
	return t
}
