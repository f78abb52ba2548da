package golden

import "github.com/bpfcfg/bpfcfg/jit/pipeline"

// InputOf returns the input for the layout of an analysed program. The error is the reason why
// there is no machine code.
func InputOf(a *pipeline.Analysis) (Input, error) {
	if a.Image == nil {
		return Input{}, a.ImageErr
	}
	return Input{
		Program: a.Program, Succ: a.Succ, Xlated: a.Rewrite.Xlated, Funcs: a.Rewrite.Program.Funcs, Image: a.Image,
		Unpredicted: len(a.Rewrite.Unpredicted), Unverified: !a.Profile.Verified(),
	}, nil
}
