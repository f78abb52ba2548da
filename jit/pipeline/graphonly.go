package pipeline

import (
	"errors"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/succ"
	"github.com/bpfcfg/bpfcfg/succ/rules"
)

// ErrGraphOnly says why an analysis of GraphOnly has no rewritten program and no code.
var ErrGraphOnly = errors.New("only the graph was asked for")

// GraphOnly returns the graph of a program and nothing else: facts are those of
// abstract.Unanalyzed. It costs as much as making the graph, see succ.Alone.
func GraphOnly(p *bytecode.Program, prof jit.Profile) (*Analysis, error) {
	set := rules.Of(prof.Kernel())
	r, err := succ.Alone(p, succ.Options{Quirks: set.Quirks})
	if err != nil {
		return nil, err
	}
	return &Analysis{
		Program: p, Profile: prof, Rules: set, Succ: r, Graph: r.Graph, RewriteErr: ErrGraphOnly, ImageErr: ErrGraphOnly,
	}, nil
}
