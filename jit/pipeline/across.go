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

// shared is what kernels that compute the values of a program alike have in common.
type shared struct {
	rules  rules.Memo
	facts  *rewrite.Facts
	made   rewrite.Memo
	images jit.Memo
	seen   *seen
	proofs verify.Memo
}

// Across is Run for several profiles, with one result each. Kernels that compute the
// values of the program alike share Succ and Graph. A kernel that refuses the program
// before it computes any has those of another one, and no code.
func Across(p *bytecode.Program, profiles []jit.Profile, opt rewrite.Options) ([]*Analysis, error) {
	var known []*succ.Result
	shares := map[*succ.Result]*shared{}
	before := &rules.Before{}
	out := make([]*Analysis, 0, len(profiles))
	for _, prof := range profiles {
		set := rules.Of(prof.Kernel())
		r := set.Known(known)
		static := set.StaticAgain(p, before)
		if r == nil && len(known) > 0 && !static.Accept {
			r = known[0]
		}
		if r == nil {
			var err error
			if r, err = set.Resolve(p); err != nil {
				return nil, err
			}
			known = append(known, r)
			shares[r] = &shared{rules: rules.Memo{Before: before}}
		}
		common := shares[r]
		a := &Analysis{
			Program: p, Profile: prof, Rules: set, Options: opt, Succ: r, Graph: r.Graph,
			memo: &common.rules, common: common,
		}
		if static.Accept {
			a.translate(common)
		} else {
			a.XlatedErr = fmt.Errorf("%s refuses the program: %s", set.Name, static.Message)
			a.ImageErr = a.XlatedErr
		}
		out = append(out, a)
	}
	return out, nil
}
