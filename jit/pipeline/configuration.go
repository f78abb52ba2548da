package pipeline

import "github.com/bpfcfg/bpfcfg/succ"

// AnyConfiguration analyses the program again with its configuration unknown: the
// const volatile variables, which a loader may write before it loads the program.
// What no execution reaches in this result is dead in every configuration; what is
// dead in a.Succ alone is dead with the values that the program has now. The result
// is nil when the program has no configuration: then there is no difference. It takes
// as long as the analysis.
func (a *Analysis) AnyConfiguration() (*succ.Result, error) {
	q, has := a.Program.Unconfigured()
	if !has {
		return nil, nil
	}
	return a.Rules.Resolve(q)
}
