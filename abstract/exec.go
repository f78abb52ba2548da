package abstract

import (
	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// point is a state in the middle of a block.
type point struct {
	pc bytecode.PC
	s  *State
}

// block carries out a block from one state and passes the states at its end to its successors.
func (r *run) block(b cfg.BlockID, s *State) {
	blk := &r.a.g.Blocks[b]
	r.points = append(r.points[:0], point{blk.Start, s})
	r.forks = maxForks
	for len(r.points) > 0 {
		p := r.points[len(r.points)-1]
		r.points = r.points[:len(r.points)-1]
		r.ended = false
		for p.pc < blk.Last && !r.ended {
			r.a.fuel--
			r.enters(p.s)
			if r.a.searches() {
				r.split(p.pc, p.s)
				r.try(p.pc, p.s)
			}
			if again := r.step(p.pc, p.s); again != nil {
				r.points = append(r.points, point{p.pc, again})
				r.forks--
			}
			p.pc += r.a.p.Insns[p.pc].Slots()
		}
		if !r.ended {
			r.last(b, p.pc, p.s)
		}
	}
}

// step carries out an instruction that does not end its block. It returns a state with which the
// instruction must be carried out again, nil if there is none.
func (r *run) step(pc bytecode.PC, s *State) (again *State) {
	in := r.a.p.Insns[pc]
	if r.a.p.PendingAt(pc) == bytecode.PartAccess {
		r.pendingAccess(pc, in, s)
		return nil
	}
	switch in.Class() {
	case asm.ALUClass, asm.ALU64Class:
		return r.alu(pc, in, s)
	case asm.LdXClass:
		again = r.others(pc, in, s)
		r.load(pc, in, s)
	case asm.StClass, asm.StXClass:
		r.store(pc, in, s)
	case asm.LdClass:
		if in.IsWide() {
			s.set(in.Dst, r.wide(pc, in))
			break
		}
		r.packetLoad(pc, in, s)
		r.fresh(pc, bytecode.R0, 0, s)
	case asm.JumpClass:
		if r.a.p.Flow(pc).Kind == bytecode.FlowHelper {
			again = r.another(pc, s)
			r.ended = !r.helperCall(pc, in, s)
			r.freshResult(pc, s)
		}
	}
	return again
}

// packetLoad carries out a legacy packet load, which leaves the subprogram with
// result 0 when it fails (kernel/bpf/verifier.c check_ld_abs, Linux 7.3).
func (r *run) packetLoad(pc bytecode.PC, in bytecode.Insn, s *State) {
	r.read(pc, s, bytecode.R6)
	if in.Mode() == asm.IndMode {
		r.read(pc, s, in.Src)
	}
	r.leaves(pc, LeavePacket, s)
	failed := s
	if r.a.f.usedQuirks.MayNotExit = true; r.a.opt.Quirks.MayNotExit {
		failed = s.fork()
		failed.cover = true
	}
	r.exit(failed, zeroNumber)
	for reg := bytecode.R0; reg <= bytecode.R5; reg++ {
		s.set(reg, nil)
	}
	s.set(bytecode.R0, unknownNumber)
}

// wide returns the result of a 64-bit immediate load.
func (r *run) wide(pc bytecode.PC, in bytecode.Insn) *Value {
	p := r.a.p
	ref, ok := p.RefAt(pc)
	if p.PendingAt(pc) == bytecode.PartImm64 {
		if ok { // an address, or 0
			return unknownPtr.loosened()
		}
		return r.pendingNumber(pc)
	}
	if !ok {
		switch {
		case in.Src == bytecode.LdImm64 && pc+1 < p.Len():
			return r.a.constant(uint64(uint32(in.Imm)) | uint64(uint32(p.Insns[pc+1].Imm))<<32)
		case in.Src == bytecode.LdFunc:
			return r.funcAddr(pc + 1 + bytecode.PC(in.Imm))
		}
		return unknownPtr
	}
	switch ref.Kind {
	case bytecode.RefMap:
		if ref.Index < len(p.Maps) {
			return pointer(MapPtr, ref.Index, 0)
		}
	case bytecode.RefMapValue:
		if ref.Index < len(p.Maps) && p.Maps[ref.Index].Type != bytecode.MapArena {
			return pointer(MapValue, ref.Index, ref.Off)
		}
	case bytecode.RefTable:
		if ref.Index < len(p.Tables) {
			return pointer(Table, ref.Index, ref.Off)
		}
	case bytecode.RefTableMap:
		return pointer(TablePtr, ref.Index, 0)
	case bytecode.RefFunc:
		return r.funcAddr(bytecode.PC(ref.Index))
	}
	return unknownPtr
}

// funcAddr returns the address of the subprogram that starts at pc.
func (r *run) funcAddr(pc bytecode.PC) *Value {
	if sub := r.a.p.SubprogAt(pc); sub >= 0 && r.a.p.Subprogs[sub].Start == pc {
		return pointer(Func, sub, 0)
	}
	return unknownPtr
}

// last carries out the last instruction of a block and passes the state on.
func (r *run) last(b cfg.BlockID, pc bytecode.PC, s *State) {
	if again := r.another(pc, s); again != nil {
		r.leave(b, pc, again)
	}
	r.leave(b, pc, s)
}

// leave is last without another round of a loop.
func (r *run) leave(b cfg.BlockID, pc bytecode.PC, s *State) {
	r.a.fuel--
	r.enters(s)
	in := r.a.p.Insns[pc]
	if _, ok := r.a.p.PadOf(pc); ok {
		r.follow(b, cfg.Unwind, s.behindAny())
	}
	switch f := r.a.p.Flow(pc); f.Kind {
	case bytecode.FlowGoto:
		r.follow(b, cfg.Goto, s)
	case bytecode.FlowCond, bytecode.FlowKey:
		if r.a.searches() {
			r.decide(b, pc, in, s)
			break
		}
		r.pass(b, in, r.edges(b, pc, in, s))
	case bytecode.FlowIndirect:
		r.gotox(b, pc, in, s)
	case bytecode.FlowExit:
		r.leaves(pc, LeaveExit, s)
		r.checkResult(pc, s)
		r.exit(s, s.regs[bytecode.R0])
	case bytecode.FlowCall:
		sub := r.a.p.SubprogAt(f.Callee)
		if sub < 0 || r.a.p.Subprogs[sub].Start != f.Callee {
			return // no kernel accepts it, and the graph has no edge
		}
		r.a.noteCall(r.a.g, b, sub, s.certain())
		for _, out := range r.call(pc, sub, s) {
			r.follow(b, cfg.Return, out)
		}
	case bytecode.FlowCallx:
		r.callx(b, pc, in, s)
	case bytecode.FlowHelper:
		if r.a.searches() {
			for _, t := range r.looped(pc, s) {
				r.follow(b, cfg.FallThrough, t)
			}
		}
		if r.helperCall(pc, in, s) {
			r.freshResult(pc, s)
			r.follow(b, cfg.FallThrough, s)
		}
	default:
		again := r.step(pc, s)
		r.follow(b, cfg.FallThrough, s)
		if again != nil {
			r.step(pc, again)
			r.follow(b, cfg.FallThrough, again)
		}
	}
}

// edges returns the states on the edges of a conditional jump.
func (r *run) edges(b cfg.BlockID, pc bytecode.PC, in bytecode.Insn, s *State) (w ways) {
	w.taken, w.fall = r.branch(pc, in, s)
	if in.IsUnwindGoto() {
		w.taken.cover, w.fall.cover = true, true // no known kernel follows it
		if r.a.opt.Rules == Executions && r.a.g.Blocks[b].Start < pc && r.a.throws(pc-1) {
			w.fall = nil
		}
	}
	return w
}

// pass passes states on along the edges of a conditional jump.
func (r *run) pass(b cfg.BlockID, in bytecode.Insn, w ways) {
	if w.fall != nil {
		r.follow(b, cfg.FallThrough, w.fall)
	}
	if w.taken != nil {
		r.follow(b, cfg.JumpKind(in), w.taken)
	}
}

// follow passes a state on along the edges of one kind.
func (r *run) follow(b cfg.BlockID, kind cfg.Kind, s *State) {
	lo, hi := r.a.g.SuccIDs(b)
	edges := r.a.g.Edges()
	for i := lo; i < hi; i++ {
		if edges[i].Kind == kind {
			r.a.f.edge(i, s.certain())
			r.insert(edges[i].To, s)
			return
		}
	}
}
