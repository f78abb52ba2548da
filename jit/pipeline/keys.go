package pipeline

import (
	"slices"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
)

// KeysAsJumps returns an analysis for a program with static keys in which these are plain jumps for
// rewriting and compiling, while both of their ways remain part of the program: the layout of the
// code if a kernel accepted keys and compiled each to a jump or to a nop of the same size. No
// kernel does, so nothing can check this prediction. It returns a itself for a program without
// static keys.
func (a *Analysis) KeysAsJumps(opt rewrite.Options) *Analysis {
	p := *a.Program
	p.Insns = slices.Clone(p.Insns)
	keys := bytecode.Keys(a.Program)
	if len(keys) == 0 {
		return a
	}
	for _, k := range keys {
		for _, j := range k.Jumps {
			p.Insns[j.PC].Src = 0
		}
	}
	out := *a
	out.Options = opt
	out.Rewrite, out.RewriteErr = rewrite.Predict(&p, Facts(a.Program, a.Succ), a.Profile, opt)
	if out.RewriteErr != nil {
		out.Image, out.ImageErr = nil, out.RewriteErr
		return &out
	}
	out.Image, out.ImageErr = jit.Compile(out.Rewrite.Program, a.Profile)
	return &out
}
