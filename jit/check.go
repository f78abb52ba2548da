package jit

import (
	"fmt"
	"slices"

	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/kernel"
)

// checkProgram reports whether p is valid input: Compile relies on properties that the kernel's
// verifier guarantees to its JIT.
func checkProgram(p *Program, prof *Profile, k kernel.Features) error {
	switch {
	case len(p.Insns) == 0:
		return fmt.Errorf("jit: %w: no instructions", ErrInput)
	case len(p.Insns) > MaxSlots:
		return fmt.Errorf("jit: %w: %d slots, limit is %d", ErrInput, len(p.Insns), MaxSlots)
	case p.IndirectTarget != nil && len(p.IndirectTarget) != len(p.Insns):
		return fmt.Errorf("jit: %w: %d indirect-target marks for %d slots", ErrInput, len(p.IndirectTarget), len(p.Insns))
	}
	if err := checkFuncs(p); err != nil {
		return err
	}
	if err := checkTables(p); err != nil {
		return err
	}
	if err := checkOrder(p); err != nil {
		return err
	}
	if err := checkFeatures(p, prof, k); err != nil {
		return err
	}
	ck := checker{p: p, prof: prof, kernel: k}
	for i := range p.Funcs {
		if err := ck.function(&p.Funcs[i]); err != nil {
			return err
		}
	}
	return nil
}

// maxStack limits the stack depth of a function. The verifier allows 512 bytes
// and rewriting adds some; more than this would not fit the code's fields.
const maxStack = 1 << 16

// checkFuncs checks that functions tile the program.
func checkFuncs(p *Program) error {
	if len(p.Funcs) == 0 || len(p.Funcs) > maxFuncs {
		return fmt.Errorf("jit: %w: %d functions, want 1 to %d", ErrInput, len(p.Funcs), maxFuncs)
	}
	next := bytecode.PC(0)
	for i, f := range p.Funcs {
		if f.Start != next || f.End <= f.Start || int(f.End) > len(p.Insns) {
			return fmt.Errorf("jit: %w: function %d has slots %d to %d, want them from %d on", ErrInput, i, f.Start, f.End, next)
		}
		if f.StackDepth < 0 || f.StackDepth > maxStack {
			return fmt.Errorf("jit: %w: function %d has stack depth %d", ErrInput, i, f.StackDepth)
		}
		if f.OutStackArgs < 0 || f.OutStackArgs > 32 {
			return fmt.Errorf("jit: %w: function %d has %d outgoing stack arguments", ErrInput, i, f.OutStackArgs)
		}
		next = f.End
	}
	if int(next) != len(p.Insns) {
		return fmt.Errorf("jit: %w: functions end at slot %d of %d", ErrInput, next, len(p.Insns))
	}
	return nil
}

// checkFeatures checks that the profile's kernel has what functions use.
func checkFeatures(p *Program, prof *Profile, k kernel.Features) error {
	fail := func(i int, what, need string) error {
		return fmt.Errorf("jit: %w: function %d has %s, which need %s", ErrInput, i, what, need)
	}
	for i, f := range p.Funcs {
		switch {
		case (f.ExceptionBoundary || f.ExceptionCallback) && !k.Has(kernel.Exceptions):
			return fail(i, "exceptions", kernel.Exceptions.Need())
		case f.PrivateStack && !k.Has(kernel.PrivateStack):
			return fail(i, "private stacks", kernel.PrivateStack.Need())
		case f.OutStackArgs > 0 && !prof.StackArgs:
			return fail(i, "stack arguments", kernel.StackArgs.Need())
		case f.PrivateStack && f.OutStackArgs > 0:
			return fail(i, "stack arguments and a private stack", "the same register")
		}
	}
	if len(p.ArenaArgs) > 0 && !k.Has(kernel.ArenaArgs) {
		return fmt.Errorf("jit: %w: arena arguments of kfuncs need %s", ErrInput, kernel.ArenaArgs.Need())
	}
	return nil
}

// checkTables checks that table entries are slots.
func checkTables(p *Program) error {
	for i, t := range p.Tables {
		for j, pc := range t {
			if pc != Deleted && (pc < 0 || int(pc) >= len(p.Insns)) {
				return fmt.Errorf("jit: %w: table %d entry %d is slot %d of %d", ErrInput, i, j, pc, len(p.Insns))
			}
		}
	}
	return nil
}

// checkOrder checks that the lists by slot are sorted, without which entries
// would not be found.
func checkOrder(p *Program) error {
	sorted := map[string]bool{
		"references":      slices.IsSortedFunc(p.Refs, func(a, b bytecode.Ref) int { return int(a.PC - b.PC) }),
		"tail calls":      slices.IsSortedFunc(p.TailCalls, func(a, b TailCall) int { return int(a.PC - b.PC) }),
		"arena arguments": slices.IsSortedFunc(p.ArenaArgs, func(a, b ArenaArgs) int { return int(a.PC - b.PC) }),
	}
	for _, list := range []string{"references", "tail calls", "arena arguments"} {
		if !sorted[list] {
			return fmt.Errorf("jit: %w: %s are not in order of slots", ErrInput, list)
		}
	}
	return nil
}

// checker checks the instructions of a program.
type checker struct {
	p      *Program
	prof   *Profile
	kernel kernel.Features
	ref    int // next in p.Refs

	fn *Func
}

// fail returns an error at pc.
func (ck *checker) fail(pc bytecode.PC, reason error, format string, args ...any) error {
	return &Error{
		Func: ck.fn.Name, PC: pc, Text: bytecode.Text(ck.p.Insns, pc), Why: fmt.Sprintf(format, args...), Err: reason,
	}
}

// function checks the instructions of fn, then that no jump goes elsewhere
// than to one of them.
func (ck *checker) function(fn *Func) error {
	ck.fn = fn
	insns := ck.p.Insns
	for pc := fn.Start; pc < fn.End; pc += insns[pc].Slots() {
		if insns[pc].IsWide() && pc+1 >= fn.End {
			return ck.fail(pc, ErrInput, "second half of the 64-bit immediate load is missing")
		}
		if why := ck.instruction(insns[pc]); why != "" {
			return ck.fail(pc, ErrUnsupported, "%s", why)
		}
		if err := ck.operand(pc); err != nil {
			return err
		}
	}
	return ck.jumps()
}

// jumps checks the targets of jumps in the function.
func (ck *checker) jumps() error {
	fn, insns := ck.fn, ck.p.Insns
	second := make([]bool, fn.End-fn.Start)
	for pc := fn.Start; pc < fn.End; pc += insns[pc].Slots() {
		if insns[pc].IsWide() {
			second[pc+1-fn.Start] = true
		}
	}
	for pc := fn.Start; pc < fn.End; pc += insns[pc].Slots() {
		if c := insns[pc].Class(); c != asm.JumpClass && c != asm.Jump32Class {
			continue
		}
		f := bytecode.FlowAt(insns, pc)
		switch f.Kind {
		case bytecode.FlowGoto, bytecode.FlowCond, bytecode.FlowKey:
		default:
			continue
		}
		if f.Target < fn.Start || f.Target >= fn.End {
			return ck.fail(pc, ErrInput, "jump to slot %d leaves the function", f.Target)
		}
		if second[f.Target-fn.Start] {
			return ck.fail(pc, ErrInput, "jump to slot %d, in a 64-bit immediate load", f.Target)
		}
	}
	return nil
}

// operand checks the object that the instruction at pc refers to.
func (ck *checker) operand(pc bytecode.PC) error {
	in := ck.p.Insns[pc]
	if in.Code != bytecode.CodeCall && !in.IsWide() {
		return nil
	}
	refs := ck.p.Refs
	for ck.ref < len(refs) && refs[ck.ref].PC < pc {
		ck.ref++
	}
	ref := int32(-1)
	if ck.ref < len(refs) && refs[ck.ref].PC == pc {
		ref = int32(ck.ref)
	}
	if target, ok := subprogTarget(ck.p, pc, ref); ok {
		if funcAt(ck.p.Funcs, target) < 0 {
			return ck.fail(pc, ErrInput, "no function starts at slot %d", target)
		}
		return nil
	}
	helper := int(in.Imm)
	if ref >= 0 {
		helper = refs[ref].Index
		if refs[ref].Kind != bytecode.RefHelper {
			return nil
		}
	}
	if in.IsHelperCall() && helper == bytecode.HelperTailCall {
		return ck.fail(pc, ErrUnsupported, "bpf_tail_call has an opcode of its own after the verifier's rewrites")
	}
	return nil
}

// register returns why r is not a register, "" if it is one.
func (ck *checker) register(r bytecode.Reg) string {
	if r <= bytecode.R10 || r == bytecode.Reg(ck.prof.AXReg) {
		return ""
	}
	return fmt.Sprintf("no register %s", r)
}

// registers returns why one of the operands is not a register. Src counts only
// if it is one.
func (ck *checker) registers(in bytecode.Insn, src bool) string {
	if why := ck.register(in.Dst); why != "" || !src {
		return why
	}
	return ck.register(in.Src)
}

// need returns why the profile's kernel does not know an instruction.
func (ck *checker) need(x kernel.Feature) string {
	if !ck.kernel.Has(x) {
		return "needs " + x.Need()
	}
	return ""
}

// instruction returns why the JIT does not know in, "" if it does.
func (ck *checker) instruction(in bytecode.Insn) string {
	switch in.Class() {
	case asm.LdClass:
		return ck.wideLoad(in)
	case asm.LdXClass:
		return ck.load(in)
	case asm.StClass, asm.StXClass:
		return ck.store(in)
	case asm.ALUClass, asm.ALU64Class:
		return ck.alu(in)
	default:
		return ck.jump(in)
	}
}

// wideLoad is instruction for class LD.
func (ck *checker) wideLoad(in bytecode.Insn) string {
	if !in.IsWide() {
		return "packet loads are replaced by the verifier"
	}
	return ck.register(in.Dst)
}
