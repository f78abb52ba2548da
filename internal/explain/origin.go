package explain

import (
	"fmt"
	"slices"

	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/abstract"
	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// maxOrigins bounds the steps of an origin.
const maxOrigins = 48

// slicer walks backwards from an indirect jump and keeps the instructions on which its register
// depends (Mark Weiser, Program Slicing, 1981; along one path only).
type slicer struct {
	x     *Explainer
	regs  uint16         // registers still to be explained
	slots map[int16]bool // stack slots (offset from r10) still to be explained
	out   []Origin       // backwards
}

// origin returns the instructions that define and bound the value of a register before an
// instruction, along the way to it.
func (x *Explainer) origin(pc bytecode.PC, reg bytecode.Reg) []Origin {
	s := &slicer{x: x, regs: 1 << reg, slots: map[int16]bool{}}
	next := pc
	for c := range x.chain(pc) {
		if s.regs == 0 && len(s.slots) == 0 || len(s.out) == maxOrigins {
			break
		}
		if c.edge >= 0 {
			next = x.g.Blocks[x.g.Edges()[c.edge].To].Start
		}
		s.step(c, next)
		next = c.pc
	}
	slices.Reverse(s.out)
	return s.out
}

// step looks at one instruction; next is the one executed after it.
func (s *slicer) step(c chained, next bytecode.PC) {
	p := s.x.p
	in := p.Insns[c.pc]
	use, def := abstract.UseDef(p, c.pc)
	if c.edge >= 0 && s.x.g.Edges()[c.edge].Kind == cfg.Call { // arguments are the caller's r1 to r5
		s.regs &= arguments
		clear(s.slots)
		return
	}
	switch f := p.Flow(c.pc); f.Kind {
	case bytecode.FlowCond:
		s.branch(c, next, use)
		return
	case bytecode.FlowCall, bytecode.FlowCallx, bytecode.FlowHelper:
		if s.regs&1 != 0 {
			s.add(c.pc, next, "defines", 0)
		}
		s.regs &^= def // the callee's result is not followed further
		return
	case bytecode.FlowNext, bytecode.FlowFuncAddr:
	default:
		return
	}
	if in.Class() == asm.StClass || in.Class() == asm.StXClass {
		s.store(c.pc, next, in)
		return
	}
	if s.regs&def == 0 {
		return
	}
	role := "defines"
	if in.Class() == asm.LdXClass {
		role = "loads"
	}
	s.add(c.pc, next, role, in.Dst)
	s.regs &^= def
	if in.Class() != asm.LdXClass {
		s.regs |= use
		return
	}
	s.load(c.pc, in)
}

// arguments is the set of r1 to r5.
const arguments = 0x3e

// load continues after a load: with the address of a table or stack frame, with the slot of the
// function's own frame. What other memory holds has no origin here.
func (s *slicer) load(pc bytecode.PC, in bytecode.Insn) {
	if in.Src == bytecode.R10 {
		s.slots[in.Off] = true
		return
	}
	for _, st := range s.x.before(pc) {
		v := st.Reg(in.Src)
		if v != nil && (v.Kind == abstract.Table || v.Kind == abstract.MapValue || v.Kind == abstract.Stack) {
			s.regs |= 1 << in.Src
			return
		}
	}
}

// store looks for the value that filled a stack slot.
func (s *slicer) store(pc, next bytecode.PC, in bytecode.Insn) {
	if in.Dst != bytecode.R10 || !s.slots[in.Off] {
		return
	}
	delete(s.slots, in.Off)
	s.out = append(s.out, Origin{Insn: int(pc), Text: s.x.p.Text(pc), Role: "defines", Source: s.x.source(pc)})
	if in.Class() == asm.StXClass {
		s.regs |= 1 << in.Src
	}
}

// branch notes a conditional jump that tests a register of interest.
func (s *slicer) branch(c chained, next bytecode.PC, use uint16) {
	if use&s.regs == 0 || c.edge < 0 {
		return
	}
	in := s.x.p.Insns[c.pc]
	reg := in.Dst
	if s.regs>>reg&1 == 0 {
		reg = in.Src
	}
	before := len(s.out)
	s.add(c.pc, next, "bounds", reg)
	if len(s.out) > before {
		taken := ", not taken"
		if s.x.g.Edges()[c.edge].Kind == cfg.Taken {
			taken = ", taken"
		}
		s.out[before].Text += taken
	}
}

// add appends a step with the value of the register after it.
func (s *slicer) add(pc, next bytecode.PC, role string, reg bytecode.Reg) {
	s.out = append(s.out, Origin{
		Insn: int(pc), Text: s.x.p.Text(pc), Role: role, Reg: reg.String(),
		Value: s.x.value(next, reg), Source: s.x.source(pc),
	})
}

// value returns the value of a register before an instruction, over all states.
func (x *Explainer) value(pc bytecode.PC, reg bytecode.Reg) string {
	const most = 3
	var vals []string
	for _, st := range x.before(pc) {
		t := "anything"
		if v := st.Reg(reg); v != nil {
			t = v.String()
		}
		if !slices.Contains(vals, t) {
			vals = append(vals, t)
		}
	}
	text := ""
	for i, v := range vals {
		if i == most {
			return text + fmt.Sprintf(" or %d others", len(vals)-i)
		}
		if i > 0 {
			text += " or "
		}
		text += v
	}
	return text
}
