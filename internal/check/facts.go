package check

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// facts lists the facts about the registers that a block's last instruction compares: the constant
// of .rodata that the block loads, or the fact at the block's start about a register that the block
// does not change.
func (c *context) facts(b cfg.BlockID) []Related {
	last := c.g.Blocks[b].Last
	in := c.p.Insns[last]
	regs := []bytecode.Reg{in.Dst}
	if in.Source() == asm.RegSource {
		regs = append(regs, in.Src)
	}
	var known []string
	for _, r := range regs {
		at := c.lastWrite(b, r)
		switch {
		case at < 0:
			known = append(known, strings.Join(c.register(b, r), " or "))
		default:
			known = append(known, c.constant(b, at))
		}
	}
	known = slices.DeleteFunc(known, func(s string) bool { return s == "" })
	if len(known) == 0 {
		return nil
	}
	return []Related{{c.location(last), last, "known here: " + strings.Join(known, ", ")}}
}

// lastWrite returns the last instruction of a block before its end that may
// change a register, -1 when there is none.
func (c *context) lastWrite(b cfg.BlockID, r bytecode.Reg) bytecode.PC {
	return c.lastWriteBefore(b, r, c.g.Blocks[b].Last)
}

// lastWriteBefore is lastWrite for the instructions of a block before end.
func (c *context) lastWriteBefore(b cfg.BlockID, r bytecode.Reg, end bytecode.PC) bytecode.PC {
	blk := c.g.Blocks[b]
	at := bytecode.PC(-1)
	c.each(blk.Start, end, func(pc bytecode.PC) {
		in := c.p.Insns[pc]
		switch in.Class() {
		case asm.JumpClass, asm.Jump32Class:
			if in.Code == bytecode.CodeCall && r <= bytecode.R5 {
				at = pc
			}
		case asm.StClass:
		case asm.StXClass:
			if in.Mode() == asm.AtomicMode && (in.Src == r || r == bytecode.R0) {
				at = pc
			}
		case asm.LdClass:
			if in.Dst == r || !in.IsWide() && r <= bytecode.R5 {
				at = pc
			}
		default:
			if in.Dst == r {
				at = pc
			}
		}
	})
	return at
}

// register returns what is known of a register at the start of a block; nothing if that
// is too long.
func (c *context) register(b cfg.BlockID, r bytecode.Reg) []string {
	const most = 3
	var out []string
	for _, state := range c.a.Succ.Exact.EntryText(b) {
		if text := valueOf(state, r.String()); text != "" && !slices.Contains(out, text) {
			out = append(out, text)
		}
		if len(out) > most {
			return nil
		}
	}
	return out
}

// valueOf returns the part of a state's text that is about a register:
// "R1=scalar(umax=14,var_off=(0x0; 0xf))".
func valueOf(state, reg string) string {
	i := strings.Index(" "+state, " "+strings.ToUpper(reg)+"=")
	if i < 0 {
		return ""
	}
	state = state[i:]
	depth := 0
	for j := range len(state) {
		switch state[j] {
		case '(':
			depth++
		case ')':
			depth--
		case ' ':
			if depth == 0 {
				return state[:j]
			}
		}
	}
	return state
}

// constant names the variable, in a read-only section, that the
// instruction at pc loads, when its base is loaded in the same block.
func (c *context) constant(b cfg.BlockID, pc bytecode.PC) string {
	in := c.p.Insns[pc]
	if in.Class() != asm.LdXClass || in.Mode() != asm.MemMode {
		return ""
	}
	base := pc - 1
	for base > c.g.Blocks[b].Start && (!c.g.InsnAt(base) || !c.p.Insns[base].IsWide() || c.p.Insns[base].Dst != in.Src) {
		if c.g.InsnAt(base) && c.p.Insns[base].Dst == in.Src { // something else, perhaps a change of it
			return ""
		}
		base--
	}
	ref, ok := c.p.RefAt(base)
	if !ok || ref.Kind != bytecode.RefMapValue || c.p.Insns[base].Dst != in.Src || !c.p.Maps[ref.Index].ReadOnly {
		return ""
	}
	m := &c.p.Maps[ref.Index]
	off, size := ref.Off+int64(in.Off), int64(in.AccessBytes())
	if _, pending := m.UnknownAt(off, int(size)); pending || off < 0 || off+size > int64(len(m.Value)) {
		return ""
	}
	name := fmt.Sprintf("%s+%d", m.Name, off)
	i := sort.Search(len(m.Symbols), func(i int) bool { return m.Symbols[i].Off > off }) - 1
	if i >= 0 && m.Symbols[i].Off == off {
		name = m.Symbols[i].Name
	}
	return fmt.Sprintf("%s is the constant %s, %d", in.Dst, name, c.p.Number(m.Value[off:off+size]))
}
