package pipeline

// AnyConfiguration analyses the program again with its configuration unknown: the const volatile
// variables, which a loader may write before it loads the program. Code that no execution reaches
// in this analysis is dead in every configuration; code that is dead only in a is dead with the
// current values. The answer holds Program, Graph, Succ, Profile and Rules, and no machine code; it
// is nil when the program has no configuration: then there is no difference. It takes as long as
// the analysis, unless that has read none of these variables: then it has the same Succ.
func (a *Analysis) AnyConfiguration() (*Analysis, error) {
	q, has := a.Program.Unconfigured()
	if !has {
		return nil, nil
	}
	r := a.Succ
	if r.ReadsConfig() {
		var err error
		if r, err = a.Rules.Resolve(q); err != nil {
			return nil, err
		}
	}
	return &Analysis{Program: q, Profile: a.Profile, Rules: a.Rules, Succ: r, Graph: r.Graph}, nil
}
