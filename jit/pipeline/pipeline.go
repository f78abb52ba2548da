// Package pipeline runs the whole analysis of one program, in one function of
// calls:
//
//	bytes → Program → Graph ⇄ Facts ⇄ Targets → xlated → Image
//
//	a, err := pipeline.Run(p, profile, rewrite.Options{})
//	fmt.Println(a.Succ.Indirect, a.Image.Funcs)
//
// It decides nothing itself: it passes the results of earlier stages to each stage. Loading comes
// before it and drawing after it.
package pipeline

import (
	"errors"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"

	"github.com/bpfcfg/bpfcfg/succ"
	"github.com/bpfcfg/bpfcfg/succ/rules"
)

// Analysis is the result of Run for a program. Each part is present
// unless the error beside it says why not.
type Analysis struct {
	Program *bytecode.Program
	Profile jit.Profile
	Rules   rules.Set       // of the profile's kernel; Succ is what its verifier computes
	Options rewrite.Options // how the program is loaded

	Succ  *succ.Result
	Graph *cfg.Graph // Succ.Graph

	Rewrite    *rewrite.Result // nil with RewriteErr
	RewriteErr error
	Image      *jit.Image // nil with ImageErr
	ImageErr   error      // also set when there is no xlated program

	memo   *rules.Memo // of Succ, shared by the analyses of Across; nil until needed
	common *shared     // by the analyses of Across with this Succ, nil for others
}

// Verdict returns the kernel's verdict on the program: by its rules, and for a program that passes
// them, by its rewriting. The paths for the rules are followed once. It is for one goroutine at a
// time, for all analyses of one call of Across together.
func (a *Analysis) Verdict() rules.Verdict {
	if a.memo == nil {
		a.memo = &rules.Memo{}
	}
	v := a.Rules.CheckAgain(a.Program, a.Succ, a.memo)
	if !v.Accept {
		return v
	}
	switch late, certain := a.rewriting(); {
	case late != nil && certain:
		return *late
	case late != nil && v.May == nil:
		v.May = late
	}
	return v
}

// rewriting returns the refusal of Linux when it rewrites an accepted program, nil for none, and
// whether it is certain: a jump becomes too long when an instruction grows, or something refers to
// a removed function.
func (a *Analysis) rewriting() (v *rules.Verdict, certain bool) {
	if far := (*rewrite.RangeError)(nil); errors.As(a.ImageErr, &far) {
		return &rules.Verdict{Message: far.Error(), PC: far.Insn, Errno: "ENOMEM", Rule: rules.TooLarge}, true
	}
	if lost := (*rewrite.CalleeError)(nil); errors.As(a.ImageErr, &lost) {
		v = &rules.Verdict{Message: lost.Error(), PC: lost.Insn, Errno: "EFAULT", Rule: rules.Calls}
		return v, lost.Certain
	}
	return nil, false
}

// Static returns the verdict of the kernel's rules before values are computed. Like Verdict, it is
// for one goroutine at a time.
func (a *Analysis) Static() rules.Verdict { return a.StaticOf(a.Rules) }

// StaticOf is Static for the rules of another kernel.
func (a *Analysis) StaticOf(s rules.Set) rules.Verdict {
	if a.memo == nil {
		a.memo = &rules.Memo{}
	}
	if a.memo.Before == nil {
		a.memo.Before = &rules.Before{}
	}
	return s.StaticAgain(a.Program, a.memo.Before)
}

// Run analyses p for the profile: with the values, rules, rewrites and code of its kernel. The
// error is that of the control-flow analysis, without which there is nothing to show; failures to
// rewrite or compile a program are recorded in the Analysis.
func Run(p *bytecode.Program, prof jit.Profile, opt rewrite.Options) (*Analysis, error) {
	set := rules.Of(prof.Kernel())
	r, err := set.Resolve(p)
	if err != nil {
		return nil, err
	}
	a := &Analysis{Program: p, Profile: prof, Rules: set, Options: opt, Succ: r, Graph: r.Graph,
		memo: &rules.Memo{}}
	a.Translate()
	return a, nil
}

// Translate makes rewritten program and machine code of the analysis, as Run does.
func (a *Analysis) Translate() { a.translate(nil) }

// translate is Translate with the results for other kernels, unless that is nil.
func (a *Analysis) translate(made *shared) {
	a.Rewrite, a.RewriteErr, a.Image, a.ImageErr = nil, nil, nil, nil
	if a.Program.Rewritten {
		a.RewriteErr, a.ImageErr = ErrRewritten, ErrRewritten
		return
	}
	predict, compile := rewrite.Predict, jit.Compile
	if made == nil {
		made = &shared{}
	} else {
		predict, compile = made.made.Predict, made.images.Compile
	}
	if made.facts == nil {
		f := Facts(a.Program, a.Succ)
		made.facts = &f
	}
	a.Rewrite, a.RewriteErr = predict(a.Program, *made.facts, a.Profile, a.Options)
	if a.ImageErr = a.RewriteErr; a.ImageErr == nil {
		a.Image, a.ImageErr = compile(a.Rewrite.Program, a.Profile)
	}
}

// Predict returns the rewritten program of p as the profile's kernel would hand
// it to its JIT. It is Run without compilation.
func Predict(p *bytecode.Program, prof jit.Profile) (*jit.Program, error) {
	r, err := rules.Of(prof.Kernel()).Resolve(p)
	if err != nil {
		return nil, err
	}
	x, err := rewrite.Predict(p, Facts(p, r), prof, rewrite.Options{})
	if err != nil {
		return nil, err
	}
	return x.Program, nil
}
