package check

import (
	"fmt"
	"math"
	"slices"

	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// tooManyValues is the number of values of a register that is too much for Linux's verifier: 17
// independent branches of a few instructions each exceed its million instructions
// (BPF_COMPLEXITY_LIMIT_INSNS, Linux 7.3), 16 do not.
const tooManyValues = 1 << 17

// countedRegs is the number of registers that are followed. The stack is not:
// a spilled register counts as one value when it is filled again.
const countedRegs = 10

// values is the number of values of a register that the verifier keeps apart.
type values struct {
	version int64 // where the value was made; equal ones are the same value
	n       float64
	known   bool // all of them are constants
	from    *change
}

// change is an instruction that changed a register, and the one before it.
type change struct {
	pc     bytecode.PC
	length int
	prev   *change
}

// counts holds the values of all followed registers.
type counts [countedRegs]values

// explosion finds the registers that the verifier has to follow through too many combinations of
// branches: it counts, along forward edges, how many values each register may have by the ways that
// lead to a point, and looks for a compare, a memory access or an indirect jump that depends on
// such a one. A loop is counted as one round, and a result computed from an unknown value is one
// value, so this is a lower bound.
//
// Numbers of paths alone say nothing: the verifier forgets a difference that
// nothing depends on.
func (c *context) explosion() {
	order := cfg.ReversePostorder(c.g)
	out := make([]counts, len(c.g.Blocks))
	done := map[int]bool{} // reported subprograms
	for _, b := range order.Blocks {
		if !c.a.Succ.Exact.BlockReached(b) {
			continue
		}
		s := c.join(order, out, b)
		blk := c.g.Blocks[b]
		c.each(blk.Start, blk.End, func(pc bytecode.PC) {
			in := c.p.Insns[pc]
			if r, ok := s.tooMany(in); ok && !done[blk.Sub] {
				done[blk.Sub] = true
				c.reportExplosion(pc, r, s[r])
			}
			s.run(pc, in)
		})
		out[b] = s
	}
}

// join returns the values at the start of a block.
func (c *context) join(order *cfg.Order, out []counts, b cfg.BlockID) counts {
	from := c.forward[:0]
	ids := c.g.PredIDs(b)
	for i, e := range c.g.Preds(b) {
		if c.g.Local(e) && order.Num[e.From] >= 0 && order.Num[e.From] < order.Num[b] &&
			c.a.Succ.Exact.EdgeFeasible(int(ids[i])) {
			from = append(from, e.From)
		}
	}
	c.forward = from
	phi := func(r int) int64 { return -1 - (int64(b)*countedRegs + int64(r)) }
	if len(from) == 0 {
		var s counts
		for r := range s {
			s[r] = values{version: phi(r), n: 1}
		}
		return s
	}
	s := out[from[0]]
	if len(from) == 1 {
		return s
	}
	for r := range s {
		c.seen = append(c.seen[:0], s[r].version)
		for _, f := range from[1:] {
			s[r].merge(out[f][r], &c.seen, phi(r))
		}
	}
	return s
}

// maxVersions bounds the different values that a join looks for among its
// predecessors; beyond it two count as one.
const maxVersions = 64

// merge adds the values of another predecessor; phi is the version of a
// register whose values differ.
func (v *values) merge(w values, seen *[]int64, phi int64) {
	if slices.Contains(*seen, w.version) || len(*seen) >= maxVersions {
		return
	}
	*seen = append(*seen, w.version)
	v.n, v.version, v.known = math.Min(v.n+w.n, 1e15), phi, v.known && w.known
	if w.from.len() > v.from.len() {
		v.from = w.from
	}
}

func (ch *change) len() int {
	if ch == nil {
		return 0
	}
	return ch.length
}

// tooMany returns the register with too many values on which an instruction depends.
func (s *counts) tooMany(in bytecode.Insn) (bytecode.Reg, bool) {
	var regs []bytecode.Reg
	switch in.Class() {
	case asm.JumpClass, asm.Jump32Class:
		switch {
		case in.IsGotox():
			regs = append(regs, in.Dst)
		case in.JumpOp() == asm.Ja || in.JumpOp() == asm.Call || in.JumpOp() == asm.Exit || in.Code == bytecode.CodeMayGoto:
		case in.Source() == asm.RegSource:
			regs = append(regs, in.Dst, in.Src)
		default:
			regs = append(regs, in.Dst)
		}
	case asm.LdXClass:
		regs = append(regs, in.Src)
	case asm.StClass, asm.StXClass:
		regs = append(regs, in.Dst)
	}
	for _, r := range regs {
		if r < countedRegs && s[r].n >= tooManyValues {
			return r, true
		}
	}
	return 0, false
}

// run updates the numbers of values for an instruction.
func (s *counts) run(pc bytecode.PC, in bytecode.Insn) {
	switch in.Class() {
	case asm.ALUClass, asm.ALU64Class:
		s.alu(pc, in)
	case asm.LdClass, asm.LdXClass:
		s.fresh(in.Dst, pc)
		if in.Class() == asm.LdClass && in.Mode() != asm.ImmMode { // legacy packet loads yield R0
			s.fresh(0, pc)
		}
	case asm.StXClass:
		if in.Mode() == asm.AtomicMode {
			s.fresh(in.Src, pc)
			s.fresh(0, pc)
		}
	case asm.JumpClass:
		if in.Code == bytecode.CodeCall || in.IsCallx() {
			for r := range bytecode.Reg(6) {
				s.fresh(r, pc)
			}
		}
	}
}

// fresh gives a register a single value.
func (s *counts) fresh(r bytecode.Reg, pc bytecode.PC) {
	if r < countedRegs {
		s[r] = values{version: int64(pc)*countedRegs + int64(r), n: 1}
	}
}

// alu is run for arithmetic.
func (s *counts) alu(pc bytecode.PC, in bytecode.Insn) {
	if in.Dst >= countedRegs {
		return
	}
	d := &s[in.Dst]
	byReg := in.Source() == asm.RegSource && in.ALUOp() != asm.Swap && in.ALUOp() != asm.Neg
	if in.ALUOp() == asm.Mov {
		switch {
		case byReg && in.Src < countedRegs:
			*d = s[in.Src]
		default:
			s.fresh(in.Dst, pc)
			d.known = !byReg
		}
		return
	}
	if !d.known || byReg && (in.Src >= countedRegs || !s[in.Src].known) {
		s.fresh(in.Dst, pc)
		return
	}
	n := d.n
	if byReg && in.Src < countedRegs && s[in.Src].version != d.version {
		n = math.Min(n*s[in.Src].n, 1e15)
	}
	if !byReg && in.ALUOp() == asm.And && in.Imm >= 0 {
		n = math.Min(n, float64(in.Imm)+1)
	}
	from := &change{pc, d.from.len() + 1, d.from}
	*d = values{version: int64(pc)*countedRegs + int64(in.Dst), n: n, known: true, from: from}
}

// reportExplosion reports a register with too many values.
func (c *context) reportExplosion(pc bytecode.PC, r bytecode.Reg, v values) {
	f := c.add(PathExplosion, pc, fmt.Sprintf(
		"earlier branches leave at least 2^%d values in %s here, and Linux follows each of them", int(math.Log2(v.n)), r))
	for ch := v.from; ch != nil && len(f.Related) < maxRelated; ch = ch.prev {
		f.Related = append(f.Related, Related{c.location(ch.pc), ch.pc, "changed by \"" + c.p.Text(ch.pc) + "\""})
	}
	slices.Reverse(f.Related)
}
