package check

import (
	"strings"

	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/abstract"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/succ/rules"
)

// refusalFix returns the advice for a refusal, in an imperative sentence without a full stop: that
// of the rule if it has one, else that of the kind of finding.
func (c *context) refusalFix(id ID, v *rules.Verdict) string {
	var in bytecode.Insn
	if v.PC >= 0 && v.PC < c.p.Len() {
		in = c.p.Insns[v.PC]
	}
	fix := ""
	switch {
	case c.forPads(v, in):
		fix = unwindFix
	case id == TargetOutside && in.IsGotox() && v.Rule == rules.JumpLeaves:
		// Kernels before 7.2 take it for a jump to the next instruction.
		fix = "end the function in another instruction, such as exit: Linux before 7.2 refuses an indirect jump there"
	case id == TargetOutside && !in.IsGotox():
		fix = "correct the jump: it must stay within its function"
	case id != KernelRefuses:
	case in.IsCallx():
		fix = "call the functions directly, or in a switch: Linux up to 7.3 has no indirect calls"
	case v.Rule == rules.Encoding:
		fix = c.encodingFix(in)
	case v.Rule == rules.Calls:
		fix = callFix(v.Message)
	case v.Rule == rules.Values:
		fix = faultFixes[v.Fault.Kind]
	default:
		fix = ruleFixes[v.Rule]
	}
	if fix == "" {
		fix = id.Info().Fix
	}
	return fix
}

// forPads reports whether a kernel refuses code for landing pads: LLVM 24's instructions, or code
// that only exceptions reach by LLVM 23's table.
func (c *context) forPads(v *rules.Verdict, in bytecode.Insn) bool {
	return c.unwinds() && (in.IsUnwindGoto() || in.IsUnwindExit() || v.Rule == rules.Ending || v.Rule == rules.Unreachable)
}

// unwinds reports whether an exception may continue at a landing pad in the program.
func (c *context) unwinds() bool {
	if c.unwound == nil {
		_, ok := c.p.Unwinds()
		c.unwound = &ok
	}
	return *c.unwound
}

// encodingFix explains why a kernel does not accept an instruction of newer ones.
func (c *context) encodingFix(in bytecode.Insn) string {
	newer := rules.Linux73()
	v := c.a.StaticOf(newer)
	switch old := c.a.Rules; {
	case in.Class() == asm.ALU64Class && in.ALUOp() == asm.Mul && in.Source() == asm.RegSource && in.Off != 0:
		return "compile with -mcpu=v4: no kernel up to Linux 7.3 has products of which the high half is kept"
	case !v.Accept && v.Rule == rules.Encoding:
		return noCompiler
	case !old.Indirect && (in.IsGotox() || len(c.p.Tables) > 0):
		return "leave kernels before 6.19 out, or compile for them with -fno-jump-tables and without goto *"
	case !old.V4:
		return "leave this kernel out, or compile for it with -mcpu=v3"
	}
	return "leave this kernel out: it does not know the instruction"
}

// unwindFix is the advice for a program with landing pads on a kernel without them.
const unwindFix = "compile without -fexceptions: no kernel up to Linux 7.3 unwinds exceptions to landing pads"

// callFix returns the advice on an error about calls, by the kernel's message.
func callFix(message string) string {
	for _, f := range [...]struct{ part, fix string }{
		{"recursive call", "write a loop, or use bpf_loop(): functions cannot call themselves"},
		{"combined stack size", "use less stack: keep large variables in a map, such as a per-CPU array"},
		{"too deep", "let fewer calls nest: inline functions with __always_inline"},
		{"only allowed in functions that return", "let the function return int"},
		{"within callback", "do this outside of the callback"},
		{"too many subprograms", "inline functions with __always_inline, or split the program"},
		{"cannot call exception cb", "call another function: this one is only for bpf_throw()"},
		{"bpf_spin_lock", "use atomic operations: programs of this type cannot take a lock"},
	} {
		if strings.Contains(message, f.part) {
			return f.fix
		}
	}
	return ""
}

// ruleFixes returns the advice for each rule that is not about values.
var ruleFixes = map[rules.Rule]string{
	rules.Ending:   "end the function in a return: after a call that does not return, too",
	rules.Endless:  "give the loop a bound, or use bpf_loop() or can_loop",
	rules.TooLarge: "make the program smaller: with bpf_loop(), global functions or tail calls",
}

// Fixes for several kinds of fault.
const (
	computeFirst = "compute with numbers, and add the result to the pointer"
	boundNumber  = "bound the number before it is added to the pointer"
	noCompiler   = "correct the instruction: compilers do not make such a one"
	readArgument = "pass what the parameter's type says; the compiler passes nothing for a parameter that the " +
		"function does not read"
	fewArguments = "pass fewer arguments, or a pointer to a structure"
)

// faultFixes returns the advice for each fault of values. Those of tables and code
// addresses are findings of their own, and so are indirect calls.
var faultFixes = map[abstract.FaultKind]string{
	abstract.UnsetRegister: "set the variable on every way that leads here",
	abstract.BadMemory: "access memory through a pointer that the verifier knows, from the context, a map or the " +
		"stack",
	abstract.NullMemory:      "test the pointer for NULL before the access",
	abstract.NullMath:        "test the pointer for NULL before computing with it",
	abstract.Misaligned:      "access the data in the size that it is aligned to",
	abstract.StackRead:       "keep the index within the variable on the stack: test it before the access",
	abstract.StackWrite:      "keep the index within the variable on the stack: test it before the access",
	abstract.PartialFill:     "load all 8 bytes of a pointer that was stored",
	abstract.FromScalar:      computeFirst,
	abstract.TwoPointers:     computeFirst,
	abstract.PointerMath:     computeFirst,
	abstract.NarrowMath:      computeFirst,
	abstract.BitwiseMath:     computeFirst,
	abstract.OtherMath:       computeFirst,
	abstract.FarOffset:       boundNumber,
	abstract.UnboundedOffset: boundNumber,
	abstract.LargeOffset:     boundNumber,
	abstract.FarPointer:      boundNumber,
	abstract.TooManyFrames:   "let fewer calls nest: inline functions with __always_inline",
	abstract.TableArgument:   "pass another map: a jump table is for indirect jumps alone",
	abstract.NoCallback:      "pass a function of this program",
	abstract.LateArgument:    fewArguments,
	abstract.NoArgument:      fewArguments,
	abstract.FarArgument:     fewArguments,
	abstract.MissingArgument: fewArguments,
	abstract.ScalarArgument:  readArgument,
	abstract.ContextArgument: readArgument,
	abstract.MemoryArgument:  readArgument,
	abstract.Trapped: "look for undefined behaviour, such as a variable that is not set: the compiler has cut the " +
		"code off here",
	abstract.ModifiedFunc:   "call the function itself: its address leads nowhere else",
	abstract.CallbackResult: "let the callback return 0 or 1",
	abstract.NoNumber:       "pass a number",
	abstract.NegativeSize:   "bound the size before the call, below too: an unsigned variable cannot be negative",
	abstract.UnboundedSize:  "bound the size before the call",
	abstract.BadRegister:    noCompiler,
	abstract.IndexTooBig:    "bound the index by the size of the table",
	abstract.BadContext:     "access a field of the context by its name, and whole",
	abstract.StructArgument: "call a function that takes no structure by value",
}
