package explain

import (
	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
)

// Death says in which configurations nothing executes a place. Configuration is data that a loader
// may write before it loads the program: const volatile variables.
type Death string

// The answers.
const (
	Alive  Death = ""
	Always Death = "in any configuration"
	Here   Death = "with these values"
)

// Death says whether a block is dead in every configuration, or with the values that
// the program has now; Alive for a block that executions reach.
func (x *Explainer) Death(b cfg.BlockID) Death {
	switch {
	case x.a.Succ.Exact.BlockReached(b):
		return Alive
	case x.anywhere() != nil && x.anywhere().Succ.Exact.Reached(x.g.Blocks[b].Start):
		return Here
	}
	return Always
}

// anywhere returns the analysis with the configuration unknown, nil when the program
// has none.
func (x *Explainer) anywhere() *pipeline.Analysis {
	if !x.asked {
		x.asked = true
		if r, err := x.a.AnyConfiguration(); err == nil { // otherwise as if there were none
			x.any = r
		}
	}
	return x.any
}

// inConfigurations adds to a sentence about dead code the configurations in which it is dead, if the program
// has a configuration.
func (x *Explainer) inConfigurations(d Death) string {
	switch {
	case d == Alive || x.anywhere() == nil:
		return ""
	case d == Here:
		return " with these values of the configuration, with others one may"
	}
	return " in any configuration"
}
