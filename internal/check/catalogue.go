package check

import (
	"slices"
	"sync"
)

// ID names a kind of finding.
type ID string

// The kinds of finding.
const (
	Unreachable      ID = "unreachable"
	DeadBranch       ID = "dead-branch"
	UnresolvedJump   ID = "unresolved-jump"
	UnresolvedCall   ID = "unresolved-call"
	TargetOutside    ID = "target-outside-subprogram"
	TargetMidLoad    ID = "target-mid-ldimm64"
	TableMissing     ID = "table-missing"
	TableEntry       ID = "table-entry"
	TableUnfrozen    ID = "table-unfrozen"
	TableAccess      ID = "table-access"
	TablePointer     ID = "table-pointer"
	KernelRefuses    ID = "kernel-refuses"
	MayRefuse        ID = "kernel-may-refuse"
	WideTable        ID = "wide-table"
	DeadTableEntry   ID = "dead-table-entry"
	DeadCode         ID = "dead-code"
	DeadConfig       ID = "dead-in-configuration"
	NopTarget        ID = "nop-target"
	EntryTarget      ID = "entry-target"
	ForeignTarget    ID = "foreign-target"
	UnverifiedTarget ID = "unverified-target"
	IrreducibleLoop  ID = "irreducible-loop"
	PathExplosion    ID = "path-explosion"
	LayoutMismatch   ID = "layout-mismatch"
	OddObject        ID = "odd-object"
	LoaderRefuses    ID = "loader-refuses"
	MustReach        ID = "must-reach"
	MustNotReach     ID = "must-not-reach"
	MaxInsns         ID = "max-insns"
	MaxImage         ID = "max-image"
	MaxTargets       ID = "max-targets"
)

// Info describes a kind of finding.
type Info struct {
	ID    ID
	Level Level  // unless a policy says otherwise
	Title string // in a few words
	What  string // when it is reported and why it matters
	// Example is code that has the finding, with a blank line before what
	// bpfcfg says about it.
	Example string
	Fix     string // what to do, in an imperative sentence without a full stop
}

// Info returns the description of the kind; the zero value for a word that is
// no kind.
func (id ID) Info() Info {
	return infos()[id]
}

// infos returns the catalogue by ID.
var infos = sync.OnceValue(func() map[ID]Info {
	m := map[ID]Info{}
	for _, i := range Catalogue() {
		m[i.ID] = i
	}
	return m
})

// Catalogue returns all kinds of finding, in the order of the documentation.
func Catalogue() []Info {
	return slices.Concat(refusals(), hazards(), remarks(), requests())
}

// refusals returns the kinds that make Linux refuse the program.
func refusals() []Info {
	return []Info{
		{Unreachable, Error, "code that no control flow reaches",
			"No edge of the control-flow graph leads to the block: no jump, no fall-through, no entry of a jump table, " +
				"no call. Values play no part. Linux refuses the program with \"unreachable insn N\".",
			"  3: goto pc+1\n  4: r0 = 1        nothing leads here\n  5: exit\n",
			"remove the code, or let something jump to it; compilers leave such code after hand-written assembly and " +
				"__builtin_unreachable()"},
		{UnresolvedJump, Error, "an indirect jump whose targets are unknown",
			"The analysis cannot show that the register of the gotox holds an entry of a jump table with a bounded index, so " +
				"the jump could go anywhere. Linux refuses such a program.",
			"  r1 = *(u64 *)(r2 +0)    r2 is not a table\n  gotox r1\n",
			"bound the index before the load from the table (if (i >= N) return), and keep the loaded address in a register " +
				"or an 8-byte stack slot until the jump"},
		{UnresolvedCall, Error, "an indirect call whose callees are unknown",
			"The analysis cannot show that the register of the callx holds the address of a function. Linux 7.3 refuses " +
				"every callx.",
			"  void (*f)(void) = from_a_map(); f();\n",
			"call through a constant table of functions with a bounded index, or call the functions directly"},
		{TargetOutside, Error, "a jump that leaves its function",
			"An entry of a function's jump table, or a direct jump, leads out of the function. Linux refuses the program: " +
				"\"jump table for insn N points outside of the subprog\" or \"jump out of range\".",
			"  static void *const t[] = { &&here, &&in_another_function };\n",
			"let the table hold labels of one function only"},
		{TargetMidLoad, Error, "a jump into the middle of a 64-bit load",
			"A jump or a table entry leads to the second slot of a 64-bit immediate load, where no instruction begins. Linux " +
				"refuses the program.",
			"  8: r1 = 0x1122334455667788 ll     takes slots 8 and 9\n  .quad 9*8                         table entry\n",
			"let the target be the first slot of the load"},
		{TableMissing, Error, "an indirect jump in a function without a jump table",
			"Linux looks for jump tables whose smallest entry lies in the function of the gotox and finds none: \"no jump " +
				"tables found for subprog\". Labels in .rodata do not count as a table; only those in .jumptables do.",
			"  static const void *t[] = { &&a, &&b };   goes to .rodata\n  goto *t[i];\n",
			"make the array automatic (const void *t[] = {…} without static), so that the compiler makes a jump table of it"},
		{TableEntry, Error, "a jump table entry outside the program",
			"An entry of a jump table is not the slot of an instruction, or the table is empty. Linux refuses to bind " +
				"the table: \"Failed to properly initialize insn array\".",
			"  .quad 4096     beyond the last instruction\n",
			"correct the table; compilers do not make such entries"},
		{TableUnfrozen, Error, "a jump table that is not frozen",
			"The instruction array is not frozen at load. Linux refuses the program: \"Failed to properly initialize insn " +
				"array\".",
			"  a loader that forgets BPF_MAP_FREEZE\n",
			"freeze the map before the program is loaded; libbpf does"},
		{TableAccess, Error, "an access to a jump table that Linux refuses",
			"A load from a jump table is not an aligned 8-byte load of one of its entries, or something writes to the table.",
			"  r3 = jt[BPF.JT.0.0]\n  r3 += r1               r1 may be beyond the last entry, or not a multiple of 8\n" +
				"  r3 = *(u64 *)(r3 +0)\n",
			"bound the index by the table's size and scale it by 8"},
		{TablePointer, Error, "a code address used for something other than a jump",
			"A code address loaded from a jump table is added to, dereferenced or compared. Linux refuses that.",
			"  r1 = *(u64 *)(r3 +0)\n  r1 += 8\n  gotox r1\n",
			"compute the index, not the address"},
		{KernelRefuses, Error, "anything else that Linux's control-flow rules refuse",
			"The program breaks a rule that concerns neither tables nor targets. Examples: an unknown opcode, reserved " +
				"fields, recursion, a function that does not end in a jump or exit, forbidden pointer arithmetic, " +
				"a register that was never set, an endless loop.",
			"  callx r1        unknown opcode 8d\n",
			"change the program so that it keeps the rule that the message names"},
	}
}

// hazards returns the kinds that Linux accepts.
func hazards() []Info {
	return []Info{
		{NopTarget, Warning, "a jump target that the kernel deletes",
			"A gotox can go to an instruction that Linux 7.3 deletes when it rewrites the program: a jump to the next " +
				"instruction, or a branch that became one. The table entry is left without an address and the jump goes to " +
				"address 0, which crashes the kernel. It is an error when an execution can select the entry, and a warning " +
				"when only the verifier's index range includes it.",
			"  case 3: break;      compiled to a goto to the next instruction\n",
			"give the target an instruction that does something, such as asm volatile(\"r0 = r0\")"},
		{ForeignTarget, Error, "a jump into another function",
			"The address of a label was handed to another function, which jumps to it. Linux 7.3 does not check that and " +
				"goes on in the wrong stack frame.",
			"  void *l = t[i]; other(l);     other() does goto *l\n",
			"jump in the function that loads the address"},
		{UnverifiedTarget, Error, "a jump to code that the verifier has not followed",
			"An execution can select a table entry that the kernel's verifier has not followed: Linux 6.19 forgets the offset " +
				"of the load from the table. The code there runs with registers that nothing has checked.",
			"  r1 = *(u64 *)(r2 +8)      6.19 takes the entry at +0\n  gotox r1\n",
			"add the offset to the pointer before the load; Linux 7.3 follows it either way"},
		{LayoutMismatch, Error, "machine code that does something else",
			"The machine code that bpfcfg predicts does not have the control flow of the program. This is a bug of bpfcfg " +
				"or of the kernel's JIT compiler that it models.",
			"",
			"report it, with the object file"},
		{WideTable, Note, "edges that exist only for the verifier",
			"The verifier assumes that each switch of a function can go to all cases of all switches of that function. What " +
				"cannot happen only costs verification time. Reported once per function.",
			"  two switches in one function: each jump is given the cases of both\n",
			"move one of the switches to a function of its own (__noinline), or leave it: it only costs verification time"},
		{EntryTarget, Warning, "a jump to the start of a function",
			"A gotox goes to the first instruction of a function. Linux 7.3 inserts code before it: a prologue, or the " +
				"initialization of the may_goto counter. The jump runs that code again.",
			"  0: may_goto pc+9      the table's entry 0 is 0: each round resets the counter\n",
			"put an instruction before the label, such as asm volatile(\"r0 = r0\")"},
		{OddObject, Warning, "something odd about the object file",
			"The object contains something that loaders drop, ignore or refuse, or that makes the analysis less certain.",
			"  jump table \"jt\": entry 1 is not a multiple of 8 bytes, libbpf drops the rest\n",
			"correct the source or how it is compiled"},
		{MayRefuse, Note, "a place that Linux may refuse",
			"The analysis sees a broken rule of control flow or code addresses, but in a state that covers more than Linux's " +
				"verifier may see: paths were joined, or a value was widened. Linux refuses the program only if one of its " +
				"own states breaks the rule.",
			"  100 ways meet; on some r1 was never set\n  r2 = r1\n",
			"load the program: only the kernel can tell"},
		{LoaderRefuses, Warning, "an object that libbpf refuses, or loads in part",
			"libbpf refuses the object or does not find some of its programs. Causes are static maps, map definitions in the " +
				"old style and functions without a type. Other loaders may accept it, so the programs are analysed anyway.",
			"  static struct { __uint(type, BPF_MAP_TYPE_ARRAY); … } m SEC(\".maps\");\n",
			"correct the source as the message says, or turn the finding off if you use another loader"},
	}
}

// remarks returns the kinds about what Linux accepts and a reader of the C should know.
func remarks() []Info {
	return []Info{
		{DeadCode, Warning, "C code that never executes",
			"No execution reaches the lines, or the cases of a switch, in any configuration and in any of their copies: " +
				"inlined, or in several programs of the object. It is a note when the branch is a test of a pointer or a bound " +
				"that some verifiers need and the dead code only leaves.",
			"  if (proto > 28) return 1;\n  switch (proto) { … case 29: …      29 is no longer possible\n",
			"correct the test that cuts the code off, or remove the code"},
		{DeadConfig, Note, "C code that never executes with the values in the object",
			"No execution reaches the lines with the values that the object has for its configuration (const volatile " +
				"variables). A loader that writes other values before it loads the program makes them reachable.",
			"  const volatile bool enable_ipv6 = false;\n  if (enable_ipv6) handle_ipv6(ctx);\n",
			"nothing if the loader sets the values; otherwise as for dead-code"},
		{DeadBranch, Note, "a branch that is never taken",
			"The facts prove that a conditional jump always goes the same way. Blocks that only the other edge reaches " +
				"never execute. Linux removes the code that its own facts prove dead.",
			"  if (x > 10) { if (x > 5) … else dead(); }\n",
			"remove the test if it is not meant as a safeguard"},
		{DeadTableEntry, Note, "a table entry that no index selects",
			"The index of a jump never reaches the entry.",
			"  switch (x & 3) with a table of 8 entries\n",
			"make the table smaller, or widen the index"},
		{IrreducibleLoop, Note, "a loop with several entries",
			"The loop has entries other than its header. Verifiers and compilers handle such loops less well, and " +
				"Linux may follow them for many iterations.",
			"  goto middle; while (x) { …; middle: … }\n",
			"enter the loop at one place"},
		{PathExplosion, Note, "more values than a verifier can follow",
			"A register that a later comparison, jump or address depends on is changed in many independent branches. Linux " +
				"follows each combination of them, and gives up after a million instructions.",
			"  if (a) n += 1; if (b) n += 2; … (17 times); if (n > 5) …\n",
			"hide the value from the verifier (asm volatile(\"\" : \"+r\"(n))), or compute it without branches"},
	}
}

// requests returns the kinds that a policy asks for.
func requests() []Info {
	return []Info{
		{MustReach, Error, "something that must be reachable is not",
			"A policy requires a function, helper call or C line to be reachable (must-reach), but no execution reaches it.",
			"  must-reach: [{function: handle_ipv6}]\n",
			"look at the dead-branch and unreachable findings for the test that cut it off"},
		{MustNotReach, Error, "something that must not be reachable is",
			"A policy forbids to reach a function, helper call or C line (must-not-reach), but an execution may reach it, " +
				"or an unresolved jump makes that impossible to rule out.",
			"  must-not-reach: [{helper: bpf_trace_printk}]\n",
			"remove the call, or the path to it"},
		{MaxInsns, Error, "a program with too many instructions",
			"The program has more instruction slots than the policy allows.",
			"  max-insns: 4096\n", "make the program smaller, or raise the limit"},
		{MaxImage, Error, "machine code that is too large",
			"The program's machine code has more bytes than the policy allows.",
			"  max-image: 16384\n", "make the program smaller, or raise the limit"},
		{MaxTargets, Error, "an indirect jump with too many targets",
			"A gotox or callx can go to more places than the policy allows.",
			"  max-targets: 64\n", "split the switch, or raise the limit"},
	}
}
