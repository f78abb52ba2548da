package cfg

import (
	"errors"
	"fmt"
	"math"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// The errors of Build.
var (
	ErrEmpty    = errors.New("program has no instructions")
	ErrSubprogs = errors.New("subprograms do not cover the program")
	ErrTooLarge = errors.New("program is too large")
)

// throwKfunc is the kernel function that ends the program
// (kernel/bpf/helpers.c bpf_throw, since Linux 6.7).
const throwKfunc = "bpf_throw"

// Build makes the control-flow graph of a program. With a nil t, an indirect jump has no
// successors.
//
// The program may be one that no kernel accepts. An impossible edge is left out and listed in
// Problems (if the program itself states it) or BadTargets (if it comes from t). Build returns an
// error only when there can be no graph: there are no instructions, or the subprograms do not
// follow one another from slot 0 to the end.
//
// An indirect jump may lead into another subprogram; Linux refuses that (kernel/bpf/cfg.c
// create_jt), but the edge is kept, because control would go there. Targets of indirect calls and
// callbacks must start a subprogram.
func Build(p *bytecode.Program, t *Targets) (*Graph, error) {
	if err := checkSubprogs(p); err != nil {
		return nil, err
	}
	b := &builder{g: &Graph{Program: p}, p: p, t: t, marks: make([]mark, p.Len()), handler: -1}
	for sub := range p.Subprogs {
		b.scan(sub)
		if b.handler < 0 && p.Subprogs[sub].Exception {
			b.handler = sub
		}
	}
	b.addTargets()
	b.tile()
	for id := range b.g.Blocks {
		b.link(BlockID(id))
	}
	b.g.sortFindings()
	b.g.index()
	return b.g, nil
}

// checkSubprogs reports an error unless the subprograms cover the program in
// order and none is empty.
func checkSubprogs(p *bytecode.Program) error {
	if p.Len() == 0 {
		return ErrEmpty
	}
	if p.Len() > math.MaxInt32/2 {
		return fmt.Errorf("%w: %d slots", ErrTooLarge, p.Len())
	}
	var next bytecode.PC
	for i, s := range p.Subprogs {
		if s.Start != next || s.End <= s.Start || s.End > p.Len() {
			return fmt.Errorf("%w: number %d is [%d, %d)", ErrSubprogs, i, s.Start, s.End)
		}
		next = s.End
	}
	if next != p.Len() {
		return fmt.Errorf("%w: they end at %d of %d slots", ErrSubprogs, next, p.Len())
	}
	return nil
}

// mark holds the builder's notes about a slot.
type mark uint8

const (
	markInsn  mark = 1 << iota // an instruction starts here
	markLead                   // the target of an edge; a leader if an instruction starts here
	markEntry                  // a subprogram starts here
)

// builder is the state of Build.
type builder struct {
	g     *Graph
	p     *bytecode.Program
	t     *Targets
	marks []mark // of each slot

	handler int // subprogram of the exception callback, -1 for none
}

// scan marks the instructions of a subprogram and the targets of its direct control flow. A
// forward jump may lead to a slot that turns out not to start an instruction, so a leader needs
// two marks.
func (b *builder) scan(sub int) {
	s := b.p.Subprogs[sub]
	b.marks[s.Start] |= markEntry | markLead
	for pc := s.Start; pc < s.End; pc += b.p.Insns[pc].Slots() {
		b.marks[pc] |= markInsn
		f := b.p.Flow(pc)
		switch f.Kind {
		case bytecode.FlowNext:
			continue
		case bytecode.FlowFuncAddr:
			b.checkCallee(pc, f.Callee)
			continue
		case bytecode.FlowHelper:
			if !throws(b.p, pc) && len(b.t.Of(pc)) == 0 && !b.padded(pc) {
				continue
			}
		case bytecode.FlowCall:
			b.checkCallee(pc, f.Callee)
		case bytecode.FlowGoto, bytecode.FlowCond, bytecode.FlowKey:
			if f.Target >= s.Start && f.Target < s.End {
				b.marks[f.Target] |= markLead
			}
		}
		if pad, ok := b.p.PadOf(pc); ok && pad >= s.Start && pad < s.End {
			b.marks[pad] |= markLead
		}
		if f.Next < s.End {
			b.marks[f.Next] |= markLead
		}
	}
}

// padded reports whether the call at pc has a landing pad.
func (b *builder) padded(pc bytecode.PC) bool {
	_, ok := b.p.PadOf(pc)
	return ok
}

// checkCallee lists a callee that is not the entry of a subprogram as a problem.
func (b *builder) checkCallee(pc, callee bytecode.PC) {
	if i := b.p.SubprogAt(callee); i < 0 || b.p.Subprogs[i].Start != callee {
		b.problem(BadCallee, pc, callee)
	}
}

// throws reports whether the instruction at pc calls bpf_throw and no unwind_goto follows it.
// Control does not continue after such a call.
func throws(p *bytecode.Program, pc bytecode.PC) bool {
	if !p.Insns[pc].IsKfuncCall() || p.Caught(pc) {
		return false
	}
	ref, ok := p.RefAt(pc)
	return ok && ref.Kind == bytecode.RefKfunc && ref.Name == throwKfunc
}

// addTargets marks the leaders that come from Targets.
func (b *builder) addTargets() {
	for _, pc := range b.t.PCs() {
		for _, to := range b.t.Of(pc) {
			if why := b.refuse(pc, to); why != "" {
				b.g.BadTargets = append(b.g.BadTargets, BadTarget{pc, to, why})
			} else {
				b.marks[to] |= markLead
			}
		}
	}
}

// refuse returns why an instruction cannot lead to a target of Targets, or "" if it can.
func (b *builder) refuse(pc, to bytecode.PC) string {
	if pc < 0 || pc >= b.p.Len() || b.marks[pc]&markInsn == 0 {
		return "no instruction leads there"
	}
	kind := b.p.Flow(pc).Kind
	switch {
	case kind != bytecode.FlowIndirect && kind != bytecode.FlowCallx && kind != bytecode.FlowHelper, throws(b.p, pc):
		return "the instruction is no indirect jump, indirect call or helper call"
	case to < 0 || to >= b.p.Len():
		return "outside the program"
	case b.marks[to]&markInsn == 0:
		return "second slot of a 64-bit immediate load"
	case kind != bytecode.FlowIndirect && b.marks[to]&markEntry == 0:
		return "no subprogram starts there"
	}
	return ""
}

// tile cuts the program into blocks.
func (b *builder) tile() {
	g, n := b.g, 0
	for _, m := range b.marks {
		if m&(markInsn|markLead) == markInsn|markLead {
			n++
		}
	}
	g.Blocks = make([]Block, 0, n)
	g.blockOf = make([]BlockID, len(b.marks))
	g.insn = make([]uint64, (len(b.marks)+63)/64)
	g.entries = make([]BlockID, len(b.p.Subprogs))
	for sub, s := range b.p.Subprogs {
		g.entries[sub] = BlockID(len(g.Blocks))
		for pc := s.Start; pc < s.End; pc++ {
			m := b.marks[pc]
			if m&(markInsn|markLead) == markInsn|markLead {
				g.Blocks = append(g.Blocks, Block{Start: pc, Sub: sub})
			}
			last := len(g.Blocks) - 1
			g.blockOf[pc] = BlockID(last)
			g.Blocks[last].End = pc + 1
			if m&markInsn != 0 {
				g.Blocks[last].Last = pc
				g.insn[pc>>6] |= 1 << (pc & 63)
			}
		}
	}
	g.edges = make([]Edge, 0, 2*n)
}

// link adds the edges of a block in the order that Succs promises.
func (b *builder) link(id BlockID) {
	pc := b.g.Blocks[id].Last
	f := b.p.Flow(pc)
	switch f.Kind {
	case bytecode.FlowNext, bytecode.FlowFuncAddr:
		b.next(id, FallThrough, f.Next)
	case bytecode.FlowGoto:
		b.jump(id, Goto, f.Target)
	case bytecode.FlowCond, bytecode.FlowKey:
		b.next(id, FallThrough, f.Next)
		b.jump(id, JumpKind(b.p.Insns[pc]), f.Target)
	case bytecode.FlowIndirect:
		b.targets(id, Indirect)
	case bytecode.FlowCall:
		b.next(id, Return, f.Next)
		if f.Callee >= 0 && f.Callee < b.p.Len() && b.marks[f.Callee]&markEntry != 0 {
			b.edge(id, Call, f.Callee)
		}
	case bytecode.FlowCallx:
		b.next(id, Return, f.Next)
		b.targets(id, Call)
	case bytecode.FlowHelper:
		if throws(b.p, pc) {
			b.exception(id)
			break
		}
		b.next(id, FallThrough, f.Next)
		b.targets(id, Callback)
	case bytecode.FlowExit:
	default:
		panic(fmt.Sprintf("bug: control flow %d at %d", f.Kind, pc))
	}
	if pad, ok := b.p.PadOf(pc); ok {
		b.jump(id, Unwind, pad)
	}
}

// JumpKind returns the kind of edge that a jump of kind bytecode.FlowCond has when it
// is taken.
func JumpKind(in bytecode.Insn) Kind {
	if in.IsUnwindGoto() {
		return Unwind
	}
	return Taken
}

// edge adds an edge from the end of a block to the block that starts at to.
func (b *builder) edge(from BlockID, kind Kind, to bytecode.PC) {
	b.g.edges = append(b.g.edges, Edge{from, b.g.blockOf[to], kind})
}

// next adds the edge to the slot after a block.
func (b *builder) next(id BlockID, kind Kind, to bytecode.PC) {
	blk := &b.g.Blocks[id]
	end := b.p.Subprogs[blk.Sub].End
	switch {
	case to > end:
		b.problem(CutLoad, blk.Last, to)
	case to == end:
		b.problem(FallsOff, blk.Last, to)
	default:
		b.edge(id, kind, to)
	}
}

// jump adds the edge of a direct jump.
func (b *builder) jump(id BlockID, kind Kind, to bytecode.PC) {
	blk := &b.g.Blocks[id]
	s := &b.p.Subprogs[blk.Sub]
	switch {
	case to < s.Start || to >= s.End:
		b.problem(JumpOutOfRange, blk.Last, to)
	case b.marks[to]&markInsn == 0:
		b.problem(JumpMidLoad, blk.Last, to)
	default:
		b.edge(id, kind, to)
	}
}

// targets adds the edges that come from Targets.
func (b *builder) targets(id BlockID, kind Kind) {
	pc := b.g.Blocks[id].Last
	for _, to := range b.t.Of(pc) {
		if b.refuse(pc, to) == "" {
			b.edge(id, kind, to)
		}
	}
}

// exception adds the edge from a call of bpf_throw to the exception callback. A program without a
// callback ends at the call and returns the cookie.
func (b *builder) exception(id BlockID) {
	if b.handler >= 0 {
		b.edge(id, Exception, b.p.Subprogs[b.handler].Start)
	}
}

// problem lists an impossible edge.
func (b *builder) problem(kind ProblemKind, pc, to bytecode.PC) {
	b.g.Problems = append(b.g.Problems, Problem{pc, kind, problemText(kind, pc, to)})
}
