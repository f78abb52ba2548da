package verify

import (
	"fmt"
	"sort"
	"strings"

	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/kernel"
	"github.com/bpfcfg/bpfcfg/jit/machine"
)

// Source is the source of a rewritten program, and the claim how the program comes from it. Slots
// that are listed as unpredicted stand for something that only the kernel knows.
type Source struct {
	Graph *cfg.Graph
	Facts Facts
	// Original gives for each xlated slot the source slot that it comes from, -1 for what the
	// verifier added; Xlated for each source slot the first xlated slot of its replacement, or
	// machine.Deleted.
	Original, Xlated []bytecode.PC
	Unpredicted      []bytecode.PC
	AttachType       uint32 // expected_attach_type, or the number of the member of a struct_ops
	// Unprivileged: loaded without CAP_BPF, so that dead code stays, as loops.
	// Masks: without CAP_PERFMON, so that indices are masked and speculation is
	// stopped. Blinded: constants are hidden behind random numbers.
	Unprivileged, Masks, Blinded bool
}

// loader describes the capabilities that the loader lacks, and whether constants are hidden.
func (s *Source) loader() string {
	var out, lacks []string
	if s.Unprivileged {
		lacks = append(lacks, "CAP_BPF")
	}
	if s.Masks {
		lacks = append(lacks, "CAP_PERFMON")
	}
	if len(lacks) > 0 {
		out = append(out, "without "+strings.Join(lacks, " and "))
	}
	if s.Blinded {
		out = append(out, "with hidden constants")
	}
	return strings.Join(out, ", ")
}

// source compares source graph and rewritten program.
type source struct {
	*Source
	p    *bytecode.Program
	prog *machine.Program
	k    *Kernel
	out  *Proof

	ax    bytecode.Reg
	first []int32 // by source slot: first xlated slot that comes from it, -1 without
	land  []int32 // by source slot: where control continues that reaches it
	end   []int32 // by source slot: after its last xlated slot
	known []bool  // by xlated slot: predicted
	sub   int     // of the current instruction
	fn    int     // the function that it became
	way   []way   // by block: which of its ways remains
	items []item
	tails []bool   // by subprogram: reaches a tail call
	folds []folded // by block: the constants that kernels may know before they verify

	bare   bool        // of items: a constant is not hidden
	unsure bool        // the facts do not decide the form of the current instruction
	direct int         // direct tail calls so far, -1 when their number is not known
	exit   bytecode.PC // first exit with an epilogue, -1 before it
	stamps Answer      // see readsStampKind, cached
	asked  bool
}

// way says which ways out of a conditional jump remain.
type way uint8

const (
	bothWays way = iota
	onlyNext
	onlyTarget
)

// checkSource compares the source graph with the program, and reports whether
// the two fit together at all.
func checkSource(s *Source, prog *machine.Program, k *Kernel, out *Proof) {
	c := &source{Source: s, p: s.Graph.Program, prog: prog, k: k, out: out, ax: bytecode.Reg(k.AXReg), exit: -1}
	if !c.maps() || !c.functions() {
		return
	}
	c.way = make([]way, len(s.Graph.Blocks))
	for c.sub = range c.p.Subprogs {
		c.subprogram()
	}
	c.tables()
	c.edges()
	out.Unknown += len(s.Unpredicted)
}

// fail records a mismatch at a source slot.
func (c *source) fail(pc bytecode.PC, format string, args ...any) {
	if len(c.out.Mismatches) < maxMismatches {
		c.out.Mismatches = append(c.out.Mismatches, c.mismatch(pc, format, args...))
	}
}

// lose records an edge that the kernel itself removes.
func (c *source) lose(pc bytecode.PC, format string, args ...any) {
	if len(c.out.Lost) < maxMismatches {
		c.out.Lost = append(c.out.Lost, c.mismatch(pc, format, args...))
	}
}

func (c *source) mismatch(pc bytecode.PC, format string, args ...any) Mismatch {
	m := Mismatch{Func: c.fn, Source: pc, PC: -1, Offset: -1, Text: fmt.Sprintf(format, args...)}
	if pc >= 0 && int(pc) < len(c.first) && c.first[pc] >= 0 {
		m.PC = bytecode.PC(c.first[pc])
	}
	if c.sub < len(c.p.Subprogs) {
		m.Name = c.p.Subprogs[c.sub].Name
	}
	if pc >= 0 {
		m.BPF = c.p.Text(pc)
	}
	return m
}

// maps checks that the two maps agree, in order: the slots from a source slot are together, after
// those from earlier source slots.
func (c *source) maps() bool {
	n, x := len(c.p.Insns), len(c.prog.Insns)
	if len(c.Original) != x || len(c.Xlated) != n {
		c.fail(-1, "maps of %d and %d slots for %d rewritten and %d source slots", len(c.Original), len(c.Xlated), x, n)
		return false
	}
	c.first, c.land, c.end = fill(n), fill(n+1), fill(n)
	c.known = make([]bool, x)
	for i := range c.known {
		c.known[i] = true
	}
	for _, u := range c.Unpredicted {
		if u >= 0 && int(u) < x {
			c.known[u] = false
		}
	}
	last := bytecode.PC(-1)
	for i, o := range c.Original {
		if o == -1 {
			continue
		}
		if o < last || int(o) >= n {
			c.fail(-1, "rewritten slot %d is said to come from source slot %d, that before it from %d", i, o, last)
			return false
		}
		if c.first[o] < 0 {
			c.first[o] = int32(i)
		} else if c.end[o] != int32(i) {
			c.fail(o, "what is said to come from source slot %d is interrupted at rewritten slot %d", o, i)
			return false
		}
		c.end[o], last = int32(i)+1, o
	}
	c.land[n] = int32(x)
	for pc := n - 1; pc >= 0; pc-- {
		if c.land[pc] = c.first[pc]; c.land[pc] < 0 {
			c.land[pc] = c.land[pc+1]
		}
	}
	return true
}

func fill(n int) []int32 {
	out := make([]int32, n)
	for i := range out {
		out[i] = -1
	}
	return out
}

// functions checks that the functions of the program are the subprograms of the source, without
// removed ones, followed by those that the verifier appends.
func (c *source) functions() bool {
	sub := -1
	for f := range c.prog.Funcs {
		c.fn = f
		fn := &c.prog.Funcs[f]
		if fn.Start < 0 || fn.End > bytecode.PC(len(c.Original)) || fn.Start >= fn.End {
			c.fail(-1, "function %d has the slots %d to %d", f, fn.Start, fn.End)
			return false
		}
		if fn.Hidden {
			c.hidden(fn, f)
			continue
		}
		at := fn.Start
		for at < fn.End && c.Original[at] < 0 {
			at++
		}
		if at == fn.End {
			c.fail(-1, "function %d has nothing of the source", f)
			return false
		}
		c.sub = c.p.SubprogAt(c.Original[at])
		if c.sub <= sub {
			c.fail(c.Original[at], "function %d begins with it, after functions of later subprograms", f)
			return false
		}
		sub = c.sub
		for x := at; x < fn.End; x++ {
			if o := c.Original[x]; o < 0 || c.p.SubprogAt(o) != sub {
				c.fail(-1, "rewritten slot %d comes from source slot %d, and lies in function %d, %s", x, o, f, fn.Name)
				return false
			}
		}
		c.inserted(fn, at)
		c.frameClaims(fn, f)
	}
	c.callbackAdded()
	return true
}

// subprogram checks the instructions of a subprogram.
func (c *source) subprogram() {
	s := c.p.Subprogs[c.sub]
	for c.fn = 0; c.fn < len(c.prog.Funcs); c.fn++ {
		if fn := c.prog.Funcs[c.fn]; c.land[s.Start] >= 0 && bytecode.PC(c.land[s.Start]) < fn.End {
			break
		}
	}
	for pc := s.Start; pc < s.End; pc += c.p.Insns[pc].Slots() {
		c.insn(pc)
	}
}

// insn checks the replacement of one source instruction.
func (c *source) insn(pc bytecode.PC) {
	seen := c.Facts.Seen(pc)
	from, to := c.span(pc)
	switch {
	case from < 0 && c.Unprivileged:
		c.fail(pc, "is gone, though of a loader without CAP_BPF nothing is removed")
	case seen == No && from < 0:
		c.out.Removed++
	case seen == No && c.Unprivileged:
		c.trapped(pc, from, to)
	case seen == No:
		c.fail(pc, "linux's verifier never comes to it, and it is still there, at rewritten slot %d", from)
	case from < 0:
		c.removed(pc, seen)
	default:
		c.replaced(pc, from, to, seen)
	}
}

// span returns the xlated slots of a source instruction, -1 without any.
func (c *source) span(pc bytecode.PC) (from, to int32) {
	from, to = c.first[pc], c.end[pc]
	if c.p.Insns[pc].IsWide() && int(pc)+1 < len(c.first) && c.first[pc+1] >= 0 {
		if from < 0 {
			from = c.first[pc+1]
		}
		to = c.end[pc+1]
	}
	return from, to
}

// trapped checks the replacement of dead code for a loader without CAP_BPF: jumps to themselves
// (kernel/bpf/verifier.c sanitize_dead_code).
func (c *source) trapped(pc bytecode.PC, from, to int32) {
	if n := int32(c.p.Insns[pc].Slots()); to-from != n {
		c.fail(pc, "is dead, and became %d slots, should be %d jumps to themselves", to-from, n)
		return
	}
	for x := from; x < to; x++ {
		if c.prog.Insns[x] != (bytecode.Insn{Code: bytecode.CodeGoto, Off: -1}) {
			c.fail(pc, "is dead, and became %s at rewritten slot %d, should be a jump to itself",
				bytecode.Text(c.prog.Insns, bytecode.PC(x)), x)
			return
		}
	}
}

// removed checks a removed instruction that the verifier reaches: its only effect was to continue
// at the next remaining one.
func (c *source) removed(pc bytecode.PC, seen Answer) {
	if seen == Maybe {
		c.out.Unknown++
		return
	}
	in, f := c.p.Insns[pc], c.p.Flow(pc)
	switch {
	case f.Kind == bytecode.FlowGoto && in.Code == bytecode.CodeGoto:
		if c.land[f.Target] == c.land[f.Next] {
			return
		}
		c.fail(pc, "is gone: control goes on at rewritten slot %d, should go to source slot %d at %d", c.land[f.Next],
			f.Target, c.land[f.Target])
		return
	case f.Kind == bytecode.FlowCond:
		w := c.wired(pc, f)
		same := c.land[f.Target] == c.land[f.Next]
		if w == onlyNext || same && (w == onlyTarget || in.Code == bytecode.CodeMayGoto && c.k.has(kernel.TimedMayGoto)) {
			c.way[c.block(pc)] = w
			return
		}
	case c.isSpill(in) && c.k.has(kernel.Fastcall):
		c.out.Spills++
		return
	}
	c.fail(pc, "is gone, though linux's verifier comes to it; control goes on at rewritten slot %d", c.land[f.Next])
}

// isSpill reports whether an instruction saves a register on the stack or restores it: the verifier
// removes these around calls that preserve the register.
func (c *source) isSpill(in bytecode.Insn) bool {
	const store, load = 0x7b, 0x79 // *(u64 *)(r10 - n) = r, and back
	return in.Off < 0 && (in.Code == store && in.Dst == bytecode.R10 || in.Code == load && in.Src == bytecode.R10)
}

// wired returns the way of a conditional jump that may be the only one left: the verifier never
// reaches the other, or decided the jump by constants before.
func (c *source) wired(pc bytecode.PC, f bytecode.Flow) way {
	if c.Unprivileged {
		return c.decided(pc)
	}
	next, target := No, c.Facts.Seen(f.Target)
	if c.p.SubprogAt(f.Next) == c.sub {
		next = c.Facts.Seen(f.Next)
	}
	switch {
	case next == No:
		return onlyTarget
	case target == No:
		return onlyNext
	}
	return c.decided(pc)
}

// decided returns the only way that the verifier takes at a conditional jump, in
// kernels that look for constants before they verify.
func (c *source) decided(pc bytecode.PC) way {
	next, target := No, No
	lo, hi := c.Graph.SuccIDs(c.block(pc))
	for i := lo; i < hi; i++ {
		switch c.Graph.Edges()[i].Kind {
		case cfg.FallThrough:
			next = max(next, c.Facts.EdgeSeen(i))
		case cfg.Taken:
			target = max(target, c.Facts.EdgeSeen(i))
		}
	}
	switch one := (next == No) != (target == No); {
	case !one || !c.mayFold(pc) || !c.k.has(kernel.PruneBranches):
		return bothWays
	case next == No:
		return onlyTarget
	}
	return onlyNext
}

// block returns the block of a source slot.
func (c *source) block(pc bytecode.PC) cfg.BlockID {
	b, _ := c.Graph.BlockAt(pc)
	return b
}

// replaced checks the replacement of an instruction against each form that it can have.
func (c *source) replaced(pc bytecode.PC, from, to int32, seen Answer) {
	if seen == Maybe {
		c.out.Unknown++
	}
	c.collect(from, to)
	if c.bare {
		c.fail(pc, "became %s: its constant should be hidden", c.itemsText())
		return
	}
	c.unsure = seen == Maybe
	if c.forms(pc, to) {
		if n := len(c.items); n > 1 {
			c.out.Insertions++
		}
		return
	}
	if !c.mayBeUnknown(pc, from, to) {
		c.fail(pc, "became %s: %s", c.itemsText(), c.expected(pc))
		return
	}
	if c.computes(pc) && !c.straight(0) {
		c.fail(pc, "became %s: what masks a computation has no jump", c.itemsText())
		return
	}
	if !c.confined(from, to) {
		c.fail(pc, "became what leaves rewritten slots %d to %d", from, to-1)
		return
	}
	c.out.Opaque++
}

// mayBeUnknown reports whether only the kernel may know the replacement of an instruction. That the
// claim says so is not enough: jumps, exits and calls within the program have no such form, and for
// a helper the facts decide.
func (c *source) mayBeUnknown(pc bytecode.PC, from, to int32) bool {
	switch c.p.Flow(pc).Kind {
	case bytecode.FlowNext, bytecode.FlowCond:
	default:
		if !c.unsure {
			return false
		}
	}
	for x := from; x < to; x++ {
		if !c.known[x] && !c.hiding(x) {
			return true
		}
	}
	return false
}

// computes reports whether an instruction is arithmetic that cannot trap. Without
// CAP_PERFMON that of pointers is masked, by values that only the kernel knows, and
// without a jump (kernel/bpf/fixups.c bpf_do_misc_fixups, Linux 7.3).
func (c *source) computes(pc bytecode.PC) bool {
	in := c.p.Insns[pc]
	return in.Class().IsALU() && in.ALUOp() != asm.Div && in.ALUOp() != asm.Mod
}

// hiding reports whether an xlated slot only computes a hidden constant: its number is random, but
// its effect is known.
func (c *source) hiding(x int32) bool {
	in := c.prog.Insns[x]
	op := in.Code &^ 0x0f
	return c.Blinded && in.Dst == c.ax && in.Class().IsALU() && (op == opMov || op == opXor)
}

// confined reports whether an unknown replacement always continues at its end: its jumps lead
// forward inside it, and it has no exit.
func (c *source) confined(from, to int32) bool {
	for _, it := range c.items {
		switch it.flow.Kind {
		case bytecode.FlowExit, bytecode.FlowIndirect, bytecode.FlowKey, bytecode.FlowCallx:
			return false
		case bytecode.FlowGoto, bytecode.FlowCond:
			if t := int32(it.flow.Target); t <= it.slot || t > to {
				return false
			}
		}
	}
	return from < to
}

// tables checks that each table entry leads to the replacement of its target, including up to Linux
// 7.3 the code inserted before a function.
func (c *source) tables() {
	if len(c.prog.Tables) != len(c.p.Tables) {
		c.fail(-1, "%d tables for %d of the source", len(c.prog.Tables), len(c.p.Tables))
		return
	}
	for t, table := range c.p.Tables {
		if len(c.prog.Tables[t]) != len(table.Targets) {
			c.fail(-1, "table %d has %d entries for %d of the source", t, len(c.prog.Tables[t]), len(table.Targets))
			continue
		}
		for i, target := range table.Targets {
			if want, have := c.entryOf(target), c.prog.Tables[t][i]; want != have {
				c.fail(target, "table %d[%d] leads to rewritten slot %d, should lead to %d", t, i, have, want)
			}
		}
	}
}

// entryOf returns the rewritten slot that a table entry for a source slot has.
func (c *source) entryOf(target bytecode.PC) bytecode.PC {
	if target < 0 || int(target) >= len(c.first) || c.first[target] < 0 {
		return machine.Deleted
	}
	x := bytecode.PC(c.first[target])
	for x > 0 && c.Original[x-1] < 0 && !c.startsFunc(x) && !c.k.has(kernel.TargetsSkipPrologue) {
		x--
	}
	return x
}

// funcAt returns the function that begins at an xlated slot, or nil.
func (c *source) funcAt(x bytecode.PC) *machine.Func {
	funcs := c.prog.Funcs
	i := sort.Search(len(funcs), func(i int) bool { return funcs[i].Start >= x })
	if i < len(funcs) && funcs[i].Start == x {
		return &funcs[i]
	}
	return nil
}

// startsFunc reports whether a function of the program begins at a slot.
func (c *source) startsFunc(x bytecode.PC) bool { return c.funcAt(x) != nil }
