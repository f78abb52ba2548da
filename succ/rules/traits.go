package rules

import (
	"slices"

	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/abstract"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// traits are the properties of a program in which kernels differ before they compute values.
// Superfluous traits cost time; a missing one would wrongly treat different kernels as equal.
type traits struct {
	tables  bool // indirect jumps, or tables for them
	cond    bool // may_goto, or what has its opcode
	callx   bool // indirect calls, or what has their opcode, or tables of functions
	highReg bool // registers above r10
	tags    bool // several exception callbacks
	unwinds bool // exceptions go on at landing pads
	v4      bool // an opcode that came with -mcpu=v4
	odd     bool // a register or field that some kernel refuses
	back    bool // a direct call that leads back, so that there may be recursion
	last    bool // an indirect jump that some kernel treats as a jump out of its function
	offset  bool // a reference to a table with an offset, or to an empty one
	spans   bool // a table that leads into several functions
	edges   int  // of all indirect jumps, at most
}

// traitsOf returns the traits of a program. Second halves of 64-bit loads count as
// instructions: some steps look at them so.
func traitsOf(p *bytecode.Program) *traits {
	t := &traits{tables: len(p.Tables) > 0, tags: p.ExceptionTags > 1}
	starts := entriesOf(p)
	jumps, entries := 0, 0
	for i, in := range p.Insns {
		t.instruction(in)
		pc := bytecode.PC(i)
		f := p.Flow(pc)
		t.back = t.back || f.Kind == bytecode.FlowCall && f.Callee <= pc
		if in.IsGotox() {
			jumps++
			_, entry := slices.BinarySearch(starts, pc+1)
			t.last = t.last || in.Off != 0 || entry
		}
	}
	for _, ref := range p.Refs {
		table := ref.Kind == bytecode.RefTable
		t.tables = t.tables || table || ref.Kind == bytecode.RefTableMap
		whole := ref.Index >= 0 && ref.Index < len(p.Tables) && ref.Off == 0 && len(p.Tables[ref.Index].Targets) > 0
		t.offset = t.offset || table && !whole
	}
	for i := range p.Tables {
		to := p.Tables[i].Targets
		entries += len(to)
		t.spans = t.spans || len(to) > 0 && part(starts, slices.Min(to)) != part(starts, slices.Max(to))
	}
	t.edges = jumps * entries
	_, t.unwinds = p.Unwinds()
	for i := range p.Maps {
		t.tables = t.tables || p.Maps[i].Type == bytecode.MapInsnArray
		t.callx = t.callx || len(p.Maps[i].Code) > 0
	}
	return t
}

// instruction records the traits of a single instruction.
func (t *traits) instruction(in bytecode.Insn) {
	t.tables = t.tables || in.IsGotox()
	t.cond = t.cond || in.Code == bytecode.CodeMayGoto
	t.callx = t.callx || in.IsCallx()
	t.highReg = t.highReg || in.Dst > bytecode.R10 || in.Src > bytecode.R10
	t.v4 = t.v4 || in.Code == 0xd7 || in.Class() == asm.LdXClass && in.Mode() == asm.MemSXMode
	t.odd = t.odd || t.highReg || in.IsWide() && in.Off != 0 || !in.IsWide() && (Set{}).badFields(in) != ""
}

// entriesOf returns the slots that a step may treat as the start of a function, and the end of the
// program.
func entriesOf(p *bytecode.Program) []bytecode.PC {
	starts := []bytecode.PC{0, p.Len()}
	for _, s := range p.Subprogs {
		starts = append(starts, s.Start)
	}
	for pc := range p.Insns {
		if f := p.Flow(bytecode.PC(pc)); f.Kind == bytecode.FlowCall || f.Kind == bytecode.FlowFuncAddr {
			starts = append(starts, f.Callee)
		}
	}
	for i := range p.Maps {
		for _, cell := range p.Maps[i].Code {
			starts = append(starts, cell.Target)
		}
	}
	slices.Sort(starts)
	return slices.Compact(starts)
}

// part returns the part between two starts in which a slot lies.
func part(starts []bytecode.PC, pc bytecode.PC) int {
	i, found := slices.BinarySearch(starts, pc)
	if !found {
		i--
	}
	return i
}

// before returns the set without the rules that no step before value analysis uses for a program
// with these traits.
func (s Set) before(t *traits) Set {
	s.Name, s.Quirks, s.FixedOffsets = "", abstract.Quirks{}, false
	s.KeepsTargets, s.DeepCalls, s.CallbackLimits, s.LeakWords, s.ContextStores = false, false, false, false, false
	s.Indirect, s.LastGotox = s.Indirect && t.tables, s.LastGotox && t.last
	s.MayGoto, s.MayGotoZero = s.MayGoto && t.cond, s.MayGotoZero && t.cond
	s.Exceptions = s.Exceptions && t.tags
	s.StaticCallx, s.StackArgs = s.StaticCallx && t.callx, s.StackArgs && t.highReg
	s.V4, s.LateFields, s.DeepRecursion = s.V4 && t.v4, s.LateFields && t.odd, s.DeepRecursion && t.back
	s.PerSubprogram, s.Unwinds = s.PerSubprogram && t.spans, s.Unwinds && t.unwinds
	if !t.offset {
		s.OffsetErrno = ""
	}
	if t.edges <= s.MaxJumpEdges {
		s.MaxJumpEdges = 0
	}
	return s
}
