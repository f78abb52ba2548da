package verify

import (
	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// folded is the set of registers R0 to R9 that may be constants for a kernel that looks for
// constants before it verifies: numbers, and addresses in values of maps. A register in neither is
// certainly unknown to it.
type folded struct{ number, address uint16 }

const (
	allFolded = 1<<10 - 1 // R0 to R9
	scratch   = 1<<6 - 1  // R0 to R5, which calls leave unknown
)

// mayFold reports whether such a kernel may decide a conditional jump: all operands may be
// constants to it. If they are, the facts give the edge.
func (c *source) mayFold(pc bytecode.PC) bool {
	if c.folds == nil {
		c.foldBlocks()
	}
	b := c.block(pc)
	k := c.folds[b]
	for at := c.Graph.Blocks[b].Start; at < pc; at += c.p.Insns[at].Slots() {
		c.foldStep(&k, at)
	}
	in := c.p.Insns[pc]
	return k.number&bitOf(in.Dst) != 0 && (in.Source() != asm.RegSource || k.number&bitOf(in.Src) != 0)
}

// bitOf returns the bit of a register, none beyond R9.
func bitOf(r bytecode.Reg) uint16 {
	if r > bytecode.R9 {
		return 0
	}
	return 1 << r
}

// foldBlocks fills in c.folds: what registers may be where a block begins, over all
// edges within functions, whether they can be taken or not.
//
// Source: kernel/bpf/const_fold.c bpf_compute_const_regs, Linux 7.3.
func (c *source) foldBlocks() {
	g := c.Graph
	c.folds = make([]folded, len(g.Blocks))
	var work []cfg.BlockID
	waits := make([]bool, len(g.Blocks))
	for b := range c.folds {
		if blk := &g.Blocks[b]; blk.Start != c.p.Subprogs[blk.Sub].Start {
			c.folds[b] = folded{allFolded, allFolded}
		}
		work, waits[b] = append(work, cfg.BlockID(b)), true
	}
	for len(work) > 0 {
		b := work[0]
		work, waits[b] = work[1:], false
		k := c.folds[b]
		for at := g.Blocks[b].Start; at < g.Blocks[b].End; at += c.p.Insns[at].Slots() {
			c.foldStep(&k, at)
		}
		for _, e := range g.Succs(b) {
			to := &c.folds[e.To]
			if both := (folded{to.number & k.number, to.address & k.address}); g.Local(e) && both != *to {
				*to = both
				if !waits[e.To] {
					work, waits[e.To] = append(work, e.To), true
				}
			}
		}
	}
}

// foldStep applies an instruction (const_reg_xfer). Values that are unknown until load may be
// anything.
func (c *source) foldStep(k *folded, pc bytecode.PC) {
	in := c.p.Insns[pc]
	d, s := bitOf(in.Dst), bitOf(in.Src)
	switch in.Class() {
	case asm.ALUClass, asm.ALU64Class:
		k.compute(in, d, s)
	case asm.LdClass:
		if !in.IsWide() { // a legacy packet load
			k.forget(scratch)
			return
		}
		k.number, k.address = k.number|d, k.address|d
	case asm.LdXClass:
		loads := k.address&s != 0
		if k.forget(d); loads { // of a read-only value
			k.number |= d
		}
	case asm.JumpClass, asm.Jump32Class:
		if in.Code == bytecode.CodeCall || in.IsCallx() {
			k.forget(scratch)
		}
		return
	}
	if c.p.PendingAt(pc) != 0 {
		k.number, k.address = k.number|d, k.address|d
	}
}

// compute applies arithmetic from the register with bit s to that with bit d.
func (k *folded) compute(in bytecode.Insn, d, s uint16) {
	number, address := k.number&d != 0, k.address&d != 0
	byReg := in.Source() == asm.RegSource
	switch in.ALUOp() {
	case asm.Mov:
		number, address = !byReg || k.number&s != 0, byReg && k.address&s != 0
	case asm.Add, asm.Sub:
		number, address = number && !byReg, address && !byReg
	case asm.And: // with 0 it is 0
		number, address = number || byReg && k.number&s != 0 || !byReg && in.Imm == 0, false
	default:
		number, address = false, false
	}
	if k.forget(d); number {
		k.number |= d
	}
	if address {
		k.address |= d
	}
}

// forget removes registers.
func (k *folded) forget(regs uint16) { k.number, k.address = k.number&^regs, k.address&^regs }
