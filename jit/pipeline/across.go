package pipeline

import (
	"fmt"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
	"github.com/bpfcfg/bpfcfg/jit/verify"
	"github.com/bpfcfg/bpfcfg/succ"
	"github.com/bpfcfg/bpfcfg/succ/rules"
)

// shared holds the results that kernels with equal values of a program share.
type shared struct {
	rules  rules.Memo
	facts  *rewrite.Facts
	made   rewrite.Memo
	images *jit.Memo
	seen   *seen
	proofs verify.Memo
}

// across holds the results that all kernels share, whatever values they compute.
type across struct {
	before   rules.Before
	resolved succ.Memo
	programs rewrite.Programs
	images   jit.Memo
	proofs   verify.Images
}

// shared returns an empty store of results for kernels with the same values.
func (c *across) shared() *shared {
	return &shared{
		rules: rules.Memo{Before: &c.before}, images: &c.images,
		made: rewrite.Memo{Programs: &c.programs}, proofs: verify.Memo{Images: &c.proofs},
	}
}

// Across is Run for several profiles, with one result each. Kernels that compute the
// values of the program alike share Succ and Graph. A kernel that refuses the program
// before it computes any has those of another one, and no code.
func Across(p *bytecode.Program, profiles []jit.Profile, opt rewrite.Options) ([]*Analysis, error) {
	var known []*succ.Result
	shares := map[*succ.Result]*shared{}
	all := &across{}
	out := make([]*Analysis, 0, len(profiles))
	for _, prof := range profiles {
		set := rules.Of(prof.Kernel())
		r := set.Known(known)
		static := set.StaticAgain(p, &all.before)
		if r == nil && len(known) > 0 && !static.Accept {
			r = known[0]
		}
		if r == nil {
			var err error
			if r, err = set.ResolveAgain(p, &all.resolved); err != nil {
				return nil, err
			}
			known = append(known, r)
			shares[r] = all.shared()
		}
		common := shares[r]
		a := &Analysis{
			Program: p, Profile: prof, Rules: set, Options: opt, Succ: r, Graph: r.Graph,
			memo: &common.rules, common: common,
		}
		if static.Accept {
			a.translate(common)
		} else {
			a.RewriteErr = fmt.Errorf("%s refuses the program: %s", set.Name, static.Message)
			a.ImageErr = a.RewriteErr
		}
		out = append(out, a)
	}
	return out, nil
}
