package main

import (
	"errors"
	"strings"
	"sync/atomic"

	"github.com/bpfcfg/bpfcfg/internal/config"
)

// configurationFlags say what programs are configured as: the const volatile
// variables that a loader writes before it loads them.
type configurationFlags struct {
	Set           []string `help:"Set a configuration constant (const volatile) to a value, or to ? for unknown. NAME may be NAME.MEMBER or NAME[INDEX]. MAP.max_entries is the size that a loader gives a map. Repeatable." placeholder:"NAME=VALUE" sep:"none"`
	CPUs          int      `help:"Possible processors of the machine that the programs are for (default: unknown). The kernel bounds a processor's number by it." placeholder:"N" name:"cpus"`
	ConfigUnknown bool     `help:"Treat all configuration constants (const volatile) as unknown, except those given with --set."`
}

// configuration is the configuration that the flags set; nil sets nothing.
type configuration struct {
	cpus     int
	unknown  bool
	settings []*setting
}

// setting is one --set, and whether an input had the constant.
type setting struct {
	*config.Setting
	used atomic.Bool
}

// configuration reads the flags.
func (f configurationFlags) configuration() (*configuration, error) {
	const most = 8192 // CONFIG_NR_CPUS of x86-64
	if f.CPUs < 0 || f.CPUs > most {
		return nil, usagef("--cpus %d: want 1 to %d", f.CPUs, most)
	}
	if len(f.Set) == 0 && !f.ConfigUnknown && f.CPUs == 0 {
		return nil, nil
	}
	c := &configuration{unknown: f.ConfigUnknown, cpus: f.CPUs}
	for _, text := range f.Set {
		s, err := config.Parse(text)
		if err != nil {
			return nil, usagef("--set %s: %w", text, err)
		}
		c.settings = append(c.settings, &setting{Setting: s})
	}
	return c, nil
}

// apply configures the programs of an input.
func (c *configuration) apply(s *source) error {
	if c == nil {
		return nil
	}
	var types *config.Types
	if len(c.settings) > 0 && s.object != nil {
		types = config.TypesOf(s.object)
	}
	for _, p := range s.programs {
		if p.CPUs = c.cpus; c.unknown {
			config.Forget(p)
		}
		for _, set := range c.settings {
			found, err := set.Apply(p, types)
			if err != nil {
				return usagef("--set: %s: %w", s.name, err)
			}
			if found {
				set.used.Store(true)
			}
		}
	}
	return nil
}

// unused returns the error that no input has had a constant that was to be set, when
// that is so.
func (c *configuration) unused() error {
	if c == nil {
		return nil
	}
	var names []string
	for _, s := range c.settings {
		if !s.used.Load() {
			names = append(names, s.Target())
		}
	}
	if len(names) == 0 {
		return nil
	}
	return usagef("--set: no program has a constant %s: it is misspelt, not const volatile, "+
		"or removed by the compiler",
		strings.Join(names, ", "))
}

// misused reports whether an error is about the command line.
func misused(err error) bool {
	var s *statusError
	return errors.As(err, &s) && s.status == exitUsage
}
