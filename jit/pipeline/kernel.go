package pipeline

import (
	"cmp"
	"slices"

	"github.com/bpfcfg/bpfcfg/abstract"
	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/verify"
	"github.com/bpfcfg/bpfcfg/succ"
)

// VerifyKernel returns the properties of a profile's kernel that a checker needs.
func VerifyKernel(p jit.Profile) verify.Kernel {
	return verify.Kernel{
		Name: p.Title(),
		IBT:  p.IBT, SLS: p.SLS, RetpolineBuild: p.RetpolineBuild, EndbrTargets: p.EndbrTargets, CFI: p.CFI,
		ReturnThunk: p.ReturnThunk, Indirect: p.Indirect, BHI: p.BHI, CallDepth: p.CallDepth,
		BMI2: p.BMI2, SMP: p.SMP, LA57: p.LA57, XchgLock: p.XchgLock, StackArgs: p.StackArgs, AXReg: p.AXReg,
		OffMaxEntries: p.OffMaxEntries, OffPtrs: p.OffPtrs, OffValue: p.OffValue, OffBPFFunc: p.OffBPFFunc,
		Features: p.Kernel(),
	}
}

// Verify proves that the analysis's machine code has the control flow of its program, from the
// source graph to the bytes. A program that a kernel has already rewritten has no source. There
// must be an image. Like Verdict, it is for one goroutine at a time.
func (a *Analysis) Verify() *verify.Proof {
	if a.common != nil {
		return a.common.proofs.Prove(a.Claim())
	}
	return verify.Prove(a.Claim())
}

// Claim returns the claim that Verify proves.
func (a *Analysis) Claim() verify.Claim {
	c := verify.Claim{Kernel: VerifyKernel(a.Profile), Program: a.Rewrite.Program, Image: a.Image}
	if !a.Program.Rewritten {
		if v := a.Verdict(); !v.Accept {
			c.Refused = v.Message
		}
		c.Source = &verify.Source{
			Graph: a.Graph, Facts: a.seen(), AttachType: attachType(a),
			Original: a.Rewrite.Original, Xlated: a.Rewrite.Xlated, Unpredicted: a.Rewrite.Unpredicted,
			Unprivileged: a.Options.NoCapBPF, Masks: a.Options.NoCapPerfmon, Blinded: a.Options.Blind,
		}
	}
	return c
}

// seen answers questions about Linux's verifier by the facts that follow its rules.
type seen struct {
	succ  *succ.Result
	f     *abstract.Facts // of succ
	maps  []bytecode.Map
	calls []abstract.Call // by slot
	uses  []abstract.Use  // by slot
}

// seen returns the answers of the facts, once for all analyses of Across with them.
func (a *Analysis) seen() seen {
	if a.common == nil {
		return seenOf(a.Program, a.Succ)
	}
	if a.common.seen == nil {
		s := seenOf(a.Program, a.Succ)
		a.common.seen = &s
	}
	return *a.common.seen
}

func seenOf(p *bytecode.Program, r *succ.Result) seen {
	f := r.Facts
	return seen{succ: r, f: f, maps: p.Maps, calls: f.HelperCalls(), uses: f.Uses()}
}

func (s seen) Seen(pc bytecode.PC) verify.Answer { return answer(s.f.Reach(pc)) }
func (s seen) EdgeSeen(i int) verify.Answer      { return answer(s.f.Take(i)) }
func (s seen) Selects(pc, target bytecode.PC) verify.Answer {
	return answer(s.succ.Selects(pc, target))
}
func (s seen) WritesPacket() verify.Answer { return answer(truth(s.f.WritesPacket())) }

// Call implements verify.Facts.
func (s seen) Call(pc bytecode.PC) verify.Call {
	out := verify.Call{Key: -1, Callback: -1}
	i, ok := slices.BinarySearchFunc(s.calls, pc, func(c abstract.Call, pc bytecode.PC) int {
		return cmp.Compare(c.PC,
			pc)
	})
	if !ok {
		return out
	}
	c := s.calls[i]
	out.Key, out.SureKey = c.Key, c.KeyCertain
	out.Callback, out.SureCallback = c.Func, c.FuncCertain
	out.NoFlags, out.SureFlags = c.Zero, c.ZeroCertain
	out.SureMap = c.MapCertain
	if c.Map >= 0 {
		out.Map = &s.maps[c.Map]
	}
	if c.Inner {
		out.Map = out.Map.Inner
		out.SureMap = out.SureMap && out.Map != nil
	}
	return out
}

// Memory implements verify.Facts.
func (s seen) Memory(pc bytecode.PC) (m verify.Memory, sure bool) {
	i, ok := slices.BinarySearchFunc(s.uses, pc, func(u abstract.Use, pc bytecode.PC) int { return cmp.Compare(u.PC, pc) })
	if !ok {
		return verify.OtherMemory, false
	}
	switch u := s.uses[i]; u.To {
	case abstract.MemCtx:
		return verify.Context, u.Certain
	case abstract.MemSock:
		return verify.Socket, u.Certain
	default:
		return verify.OtherMemory, u.Certain
	}
}

// attachType returns the attach type with which the program is loaded.
func attachType(a *Analysis) uint32 {
	if a.Options.AttachType != 0 {
		return a.Options.AttachType
	}
	return a.Program.AttachType
}

func answer(t cfg.Truth) verify.Answer {
	switch t {
	case cfg.Yes:
		return verify.Yes
	case cfg.No:
		return verify.No
	}
	return verify.Maybe
}
