// Package shape hashes code independently of its place, so that the block that a C line made can be
// found again in another build.
//
//	shape.Exact(p, b.Start, b.End) // same instructions, wherever they jump to
//	shape.Ops(p, b.Start, b.End)   // same operations on perhaps other numbers
//
// Distances of jumps and calls never count: they change when code between is added. The hashes are
// FNV-1a, 64 bits, over bytes that depend on the program alone; they are the same on every machine
// and may be kept in files. They do not protect against deliberate collisions.
package shape

import (
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// hash is a running FNV-1a (Fowler, Noll and Vo).
type hash uint64

const (
	basis hash = 0xcbf29ce484222325
	prime hash = 0x100000001b3
)

func (h *hash) byte(b byte) { *h = (*h ^ hash(b)) * prime }

func (h *hash) int(n uint64) {
	for range 8 {
		h.byte(byte(n))
		n >>= 8
	}
}

func (h *hash) string(s string) {
	for i := range len(s) {
		h.byte(s[i])
	}
	h.byte(0)
}

// Exact hashes the instructions from slot start to before end: all fields, and the names of
// operands' references, without the distances of jumps and calls.
func Exact(p *bytecode.Program, start, end bytecode.PC) uint64 {
	h := basis
	each(p, start, end, func(pc bytecode.PC) { h.insn(p, pc) })
	return uint64(h)
}

// Ops hashes the opcodes from slot start to before end: which operations there
// are, whatever their registers, offsets and constants.
func Ops(p *bytecode.Program, start, end bytecode.PC) uint64 {
	h := basis
	each(p, start, end, func(pc bytecode.PC) { h.byte(p.Insns[pc].Code) })
	return uint64(h)
}

// Insn hashes the instruction at pc as Exact does.
func Insn(p *bytecode.Program, pc bytecode.PC) uint64 {
	h := basis
	h.insn(p, pc)
	return uint64(h)
}

// String hashes a text, to be compared with other hashes of texts.
func String(s string) uint64 {
	h := basis
	h.string(s)
	return uint64(h)
}

// Mix combines two hashes; their order matters.
func Mix(a, b uint64) uint64 {
	h := hash(a)
	h.int(b)
	return uint64(h)
}

// each calls f for each instruction from start to before end.
func each(p *bytecode.Program, start, end bytecode.PC, f func(bytecode.PC)) {
	for pc := start; pc < min(end, p.Len()); pc += p.Insns[pc].Slots() {
		f(pc)
	}
}

// insn adds one instruction.
func (h *hash) insn(p *bytecode.Program, pc bytecode.PC) {
	in := p.Insns[pc]
	h.byte(in.Code)
	h.byte(byte(in.Dst)<<4 | byte(in.Src&15))
	f := p.Flow(pc)
	switch f.Kind {
	case bytecode.FlowGoto, bytecode.FlowCond, bytecode.FlowKey:
		if in.Code == bytecode.CodeGoto || in.Code == bytecode.CodeGotol {
			return // there is only the distance
		}
		h.int(uint64(uint32(in.Imm)))
		return
	case bytecode.FlowCall, bytecode.FlowFuncAddr:
		h.string(callee(p, f.Callee))
		return
	}
	if ref, ok := p.RefAt(pc); ok {
		h.ref(p, ref)
		h.int(uint64(uint16(in.Off)))
		return
	}
	h.int(uint64(uint16(in.Off)))
	h.int(uint64(uint32(in.Imm)))
	if in.IsWide() && pc+1 < p.Len() {
		h.int(uint64(uint32(p.Insns[pc+1].Imm)))
	}
}

// ref adds the reference of an operand.
func (h *hash) ref(p *bytecode.Program, r bytecode.Ref) {
	h.byte(byte(r.Kind))
	h.int(uint64(r.Off))
	switch {
	case (r.Kind == bytecode.RefMap || r.Kind == bytecode.RefMapValue) && r.Index < len(p.Maps):
		h.string(p.Maps[r.Index].Name)
	case (r.Kind == bytecode.RefTable || r.Kind == bytecode.RefTableMap) && r.Index < len(p.Tables):
		h.string(p.Tables[r.Index].Name)
	case r.Kind == bytecode.RefFunc:
		h.string(callee(p, bytecode.PC(r.Index)))
	case r.Kind == bytecode.RefHelper || r.Name == "":
		h.int(uint64(r.Index))
	default:
		h.string(r.Name)
	}
}

// callee names the subprogram that starts at a slot.
func callee(p *bytecode.Program, pc bytecode.PC) string {
	if sub := p.SubprogAt(pc); sub >= 0 {
		return p.Subprogs[sub].Name
	}
	return ""
}
