package abstract

import (
	"slices"

	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/abstract/calls"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// numberOf returns the number that the verifier gives the reference which an instruction
// acquires, 0 when that is not known. The verifier numbers references and links in the order in
// which it creates them, on all paths together. So the number is known as long as no instruction
// is on two paths.
//
// Source: kernel/bpf/verifier.c, the uses of id_gen, Linux 7.3.
func (a *analyzer) numberOf(pc bytecode.PC) int {
	n := numbering{p: a.p, seen: make([]bool, a.p.Len())}
	n.holds[bytecode.R1], n.holds[bytecode.R10] = numberedCtx, numberedNot
	for at := bytecode.PC(0); ; {
		if at == pc {
			const perReference = 2 // one as long as it may be null, and its own
			return n.given + perReference
		}
		if at >= a.p.Len() || n.seen[at] {
			return 0
		}
		n.seen[at] = true
		var ok bool
		if at, ok = n.step(at); !ok {
			return 0
		}
	}
}

// numbered reports whether a copy of a register's value needs a number.
type numbered uint8

// What a register holds.
const (
	numberedPerhaps numbered = iota // a number, perhaps of which something is known
	numberedLoaded                  // a number that was just loaded
	numberedNot                     // a constant, or a pointer
	numberedCtx                     // the context
	numberedPacket                  // a pointer to packet data, or its end
)

// numbering follows paths from the start, in the verifier's order.
type numbering struct {
	p       *bytecode.Program
	seen    []bool // of each instruction
	holds   [numRegs]numbered
	given   int // numbers so far
	sites   []bytecode.PC
	waiting []waitingPath
}

// waitingPath is the other side of a branch.
type waitingPath struct {
	pc    bytecode.PC
	holds [numRegs]numbered
	sites []bytecode.PC
}

// step follows an instruction, unless it may be numbered in ways that are not known.
func (n *numbering) step(pc bytecode.PC) (next bytecode.PC, ok bool) {
	in := n.p.Insns[pc]
	if _, ok := n.p.PadOf(pc); ok {
		return 0, false
	}
	switch f := n.p.Flow(pc); f.Kind {
	case bytecode.FlowGoto:
		return f.Target, true
	case bytecode.FlowCond:
		n.waiting = append(n.waiting, waitingPath{f.Target, n.holds, slices.Clone(n.sites)})
		return f.Next, n.open(in)
	case bytecode.FlowHelper:
		return f.Next, n.call(pc)
	case bytecode.FlowCall:
		n.sites = append(n.sites, pc)
		return f.Callee, !n.global(f.Callee)
	case bytecode.FlowExit:
		return n.exit()
	case bytecode.FlowNext, bytecode.FlowFuncAddr:
		return pc + in.Slots(), n.simple(in)
	}
	return 0, false
}

// open reports whether both sides of a branch are followed for every value.
func (n *numbering) open(in bytecode.Insn) bool {
	if in.Code == bytecode.CodeMayGoto || in.Dst > bytecode.R10 {
		return false
	}
	if in.Source() == asm.RegSource {
		return in.Src <= bytecode.R10 && n.holds[in.Dst] == numberedPacket && n.holds[in.Src] == numberedPacket
	}
	return n.holds[in.Dst] == numberedLoaded && in.Imm == 0
}

// exit leaves a function, or continues with a waiting path.
func (n *numbering) exit() (next bytecode.PC, ok bool) {
	if last := len(n.sites) - 1; last >= 0 {
		pc := n.sites[last]
		n.sites = n.sites[:last]
		return pc + 1, true
	}
	last := len(n.waiting) - 1
	if last < 0 {
		return 0, false
	}
	w := n.waiting[last]
	n.waiting, n.holds, n.sites = n.waiting[:last], w.holds, w.sites
	return w.pc, true
}

// global reports whether a function is verified by itself.
func (n *numbering) global(start bytecode.PC) bool {
	i := n.p.SubprogAt(start)
	return i < 0 || n.p.Subprogs[i].Global
}

// call follows a call of a helper or kernel function.
func (n *numbering) call(pc bytecode.PC) bool {
	clear(n.holds[:bytecode.R6])
	if acquires(n.p, pc, n.p.Insns[pc]) {
		n.given += 2
		return true
	}
	h := calleeAt(n.p, pc)
	return h.helper != 0 && h.known && h.callback == 0 && h.Result.Kind() == calls.Number
}

// simple follows an instruction that computes, loads or stores.
func (n *numbering) simple(in bytecode.Insn) bool {
	if in.Dst > bytecode.R10 || in.Src > bytecode.R10 {
		return false
	}
	plain := func(r bytecode.Reg) bool { return n.holds[r] >= numberedNot }
	switch in.Class() {
	case asm.ALUClass, asm.ALU64Class:
		return n.alu(in)
	case asm.LdClass:
		n.holds[in.Dst] = numberedNot
		return in.IsWide()
	case asm.LdXClass:
		return n.load(in)
	case asm.StClass:
		return in.Mode() == modeMem
	case asm.StXClass:
		return in.Mode() == modeMem && plain(in.Src)
	}
	return false
}

// alu follows a computation.
func (n *numbering) alu(in bytecode.Insn) bool {
	fromReg := in.Source() == asm.RegSource
	switch {
	case in.ALUOp() == asm.Mov && fromReg:
		n.holds[in.Dst] = n.holds[in.Src]
		return n.holds[in.Src] >= numberedNot
	case in.ALUOp() == asm.Mov:
		n.holds[in.Dst] = numberedNot
		return true
	case fromReg: // a number added to a pointer to packet data needs one
		return n.holds[in.Dst] == numberedNot && n.holds[in.Src] == numberedNot
	case n.holds[in.Dst] == numberedLoaded:
		n.holds[in.Dst] = numberedPerhaps
	}
	return true
}

// load follows a load: of fields of the context that are no pointers which may be null.
func (n *numbering) load(in bytecode.Insn) bool {
	ctx := n.holds[in.Src] == numberedCtx
	n.holds[in.Dst] = numberedLoaded
	if in.AccessBytes() == 8 || in.Mode() != modeMem {
		return false
	}
	if m, _, known := contextPointer(n.p.Type, int64(in.Off), in.AccessBytes()); ctx && known &&
		(m == MemPacket || m == memPacketEnd) {
		n.holds[in.Dst] = numberedPacket
	}
	return true
}
