package pipeline

import (
	"fmt"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
	"github.com/bpfcfg/bpfcfg/succ"
	"github.com/bpfcfg/bpfcfg/succ/rules"
)

// Across is Run for several profiles, with one result each. Kernels that compute the
// values of the program alike share Succ and Graph. A kernel that refuses the program
// before it computes any has those of another one, and no code.
func Across(p *bytecode.Program, profiles []jit.Profile, opt rewrite.Options) ([]*Analysis, error) {
	var known []*succ.Result
	memos := map[*succ.Result]*rules.Memo{}
	out := make([]*Analysis, 0, len(profiles))
	for _, prof := range profiles {
		set := rules.Of(prof.Kernel())
		r := set.Known(known)
		static := set.Static(p)
		if r == nil && len(known) > 0 && !static.Accept {
			r = known[0]
		}
		if r == nil {
			var err error
			if r, err = set.Resolve(p); err != nil {
				return nil, err
			}
			known = append(known, r)
			memos[r] = &rules.Memo{}
		}
		var a *Analysis
		if static.Accept {
			a = resolved(p, r, set, prof, opt)
		} else {
			err := fmt.Errorf("%s refuses the program: %s", set.Name, static.Message)
			a = &Analysis{Program: p, Profile: prof, Rules: set, Options: opt, Succ: r, Graph: r.Graph, XlatedErr: err,
				ImageErr: err}
		}
		a.memo = memos[r]
		out = append(out, a)
	}
	return out, nil
}
