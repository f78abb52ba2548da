// Package policy reads a team's requirements for its programs: levels of findings,
// assertions, limits and constants, for all programs or for those that a glob
// names.
//
//	p, err := policy.Parse(".bpfcfg.yaml", data)  // errors point at the line
//	s := p.For("xdp_filter")
//	q, err := s.Apply(program, types)             // with the constants of set:
//	fs := s.Levels(check.Findings(a, s.Expect))
//
// The file is YAML:
//
//	fail-on: warning
//	levels: {wide-table: note}
//	programs:
//	  - match: "xdp_*"
//	    max-insns: 4096
//	    set: {enable_ipv6: 0}
//	    must-not-reach: [{helper: bpf_trace_printk}]
//
// Schema is its JSON schema. The package decides nothing about programs: it holds the requirements,
// and package check tests them.
package policy

import (
	_ "embed"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/check"
	"github.com/bpfcfg/bpfcfg/internal/config"
)

// Schema is the JSON schema (draft 2020-12) of a policy file.
//
//go:embed policy.schema.json
var Schema string

// Policy is the content of a policy file. The zero value requires nothing.
type Policy struct {
	FailOn  check.Level // lowest level that fails, empty when not stated, Off for never
	Kernels []Kernel    // profiles that check and pr work for
	Exclude []string    // globs of files and directories that are left out of directories

	file  string
	rules []*rule // that of the top level, then those of programs, in order
}

// Kernel is a profile that the policy names.
type Kernel struct {
	Name string
	At   string // where: file and line, "p.yaml:3"
}

// rule holds the requirements for the programs that match.
type rule struct {
	match  []string // globs; empty is every program
	levels map[check.ID]check.Level
	expect check.Expect
	set    []*constant
	line   int
	used   atomic.Bool
}

// constant is a variable of .rodata with the value to assume.
type constant struct {
	*config.Setting
	line int
	used atomic.Bool
}

// matches reports whether the rule is about a program.
func (r *rule) matches(program string) bool {
	return len(r.match) == 0 || slices.ContainsFunc(r.match, func(g string) bool {
		ok, _ := path.Match(g, program)
		return ok
	})
}

// Settings are the requirements of a policy for one program.
type Settings struct {
	Expect check.Expect

	levels map[check.ID]check.Level
	set    []*constant
}

// For returns the requirements for the program of this name. Later rules override
// earlier ones; assertions add up.
func (p *Policy) For(program string) *Settings {
	s := &Settings{levels: map[check.ID]check.Level{}}
	for _, r := range p.rules {
		if !r.matches(program) {
			continue
		}
		r.used.Store(true)
		for id, l := range r.levels {
			s.levels[id] = l
		}
		s.set = append(s.set, r.set...)
		e := &s.Expect
		e.MustReach = append(e.MustReach, r.expect.MustReach...)
		e.MustNotReach = append(e.MustNotReach, r.expect.MustNotReach...)
		later(&e.MaxInsns, r.expect.MaxInsns)
		later(&e.MaxImage, r.expect.MaxImage)
		later(&e.MaxTargets, r.expect.MaxTargets)
	}
	return s
}

// later replaces a limit by one that is set.
func later(to **int, v *int) {
	if v != nil {
		*to = v
	}
}

// Levels gives findings the required levels and drops those that are off.
func (s *Settings) Levels(fs []check.Finding) []check.Finding {
	out := fs[:0]
	for _, f := range fs {
		if l, ok := s.levels[f.ID]; ok {
			f.Level = l
		}
		if f.Level != check.Off {
			out = append(out, f)
		}
	}
	return out
}

// Apply returns the program with the constants of the policy in place of those that it was compiled
// with: the program itself if there are none. The error says why a constant cannot have its value.
func (s *Settings) Apply(p *bytecode.Program, types *config.Types) (*bytecode.Program, error) {
	if len(s.set) == 0 {
		return p, nil
	}
	q := *p
	for _, c := range s.set {
		found, err := c.Setting.Apply(&q, types)
		if err != nil {
			return nil, fmt.Errorf("set: %w", err)
		}
		if found {
			c.used.Store(true)
		}
	}
	return &q, nil
}

// Constants reports whether the policy sets constants.
func (p *Policy) Constants() bool {
	return slices.ContainsFunc(p.rules, func(r *rule) bool { return len(r.set) > 0 })
}

// Unused returns, after all programs have been checked, the parts of the policy that applied to
// none: globs that matched nothing and constants that no program has.
func (p *Policy) Unused() (unused []string) {
	for _, r := range p.rules {
		if !r.used.Load() && len(r.match) > 0 {
			unused = append(unused, fmt.Sprintf("%s:%d: no program matches %s", p.file, r.line, strings.Join(r.match, ", ")))
			continue
		}
		for _, c := range r.set {
			if !c.used.Load() {
				unused = append(unused, fmt.Sprintf("%s:%d: set: no program has a constant %s", p.file, c.line, c.Target()))
			}
		}
	}
	return unused
}
