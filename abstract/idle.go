package abstract

import (
	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/abstract/calls"
	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// A slot of the stack is idle at an instruction if from there on nothing reads it before it is
// overwritten, neither through a pointer that the program has made of r10 nor in a call. The two
// halves of a slot are followed separately, because a key of four bytes is stored in one.
//
// Source: kernel/bpf/liveness.c, Linux 7.3; earlier kernels find this out while they follow paths.

// regFact is what is known of a register: above all, whether it may point to its own frame.
type regFact struct {
	kind regKind
	n    int64 // the offset from the frame's top, the constant, the map's number
}

// regKind distinguishes what a register holds.
type regKind uint8

const (
	regOther      regKind = iota // anything but a pointer to the own frame
	regConst                     // a constant
	regMap                       // a map
	regFrame                     // to the own frame, at a known offset
	regMaybeFrame                // perhaps to the own frame
)

// maybeFrame reports whether the register may point to the own frame.
func (p regFact) maybeFrame() bool { return p.kind >= regFrame }

// join returns the facts about a register that is one or the other.
func (p regFact) join(q regFact) regFact {
	switch {
	case p == q:
		return p
	case p.maybeFrame() || q.maybeFrame():
		return regFact{kind: regMaybeFrame}
	}
	return regFact{}
}

// regFacts holds the facts about registers, and about slots of the frame that hold a pointer to
// it.
type regFacts struct {
	regs   [numRegs]regFact
	spills [maxSpills]spilledPointer
}

// maxSpills bounds the slots that hold a pointer to their frame.
const maxSpills = 4

// spilledPointer is a slot with a pointer to its frame; no slot has number 0.
type spilledPointer struct {
	num int64
	at  regFact
}

// spilled returns the facts about a slot.
func (k *regFacts) spilled(num int64) regFact {
	for _, s := range k.spills {
		if s.num == num && num != 0 {
			return s.at
		}
	}
	return regFact{}
}

// spill sets the facts about a slot, and reports whether there is room for it.
func (k *regFacts) spill(num int64, p regFact) bool {
	free := -1
	for i := range k.spills {
		s := &k.spills[i]
		switch {
		case s.num == num && !p.maybeFrame():
			*s = spilledPointer{}
			return true
		case s.num == num:
			s.at = p
			return true
		case s.num == 0:
			free = i
		}
	}
	if !p.maybeFrame() {
		return true
	}
	if free < 0 {
		return false
	}
	k.spills[free] = spilledPointer{num, p}
	return true
}

// blur makes each slot that holds a pointer to the frame a slot that perhaps does.
func (k *regFacts) blur() {
	for i := range k.spills {
		if k.spills[i].num != 0 {
			k.spills[i].at = regFact{kind: regMaybeFrame}
		}
	}
}

// store notes the store of a value through a register, from offset lo to hi of its target. It
// reports whether the slot of a possible pointer to the frame is known.
func (k *regFacts) store(base, val regFact, lo, hi int64) bool {
	switch lo, hi = lo+base.n, hi+base.n; {
	case base.kind == regMaybeFrame:
		k.blur()
	case base.kind != regFrame:
	case val.maybeFrame():
		return lo&7 == 0 && hi-lo == 8 && lo < 0 && lo >= -stackSize && k.spill(-lo/8, val)
	default:
		for at := max(lo, -stackSize) &^ 7; at < min(hi, 0); at += 8 {
			k.spill(-at/8, regFact{})
		}
	}
	return !val.maybeFrame()
}

// load returns the facts about a value that is loaded through a register.
func (k *regFacts) load(base regFact, lo, hi int64) regFact {
	any := regFact{kind: regMaybeFrame}
	switch lo, hi = lo+base.n, hi+base.n; {
	case base.kind == regMaybeFrame && k.spills != [maxSpills]spilledPointer{}:
		return any
	case base.kind != regFrame:
	case lo&7 == 0 && hi-lo == 8 && lo < 0:
		return k.spilled(-lo / 8)
	default:
		for at := max(lo, -stackSize) &^ 7; at < min(hi, 0); at += 8 {
			if k.spilled(-at / 8).maybeFrame() {
				return any
			}
		}
	}
	return regFact{}
}

// join joins the facts with others, and reports whether there is room for all slots.
func (k *regFacts) join(o *regFacts) bool {
	for r := range k.regs {
		k.regs[r] = k.regs[r].join(o.regs[r])
	}
	room := true
	for _, s := range o.spills {
		if s.num != 0 {
			room = k.spill(s.num, k.spilled(s.num).join(s.at)) && room
		}
	}
	for i := range k.spills {
		if s := &k.spills[i]; s.num != 0 {
			s.at = s.at.join(o.spilled(s.num))
		}
	}
	return room
}

// frameUse holds, for the lower and the upper halves of slots (by address), which an instruction
// may read and which it overwrites.
type frameUse struct{ reads, kills [2]slotSet }

var readsAll = frameUse{reads: [2]slotSet{allSlots, allSlots}}

// read adds the halves with bytes from lo to before hi, offsets from the frame's top.
func (u *frameUse) read(lo, hi int64) {
	for at := max(lo, -stackSize) &^ 3; at < min(hi, 0); at += 4 {
		u.reads[at>>2&1] |= 1 << (slotNum(at) - 1)
	}
}

// kill adds the halves all of whose bytes lie from lo to before hi.
func (u *frameUse) kill(lo, hi int64) {
	for at := (max(lo, -stackSize) + 3) &^ 3; at+4 <= min(hi, 0); at += 4 {
		u.kills[at>>2&1] |= 1 << (slotNum(at) - 1)
	}
}

// idler finds out which slots are idle.
type idler struct {
	p         *bytecode.Program
	g         *cfg.Graph
	in        []*regFacts // of each block, nil for those that nothing leads to
	uses      []frameUse  // of each instruction
	untracked []bool      // of each subprogram: a pointer to its frame is in a place that is not followed
}

// newIdler returns an idler for the program of a graph.
func newIdler(g *cfg.Graph) *idler {
	p := g.Program
	return &idler{p: p, g: g, in: make([]*regFacts, g.NumBlocks()), uses: make([]frameUse, p.Len()),
		untracked: make([]bool, len(p.Subprogs))}
}

// idleSlots returns for each instruction the slots of its frame that are idle there.
func idleSlots(g *cfg.Graph) []slotSet {
	p := g.Program
	d := newIdler(g)
	d.follow()
	order := allBlocks(g, cfg.ReversePostorder(g))
	idle := make([]slotSet, p.Len())
	for half := range 2 {
		live := backward(g, order, allSlots, func(b cfg.BlockID, out slotSet) slotSet {
			d.backwards(b, half, out, func(_ bytecode.PC, live slotSet) { out = live })
			return out
		})
		for b := range g.Blocks {
			d.backwards(cfg.BlockID(b), half, liveOut(g, cfg.BlockID(b), live, allSlots),
				func(pc bytecode.PC, live slotSet) {
					if half == 0 {
						idle[pc] = ^live
					} else {
						idle[pc] &^= live
					}
				})
		}
	}
	return idle
}

// backwards yields, from the last instruction of a block to the first, the slots of which a half
// may be read from there on.
func (d *idler) backwards(b cfg.BlockID, half int, live slotSet, yield func(bytecode.PC, slotSet)) {
	blk := &d.g.Blocks[b]
	for pc := blk.Last; pc >= blk.Start; pc-- {
		switch u := &d.uses[pc]; {
		case !d.g.InsnAt(pc):
			continue
		case d.in[b] == nil || d.untracked[blk.Sub]:
			live = allSlots
		default:
			live = live&^u.kills[half] | u.reads[half]
		}
		yield(pc, live)
	}
}

// follow computes the facts about registers in all functions.
func (d *idler) follow() {
	var todo []cfg.BlockID
	for sub := range d.p.Subprogs {
		if b, ok := d.g.BlockAt(d.p.Subprogs[sub].Start); ok {
			d.in[b] = new(regFacts)
			d.in[b].regs[bytecode.R10].kind = regFrame
			todo = append(todo, b)
		}
	}
	for len(todo) > 0 {
		b := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		out := d.block(b)
		for _, e := range d.g.Succs(b) {
			if d.g.Local(e) && d.enter(e.To, &out) {
				todo = append(todo, e.To)
			}
		}
	}
}

// enter joins registers with those at the start of a block, and reports whether that changes them.
func (d *idler) enter(b cfg.BlockID, regs *regFacts) bool {
	if d.in[b] == nil {
		in := *regs
		d.in[b] = &in
		return true
	}
	old := *d.in[b]
	if !d.in[b].join(regs) {
		d.untracked[d.g.Blocks[b].Sub] = true
	}
	return old != *d.in[b]
}

// block notes the slots that the instructions of a block use, and returns the registers after it.
func (d *idler) block(b cfg.BlockID) regFacts {
	blk := &d.g.Blocks[b]
	regs := *d.in[b]
	for pc := blk.Start; pc < blk.End; pc++ {
		if d.g.InsnAt(pc) {
			d.uses[pc] = d.insn(pc, &regs, blk.Sub)
		}
	}
	return regs
}

// at returns the facts about a register.
func (k *regFacts) at(r bytecode.Reg) regFact {
	if r < numRegs {
		return k.regs[r]
	}
	return regFact{}
}

// set sets the facts about a register.
func (k *regFacts) set(r bytecode.Reg, p regFact) {
	if r < numRegs {
		k.regs[r] = p
	}
}

// insn applies an instruction to the facts about registers, and returns its use of the frame.
func (d *idler) insn(pc bytecode.PC, k *regFacts, sub int) (u frameUse) {
	in := d.p.Insns[pc]
	dst, src := k.at(in.Dst), k.at(in.Src)
	lo := int64(in.Off)
	hi := lo + int64(in.AccessBytes())
	switch in.Class() {
	case asm.LdClass:
		if !in.IsWide() {
			clear(k.regs[:bytecode.R6])
			return readsAll
		}
		k.set(in.Dst, regFact{})
		if ref, ok := d.p.RefAt(pc); ok && ref.Kind == bytecode.RefMap {
			k.set(in.Dst, regFact{regMap, int64(ref.Index)})
		}
	case asm.LdXClass:
		k.set(in.Dst, k.load(src, lo, hi))
		return src.reads(lo, hi)
	case asm.StClass:
		k.store(dst, regFact{}, lo, hi)
		return dst.stores(lo, hi)
	case asm.StXClass:
		if in.Mode() == asm.AtomicMode {
			return d.atomic(in, k, sub)
		}
		d.untracked[sub] = !k.store(dst, src, lo, hi) || d.untracked[sub]
		return dst.stores(lo, hi)
	case asm.ALUClass, asm.ALU64Class:
		k.set(in.Dst, aluFact(in, dst, src))
	default:
		return d.jump(pc, k, sub)
	}
	return u
}

// atomic is insn for atomic operations.
func (d *idler) atomic(in bytecode.Insn, k *regFacts, sub int) frameUse {
	dst, src := k.at(in.Dst), k.at(in.Src)
	lo := int64(in.Off)
	hi := lo + int64(in.AccessBytes())
	if in.Imm == atomicLoadAcq {
		k.set(in.Dst, k.load(src, lo, hi))
		return src.reads(lo, hi)
	}
	d.untracked[sub] = d.untracked[sub] || src.maybeFrame() || k.load(dst, lo, hi).maybeFrame() ||
		in.Imm == atomicCmpXchg && k.regs[bytecode.R0].maybeFrame()
	if in.Imm&atomicFetch != 0 && in.Imm != atomicStoreRel {
		k.set(in.Src, regFact{})
		k.regs[bytecode.R0] = regFact{}
	}
	return dst.reads(lo, hi)
}

// reads returns the use of a load through a register, at offsets from its target.
func (p regFact) reads(lo, hi int64) (u frameUse) {
	switch p.kind {
	case regFrame:
		u.read(p.n+lo, p.n+hi)
	case regMaybeFrame:
		return readsAll
	}
	return u
}

// stores is reads for a store.
func (p regFact) stores(lo, hi int64) (u frameUse) {
	if p.kind == regFrame {
		u.kill(p.n+lo, p.n+hi)
	}
	return u
}

// aluFact returns the facts about the result of an ALU operation.
func aluFact(in bytecode.Insn, dst, src regFact) regFact {
	const far = 1 << 20 // no offset within a frame goes there
	wide := in.Class() == asm.ALU64Class
	by := src
	if in.Source() != asm.RegSource {
		by = regFact{regConst, int64(in.Imm)}
		if !wide {
			by.n = int64(uint32(in.Imm))
		}
	}
	switch op := in.ALUOp(); {
	case op == asm.Mov && wide && in.Off == 0:
		return by
	case op == asm.Mov && !by.maybeFrame():
		if in.Source() != asm.RegSource {
			return by
		}
		return regFact{}
	case op == asm.Mov:
		return regFact{kind: regMaybeFrame}
	case op == asm.Add && wide && dst.kind == regFrame && by.kind == regConst && max(by.n, -by.n) < far &&
		max(dst.n, -dst.n) < far:
		return regFact{regFrame, dst.n + by.n}
	case dst.maybeFrame() || by.maybeFrame() && (op != asm.Neg && op != asm.Swap):
		return regFact{kind: regMaybeFrame}
	}
	return regFact{}
}

// jump is insn for jumps and calls.
func (d *idler) jump(pc bytecode.PC, k *regFacts, sub int) (u frameUse) {
	in := d.p.Insns[pc]
	switch f := d.p.Flow(pc); f.Kind {
	case bytecode.FlowHelper:
		u = d.call(calleeAt(d.p, pc), k)
	case bytecode.FlowCall, bytecode.FlowCallx:
		for r := bytecode.R1; r <= bytecode.R5; r++ {
			if k.regs[r].maybeFrame() {
				u = readsAll
				k.blur()
			}
		}
	case bytecode.FlowIndirect:
		b, _ := d.g.BlockAt(pc)
		lo, hi := d.g.SuccIDs(b)
		d.untracked[sub] = d.untracked[sub] || k.at(in.Dst).maybeFrame() || lo == hi
		return u
	default:
		return u
	}
	result := regFact{}
	for r := bytecode.R1; r <= bytecode.R5; r++ {
		if k.regs[r].maybeFrame() && !in.IsHelperCall() {
			result.kind = regMaybeFrame
		}
	}
	clear(k.regs[:bytecode.R6])
	k.regs[bytecode.R0] = result
	return u
}

// call returns the use of a call of a helper or kernel function.
func (d *idler) call(h callee, k *regFacts) (u frameUse) {
	for i := range min(h.Params, 5) {
		p := k.regs[bytecode.R1+bytecode.Reg(i)]
		switch {
		case !p.maybeFrame():
			continue
		case p.kind == regMaybeFrame || !h.known || h.calls || h.callback != 0:
			k.blur() // a function that is called back may store other pointers
			return readsAll
		case h.Args[i].Use != calls.Read && h.Args[i].Use != calls.Write:
			return readsAll
		}
		n := d.size(h, i, k)
		if n < 0 || n > stackSize { // anything up to the end
			u.read(p.n, 0)
			continue
		}
		if i == 0 && fills(h) && h.Args[i].Size == calls.Next {
			u.kill(p.n, p.n+n)
			continue
		}
		u.read(p.n, p.n+n)
	}
	for half := range u.kills {
		u.kills[half] &^= u.reads[half]
	}
	return u
}

// fills reports whether a helper overwrites all of the memory in its first argument without reading
// it, whatever it returns: of type ARG_PTR_TO_UNINIT_MEM.
//
// Source: kernel/trace/bpf_trace.c, kernel/bpf/helpers.c, Linux 6.1 to 7.3.
func fills(h callee) bool {
	switch h.helper {
	case 4, 16, 45, 112, 113, 114, 115: // probe_read, get_current_comm, probe_read_str and the others
		return true
	}
	return false
}

// size returns how many bytes an argument of a call leads to, -1 if that is not known.
func (d *idler) size(h callee, i int, k *regFacts) int64 {
	switch size := h.Args[i].Size; size {
	case calls.Unknown:
	case calls.Next:
		if n := k.regs[bytecode.R2+bytecode.Reg(i)]; i < 4 && n.kind == regConst && n.n >= 0 {
			return n.n
		}
	case calls.MapKey, calls.MapValue:
		for r := bytecode.R1; r < bytecode.R1+bytecode.Reg(i); r++ {
			m := k.regs[r]
			if m.kind != regMap || m.n < 0 || m.n >= int64(len(d.p.Maps)) {
				continue
			}
			if n := d.p.Maps[m.n].KeySize; size == calls.MapKey && n > 0 {
				return int64(n)
			}
			return -1
		}
	default:
		return int64(size)
	}
	return -1
}
