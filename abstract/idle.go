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

// pointed holds the facts about a register that may point to its own frame.
type pointed struct {
	kind pointedKind
	n    int64 // the offset from the frame's top, the constant, the map's number
}

// pointedKind is the kind of a pointed.
type pointedKind uint8

const (
	pointsElse  pointedKind = iota // anything but a pointer to the own frame
	pointsConst                    // a constant
	pointsMap                      // a map
	pointsFrame                    // to the own frame, at a known offset
	pointsAny                      // perhaps to the own frame
)

// frame reports whether the register may point to the own frame.
func (p pointed) frame() bool { return p.kind >= pointsFrame }

// join returns the facts about a register that is one or the other.
func (p pointed) join(q pointed) pointed {
	switch {
	case p == q:
		return p
	case p.frame() || q.frame():
		return pointed{kind: pointsAny}
	}
	return pointed{}
}

// regsPointed holds the facts about registers, and about slots of the frame that hold a pointer to
// it.
type regsPointed struct {
	regs   [numRegs]pointed
	spills [maxSpills]spilledFrame
}

// maxSpills bounds the slots that hold a pointer to their frame.
const maxSpills = 4

// spilledFrame is a slot with a pointer to its frame; no slot has number 0.
type spilledFrame struct {
	num int64
	at  pointed
}

// spilled returns the facts about a slot.
func (k *regsPointed) spilled(num int64) pointed {
	for _, s := range k.spills {
		if s.num == num && num != 0 {
			return s.at
		}
	}
	return pointed{}
}

// spill sets the facts about a slot, and reports whether there is room for it.
func (k *regsPointed) spill(num int64, p pointed) bool {
	free := -1
	for i := range k.spills {
		s := &k.spills[i]
		switch {
		case s.num == num && !p.frame():
			*s = spilledFrame{}
			return true
		case s.num == num:
			s.at = p
			return true
		case s.num == 0:
			free = i
		}
	}
	if !p.frame() {
		return true
	}
	if free < 0 {
		return false
	}
	k.spills[free] = spilledFrame{num, p}
	return true
}

// blur makes each slot that holds a pointer to the frame a slot that perhaps does.
func (k *regsPointed) blur() {
	for i := range k.spills {
		if k.spills[i].num != 0 {
			k.spills[i].at = pointed{kind: pointsAny}
		}
	}
}

// store notes the store of a value through a register, from offset lo to hi of its target. It
// reports whether the slot of a possible pointer to the frame is known.
func (k *regsPointed) store(base, val pointed, lo, hi int64) bool {
	switch lo, hi = lo+base.n, hi+base.n; {
	case base.kind == pointsAny:
		k.blur()
	case base.kind != pointsFrame:
	case val.frame():
		return lo&7 == 0 && hi-lo == 8 && lo < 0 && lo >= -stackSize && k.spill(-lo/8, val)
	default:
		for at := max(lo, -stackSize) &^ 7; at < min(hi, 0); at += 8 {
			k.spill(-at/8, pointed{})
		}
	}
	return !val.frame()
}

// load returns the facts about a value that is loaded through a register.
func (k *regsPointed) load(base pointed, lo, hi int64) pointed {
	any := pointed{kind: pointsAny}
	switch lo, hi = lo+base.n, hi+base.n; {
	case base.kind == pointsAny && k.spills != [maxSpills]spilledFrame{}:
		return any
	case base.kind != pointsFrame:
	case lo&7 == 0 && hi-lo == 8 && lo < 0:
		return k.spilled(-lo / 8)
	default:
		for at := max(lo, -stackSize) &^ 7; at < min(hi, 0); at += 8 {
			if k.spilled(-at / 8).frame() {
				return any
			}
		}
	}
	return pointed{}
}

// join joins the facts with others, and reports whether there is room for all slots.
func (k *regsPointed) join(o *regsPointed) bool {
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
	p    *bytecode.Program
	g    *cfg.Graph
	in   []*regsPointed // of each block, nil for those that nothing leads to
	uses []frameUse     // of each instruction
	lost []bool         // of each subprogram: a pointer to its frame is in a place that is not followed
}

// idleSlots returns for each instruction the slots of its frame that are idle there.
func idleSlots(g *cfg.Graph) []slotSet {
	p := g.Program
	d := &idler{p: p, g: g, in: make([]*regsPointed, g.NumBlocks()), uses: make([]frameUse, p.Len()),
		lost: make([]bool, len(p.Subprogs))}
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
		case d.in[b] == nil || d.lost[blk.Sub]:
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
			d.in[b] = new(regsPointed)
			d.in[b].regs[bytecode.R10].kind = pointsFrame
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
func (d *idler) enter(b cfg.BlockID, regs *regsPointed) bool {
	if d.in[b] == nil {
		in := *regs
		d.in[b] = &in
		return true
	}
	old := *d.in[b]
	if !d.in[b].join(regs) {
		d.lost[d.g.Blocks[b].Sub] = true
	}
	return old != *d.in[b]
}

// block notes the slots that the instructions of a block use, and returns the registers after it.
func (d *idler) block(b cfg.BlockID) regsPointed {
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
func (k *regsPointed) at(r bytecode.Reg) pointed {
	if r < numRegs {
		return k.regs[r]
	}
	return pointed{}
}

// set sets the facts about a register.
func (k *regsPointed) set(r bytecode.Reg, p pointed) {
	if r < numRegs {
		k.regs[r] = p
	}
}

// insn applies an instruction to the facts about registers, and returns its use of the frame.
func (d *idler) insn(pc bytecode.PC, k *regsPointed, sub int) (u frameUse) {
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
		k.set(in.Dst, pointed{})
		if ref, ok := d.p.RefAt(pc); ok && ref.Kind == bytecode.RefMap {
			k.set(in.Dst, pointed{pointsMap, int64(ref.Index)})
		}
	case asm.LdXClass:
		k.set(in.Dst, k.load(src, lo, hi))
		return src.reads(lo, hi)
	case asm.StClass:
		k.store(dst, pointed{}, lo, hi)
		return dst.stores(lo, hi)
	case asm.StXClass:
		if in.Mode() == asm.AtomicMode {
			return d.atomic(in, k, sub)
		}
		d.lost[sub] = !k.store(dst, src, lo, hi) || d.lost[sub]
		return dst.stores(lo, hi)
	case asm.ALUClass, asm.ALU64Class:
		k.set(in.Dst, pointedBy(in, dst, src))
	default:
		return d.jump(pc, k, sub)
	}
	return u
}

// atomic is insn for atomic operations.
func (d *idler) atomic(in bytecode.Insn, k *regsPointed, sub int) frameUse {
	dst, src := k.at(in.Dst), k.at(in.Src)
	lo := int64(in.Off)
	hi := lo + int64(in.AccessBytes())
	if in.Imm == atomicLoadAcq {
		k.set(in.Dst, k.load(src, lo, hi))
		return src.reads(lo, hi)
	}
	d.lost[sub] = d.lost[sub] || src.frame() || in.Imm == atomicCmpXchg && k.regs[bytecode.R0].frame() ||
		k.load(dst, lo, hi).frame()
	if in.Imm&atomicFetch != 0 && in.Imm != atomicStoreRel {
		k.set(in.Src, pointed{})
		k.regs[bytecode.R0] = pointed{}
	}
	return dst.reads(lo, hi)
}

// reads returns the use of a load through a register, at offsets from its target.
func (p pointed) reads(lo, hi int64) (u frameUse) {
	switch p.kind {
	case pointsFrame:
		u.read(p.n+lo, p.n+hi)
	case pointsAny:
		return readsAll
	}
	return u
}

// stores is reads for a store.
func (p pointed) stores(lo, hi int64) (u frameUse) {
	if p.kind == pointsFrame {
		u.kill(p.n+lo, p.n+hi)
	}
	return u
}

// pointedBy returns the facts about the result of an ALU operation.
func pointedBy(in bytecode.Insn, dst, src pointed) pointed {
	const far = 1 << 20 // no offset within a frame goes there
	wide := in.Class() == asm.ALU64Class
	by := src
	if in.Source() != asm.RegSource {
		by = pointed{pointsConst, int64(in.Imm)}
		if !wide {
			by.n = int64(uint32(in.Imm))
		}
	}
	switch op := in.ALUOp(); {
	case op == asm.Mov && wide && in.Off == 0:
		return by
	case op == asm.Mov && !by.frame():
		if in.Source() != asm.RegSource {
			return by
		}
		return pointed{}
	case op == asm.Mov:
		return pointed{kind: pointsAny}
	case op == asm.Add && wide && dst.kind == pointsFrame && by.kind == pointsConst && max(by.n, -by.n) < far &&
		max(dst.n, -dst.n) < far:
		return pointed{pointsFrame, dst.n + by.n}
	case dst.frame() || by.frame() && (op != asm.Neg && op != asm.Swap):
		return pointed{kind: pointsAny}
	}
	return pointed{}
}

// jump is insn for jumps and calls.
func (d *idler) jump(pc bytecode.PC, k *regsPointed, sub int) (u frameUse) {
	in := d.p.Insns[pc]
	switch f := d.p.Flow(pc); f.Kind {
	case bytecode.FlowHelper:
		u = d.call(calleeAt(d.p, pc), k)
	case bytecode.FlowCall, bytecode.FlowCallx:
		for r := bytecode.R1; r <= bytecode.R5; r++ {
			if k.regs[r].frame() {
				u = readsAll
				k.blur()
			}
		}
	case bytecode.FlowIndirect:
		b, _ := d.g.BlockAt(pc)
		lo, hi := d.g.SuccIDs(b)
		d.lost[sub] = d.lost[sub] || k.at(in.Dst).frame() || lo == hi
		return u
	default:
		return u
	}
	result := pointed{}
	for r := bytecode.R1; r <= bytecode.R5; r++ {
		if k.regs[r].frame() && !in.IsHelperCall() {
			result.kind = pointsAny
		}
	}
	clear(k.regs[:bytecode.R6])
	k.regs[bytecode.R0] = result
	return u
}

// call returns the use of a call of a helper or kernel function.
func (d *idler) call(h callee, k *regsPointed) (u frameUse) {
	for i := range min(h.Params, 5) {
		p := k.regs[bytecode.R1+bytecode.Reg(i)]
		switch {
		case !p.frame():
			continue
		case p.kind == pointsAny || !h.known || h.calls || h.callback != 0:
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
func (d *idler) size(h callee, i int, k *regsPointed) int64 {
	switch size := h.Args[i].Size; size {
	case calls.Unknown:
	case calls.Next:
		if n := k.regs[bytecode.R2+bytecode.Reg(i)]; i < 4 && n.kind == pointsConst && n.n >= 0 {
			return n.n
		}
	case calls.MapKey, calls.MapValue:
		for r := bytecode.R1; r < bytecode.R1+bytecode.Reg(i); r++ {
			m := k.regs[r]
			if m.kind != pointsMap || m.n < 0 || m.n >= int64(len(d.p.Maps)) {
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
