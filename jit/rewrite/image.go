package rewrite

import (
	"fmt"
	"math"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/cilium/ebpf/asm"
)

// marks are facts about one slot that travel with it through the passes, as
// struct bpf_insn_aux_data does in the kernel.
type marks uint32

const (
	markSeen        marks = 1 << iota // can execute
	markIndirect                      // a gotox was followed to it
	markSecond                        // second slot of a 64-bit immediate load
	markPatched                       // written by a patch
	markUnpredicted                   // the kernel may have something else here
	markMaybe                         // it is not proven that it can execute
	markSure                          // the accessed memory (slot.to) is proven
	markZext                          // 64-bit arithmetic on an arena pointer
	markBarrierPre                    // speculation stops before it
	markBarrierPost                   // speculation stops after it
	markHidden                        // immediate that only the running kernel knows
	markLocal                         // while building: target is a slot of the same patch
	markNew                           // while building: target counts slots of the new image
	markPending                       // a part of the source instruction is unknown until load
)

// none is the target of a slot without one, the ref of a slot without one, and
// the orig of a slot that belongs to no source instruction.
const none = -1

// slot is one instruction slot on its way through the passes.
type slot struct {
	in bytecode.Insn
	// target is the slot of the same image that a jump, a subprogram call or a
	// function address leads to. While it is set, the distance in the
	// instruction's own fields has no meaning.
	target int32
	orig   int32 // source slot
	ref    int32 // index in image.refs
	marks  marks
	to     Memory // what an access goes to
}

// function is a subprogram on its way through the passes.
type function struct {
	start      int32 // first slot
	source     int   // index of the source subprogram, none when there is none
	hidden     bool  // appended by the verifier
	stackDepth int   // bytes
	stackExtra int   // bytes that may_goto needs
	unsure     bool  // stackDepth is not proven
	stackArgs  int   // slots of outgoing stack arguments
}

// image is a program between two passes. A pass makes a new image and leaves
// the old one alone.
//
// Jumps are kept as target slots, not distances, so that a pass corrects each once, however many
// slots it inserts and removes. The kernel patches one instruction at a time and corrects all distances each time
// (kernel/bpf/core.c bpf_adj_branches); the result is the same.
type image struct {
	slots []slot
	funcs []function // by start
	refs  []bytecode.Ref
	// entries holds the slot of each entry of each instruction array, none for
	// a deleted one. The last list is no array of the program: it has the slot
	// of each source slot, because line records and instruction arrays move by
	// the same rule.
	entries [][]int32
}

// maxStack is the most stack that a function may use, in bytes (MAX_BPF_STACK).
const maxStack = 512

// firstImage turns a source program into an image. It refuses programs that no kernel would have
// accepted, as far as the rewrites notice.
func firstImage(p *bytecode.Program, f Facts) (*image, error) {
	n := len(p.Insns)
	if n == 0 || n > math.MaxInt32/64 {
		return nil, fmt.Errorf("program has %d slots", n)
	}
	im := &image{slots: make([]slot, n), refs: p.Refs}
	for pc := 0; pc < n; pc++ {
		in := p.Insns[pc]
		im.slots[pc] = slot{in: in, target: none, orig: int32(pc), ref: none}
		if p.PendingAt(bytecode.PC(pc)) != 0 {
			im.slots[pc].marks = markPending
		}
		if !in.IsWide() {
			continue
		}
		if pc+1 == n || p.Insns[pc+1].Code != bytecode.CodeInvalid {
			return nil, fmt.Errorf("slot %d: 64-bit immediate load without its second slot", pc)
		}
		pc++
		im.slots[pc] = slot{in: p.Insns[pc], target: none, orig: int32(pc), ref: none, marks: markSecond}
	}
	if err := im.resolve(p); err != nil {
		return nil, err
	}
	if err := im.setMarks(f); err != nil {
		return nil, err
	}
	if err := im.setFuncs(p, f); err != nil {
		return nil, err
	}
	if err := im.setEntries(p); err != nil {
		return nil, err
	}
	return im, im.setRefs(p)
}

// resolve sets the target of every slot that has one.
func (im *image) resolve(p *bytecode.Program) error {
	for pc := range im.slots {
		s := &im.slots[pc]
		if s.marks&markSecond != 0 {
			continue
		}
		flow := p.Flow(bytecode.PC(pc))
		var to bytecode.PC
		switch flow.Kind {
		case bytecode.FlowGoto, bytecode.FlowCond:
			to = flow.Target
		case bytecode.FlowCall, bytecode.FlowFuncAddr:
			to = flow.Callee
		case bytecode.FlowKey:
			return fmt.Errorf("slot %d: no kernel takes static keys", pc)
		default:
			continue
		}
		if to < 0 || int(to) >= len(im.slots) {
			return fmt.Errorf("slot %d: target %d is outside the program", pc, to)
		}
		if im.slots[to].marks&markSecond != 0 {
			return fmt.Errorf("slot %d: target %d is inside a 64-bit immediate load", pc, to)
		}
		s.target = int32(to)
	}
	return nil
}

// setFuncs copies the subprograms. A program without any is one function.
func (im *image) setFuncs(p *bytecode.Program, f Facts) error {
	if len(p.Subprogs) == 0 {
		im.funcs = []function{{start: 0, source: none}}
	}
	for i, s := range p.Subprogs {
		start := bytecode.PC(0)
		if i > 0 {
			start = p.Subprogs[i-1].End
		}
		if s.Start != start || s.End <= s.Start || int(s.End) > len(im.slots) {
			return fmt.Errorf("subprogram %d covers slots %d to %d", i, s.Start, s.End)
		}
		im.funcs = append(im.funcs, function{start: int32(s.Start), source: i})
	}
	if k := len(p.Subprogs); k > 0 && int(p.Subprogs[k-1].End) != len(im.slots) {
		return fmt.Errorf("slots from %d belong to no subprogram", p.Subprogs[k-1].End)
	}
	if err := im.setStacks(f.Stack); err != nil {
		return err
	}
	for pc := range im.slots {
		s := &im.slots[pc]
		if s.target != none && isCallLike(s.in) && im.funcs[im.funcAt(s.target)].start != s.target {
			return fmt.Errorf("slot %d: no subprogram starts at %d", pc, s.target)
		}
	}
	return nil
}

// setStacks copies the facts about the stacks of subprograms.
func (im *image) setStacks(facts []StackFact) error {
	if facts != nil && len(facts) != len(im.funcs) {
		return fmt.Errorf("%d stack depths for %d subprograms", len(facts), len(im.funcs))
	}
	for i := range im.funcs {
		f := &im.funcs[i]
		if f.stackDepth, f.unsure = im.directDepth(i), true; facts != nil {
			f.stackDepth, f.unsure = facts[i].Depth, !facts[i].Certain
		}
		if f.stackDepth < 0 || f.stackDepth > maxStack {
			return fmt.Errorf("subprogram %d: stack depth of %d bytes", i, f.stackDepth)
		}
	}
	return nil
}

// directDepth returns how deep the instructions of a function that name r10
// as their base reach into the stack: a lower bound of what the verifier
// finds, which follows copies of r10 and helper arguments too.
func (im *image) directDepth(fn int) int {
	depth := 0
	for i := im.funcs[fn].start; i < im.end(fn); i++ {
		in := im.slots[i].in
		if im.slots[i].marks&markSeen == 0 || im.slots[i].marks&markSecond != 0 {
			continue
		}
		base := in.Dst
		switch in.Class() {
		case asm.LdXClass:
			base = in.Src
		case asm.StClass, asm.StXClass:
		default:
			continue
		}
		if base == bytecode.R10 {
			depth = max(depth, -int(in.Off))
		}
	}
	return depth
}

// setEntries copies the instruction arrays and adds the list of all source slots (image.entries).
func (im *image) setEntries(p *bytecode.Program) error {
	for t, table := range p.Tables {
		list := make([]int32, len(table.Targets))
		for e, to := range table.Targets {
			if to < 0 || int(to) >= len(im.slots) || im.slots[to].marks&markSecond != 0 {
				return fmt.Errorf("table %d, entry %d: no instruction starts at slot %d", t, e, to)
			}
			list[e] = int32(to)
		}
		im.entries = append(im.entries, list)
	}
	all := make([]int32, len(im.slots))
	for i := range all {
		all[i] = int32(i)
	}
	im.entries = append(im.entries, all)
	return nil
}

// setMarks spreads the facts over the slots.
func (im *image) setMarks(f Facts) error {
	n := len(im.slots)
	if f.Seen != nil && len(f.Seen) != n || f.IndirectTarget != nil && len(f.IndirectTarget) != n {
		return fmt.Errorf("facts about %d and %d slots for a program of %d",
			len(f.Seen), len(f.IndirectTarget), n)
	}
	for i := range im.slots {
		s := &im.slots[i]
		first := i
		if s.marks&markSecond != 0 {
			first = i - 1
		}
		if f.Seen == nil || f.Seen[first] != cfg.No {
			s.marks |= markSeen
		}
		if f.Seen != nil && f.Seen[first] == cfg.Maybe {
			s.marks |= markMaybe | markUnpredicted
		}
		if f.IndirectTarget != nil && f.IndirectTarget[i] != cfg.No {
			s.marks |= markIndirect
			if f.IndirectTarget[i] == cfg.Maybe {
				s.marks |= markUnpredicted
			}
		}
	}
	return im.setAccesses(f)
}

// markVariables marks loads of addresses of typed kernel variables: a per-CPU one has a
// shorter form, and which ones are per-CPU is not known here.
func (im *image) markVariables() {
	for i := range im.slots {
		if s := &im.slots[i]; s.isVariable() {
			s.marks |= markUnpredicted
		}
	}
}

// isVariable reports whether a slot that the verifier reaches loads the address of a kernel
// variable.
func (s slot) isVariable() bool {
	return s.in.IsWide() && s.in.Src == bytecode.LdBTFID && s.marks&markSeen != 0
}

// setAccesses marks the listed slots.
func (im *image) setAccesses(f Facts) error {
	at := func(pc bytecode.PC) (*slot, error) {
		if pc < 0 || int(pc) >= len(im.slots) {
			return nil, fmt.Errorf("access at slot %d of a program of %d", pc, len(im.slots))
		}
		return &im.slots[pc], nil
	}
	for _, a := range f.Accesses {
		s, err := at(a.PC)
		if err != nil {
			return err
		}
		if s.to = a.To; a.Certain {
			s.marks |= markSure
		}
	}
	for _, a := range f.ArenaArith {
		s, err := at(a.PC)
		if err != nil {
			return err
		}
		if s.marks |= markZext; !a.Certain {
			s.marks |= markUnpredicted
		}
	}
	for _, pc := range f.BarrierBefore {
		s, err := at(pc)
		if err != nil {
			return err
		}
		s.marks |= markBarrierPre
	}
	for _, pc := range f.BarrierAfter {
		s, err := at(pc)
		if err != nil {
			return err
		}
		s.marks |= markBarrierPost
	}
	return nil
}

// setRefs links each slot with its reference.
func (im *image) setRefs(p *bytecode.Program) error {
	for i, r := range p.Refs {
		if r.PC < 0 || int(r.PC) >= len(im.slots) {
			return fmt.Errorf("reference at slot %d of a program of %d", r.PC, len(im.slots))
		}
		switch r.Kind {
		case bytecode.RefMap, bytecode.RefMapValue:
			if r.Index < 0 || r.Index >= len(p.Maps) {
				return fmt.Errorf("slot %d: reference to map %d of %d", r.PC, r.Index, len(p.Maps))
			}
		case bytecode.RefTable, bytecode.RefTableMap:
			if r.Index < 0 || r.Index >= len(p.Tables) {
				return fmt.Errorf("slot %d: reference to table %d of %d", r.PC, r.Index, len(p.Tables))
			}
		}
		im.slots[r.PC].ref = int32(i)
	}
	return nil
}

// end returns the slot after the last one of a function.
func (im *image) end(fn int) int32 {
	if fn+1 < len(im.funcs) {
		return im.funcs[fn+1].start
	}
	return int32(len(im.slots))
}

// funcAt returns the function that contains a slot.
func (im *image) funcAt(i int32) int {
	lo, hi := 0, len(im.funcs)
	for hi-lo > 1 {
		if mid := (lo + hi) / 2; im.funcs[mid].start <= i {
			lo = mid
		} else {
			hi = mid
		}
	}
	return lo
}

// clone returns a copy whose slots and functions may be changed in place.
func (im *image) clone() *image {
	c := *im
	c.slots = append([]slot(nil), im.slots...)
	c.funcs = append([]function(nil), im.funcs...)
	return &c
}

// refAt returns the reference of a slot.
func (im *image) refAt(s slot) (bytecode.Ref, bool) {
	if s.ref == none {
		return bytecode.Ref{}, false
	}
	return im.refs[s.ref], true
}

// isCondJump reports whether the instruction is a conditional jump, may_goto
// among them (kernel/bpf/fixups.c bpf_insn_is_cond_jump, Linux 7.3).
func isCondJump(in bytecode.Insn) bool {
	switch in.Class() {
	case asm.Jump32Class:
		return in.JumpOp() != asm.Ja
	case asm.JumpClass:
		return in.JumpOp() != asm.Ja && in.JumpOp() != asm.Exit && in.JumpOp() != asm.Call &&
			in.Code != bytecode.CodeTailCall
	}
	return false
}

// isCallLike reports whether the target of the instruction is a function: it
// calls one or loads the address of one.
func isCallLike(in bytecode.Insn) bool {
	return in.Code == bytecode.CodeCall || in.IsWide()
}

// toPC converts a slot of the last image, or none.
func toPC(i int32) bytecode.PC {
	if i == none {
		return jit.Deleted
	}
	return bytecode.PC(i)
}
