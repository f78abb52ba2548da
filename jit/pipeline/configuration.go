package pipeline

import "github.com/bpfcfg/bpfcfg/succ"

// AnyConfiguration analyses the program again with its configuration unknown: the const volatile
// variables, which a loader may write before it loads the program. Code that no execution reaches
// in this analysis is dead in every configuration; code that is dead only in a is dead with the
// current values. The answer holds Program, Graph, Succ, Profile and Rules, and no machine code; it
// is nil when the program has no configuration: then there is no difference. If the analysis has read
// none of these variables, it has the same Succ. Otherwise the second analysis takes about half as
// long as the first: a program without indirect jumps is analysed with abstract.Options.Narrow, since
// what matters is whether code is dead, and a walk (abstract.Settle) decides most of that.
func (a *Analysis) AnyConfiguration() (*Analysis, error) {
	q, has := a.Program.Unconfigured()
	if !has {
		return nil, nil
	}
	r := a.Succ
	if r.ReadsConfig() {
		var err error
		opt := succ.Options{Quirks: a.Rules.Quirks, Narrow: len(a.Succ.Indirect) == 0}
		if r, err = succ.Resolve(q, opt); err != nil {
			return nil, err
		}
	}
	return &Analysis{Program: q, Profile: a.Profile, Rules: a.Rules, Succ: r, Graph: r.Graph}, nil
}
