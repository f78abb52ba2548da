package pipeline

import (
	"github.com/bpfcfg/bpfcfg/abstract"
	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
	"github.com/bpfcfg/bpfcfg/succ"
	"github.com/cilium/ebpf/asm"
)

// Facts returns the facts about an analysed program that the rewrites need.
func Facts(p *bytecode.Program, r *succ.Result) rewrite.Facts {
	f := rewrite.Facts{
		Seen:           make([]cfg.Truth, p.Len()),
		IndirectTarget: make([]cfg.Truth, p.Len()),
		Stack:          make([]rewrite.StackFact, len(p.Subprogs)),
		AsyncCallback:  make([]cfg.Truth, len(p.Subprogs)),
	}
	for pc := range f.Seen {
		f.Seen[pc] = r.Facts.Reach(bytecode.PC(pc))
	}
	for _, in := range r.Indirect {
		if in.Op != "gotox" || !in.Reached {
			continue
		}
		for _, pc := range in.Range {
			if pc >= 0 && pc < p.Len() {
				f.IndirectTarget[pc] = cfg.Yes
			}
		}
	}
	for i := range p.Subprogs {
		f.Stack[i].Depth, f.Stack[i].Certain = r.Facts.Depth(i)
		f.Stack[i].Low, f.Stack[i].SureLow = r.Facts.LowestByCallees(i)
		f.AsyncCallback[i] = truth(r.Facts.Async(i))
	}
	for _, c := range r.Facts.HelperCalls() {
		f.Calls = append(f.Calls, callFact(p, c))
	}
	for _, u := range r.Facts.Uses() {
		if c := p.Insns[u.PC].Class(); c == asm.ALU64Class || c == asm.ALUClass {
			if c == asm.ALU64Class {
				f.ArenaArith = append(f.ArenaArith, rewrite.AccessFact{PC: u.PC, To: rewrite.MemArena, Certain: u.Certain})
			}
			continue
		}
		f.Accesses = append(f.Accesses, rewrite.AccessFact{
			PC: u.PC, To: memory(u.To), Certain: u.Certain, Low: u.Low, SureLow: u.SureLow,
		})
	}
	f.DirectWrite = truth(r.Facts.WritesPacket())
	return f
}

// truth combines whether something may hold and whether it certainly does.
func truth(maybe, certain bool) cfg.Truth {
	switch {
	case certain:
		return cfg.Yes
	case maybe:
		return cfg.Maybe
	}
	return cfg.No
}

// callFact returns the facts that decide how a helper call is rewritten.
func callFact(p *bytecode.Program, c abstract.Call) rewrite.CallFact {
	out := rewrite.CallFact{PC: c.PC, Map: c.Map, Inner: c.Inner, Key: c.Key, Callback: c.Func, FlagsZero: c.Zero}
	if !p.Insns[c.PC].IsHelperCall() {
		out.Certain = c.KeyCertain
		return out
	}
	switch p.Insns[c.PC].Imm {
	case bytecode.HelperTailCall:
		// If one of the two differs between paths, that suffices for an indirect tail call.
		out.Certain = c.MapCertain && c.KeyCertain || c.MapCertain && c.Map < 0 || c.KeyCertain && c.Key < 0
	case bytecode.HelperLoop:
		out.Certain = c.FuncCertain && c.ZeroCertain
	default:
		out.Certain = c.MapCertain
	}
	return out
}

// memory converts a kind of memory for the rewrites.
func memory(m abstract.Memory) rewrite.Memory {
	switch m {
	case abstract.MemPlain, abstract.MemPacket, abstract.MemTrusted, abstract.MemBuffer, abstract.MemRCU:
		return rewrite.MemPlain
	case abstract.MemCtx:
		return rewrite.MemCtx
	case abstract.MemSock:
		return rewrite.MemSock
	case abstract.MemTCPSock:
		return rewrite.MemTCPSock
	case abstract.MemXDPSock:
		return rewrite.MemXDPSock
	case abstract.MemObject:
		return rewrite.MemObject
	case abstract.MemArena:
		return rewrite.MemArena
	}
	return rewrite.MemUnknown
}
