package input

import (
	"strings"
	"sync/atomic"

	"github.com/bpfcfg/bpfcfg/internal/config"
)

// Configuration holds the constants and the machine that programs are configured for; nil
// sets nothing.
type Configuration struct {
	cpus     int
	unknown  bool
	settings []*setting
}

// setting is one --set, and whether an input had the constant.
type setting struct {
	*config.Setting
	used atomic.Bool
}

// NewConfiguration returns the configuration of these settings, as in --set.
func NewConfiguration(cpus int, unknown bool, set []string) (*Configuration, error) {
	c := &Configuration{unknown: unknown, cpus: cpus}
	for _, text := range set {
		s, err := config.Parse(text)
		if err != nil {
			return nil, Misusef("--set %s: %w", text, err)
		}
		c.settings = append(c.settings, &setting{Setting: s})
	}
	return c, nil
}

// apply configures the programs of an input.
func (c *Configuration) apply(s *Source) error {
	if c == nil {
		return nil
	}
	var types *config.Types
	if len(c.settings) > 0 && s.Object != nil {
		types = config.TypesOf(s.Object)
	}
	for _, p := range s.Programs {
		if p.CPUs = c.cpus; c.unknown {
			config.Forget(p)
		}
		for _, set := range c.settings {
			found, err := set.Apply(p, types)
			if err != nil {
				return Misusef("--set: %s: %w", s.Name, err)
			}
			if found {
				set.used.Store(true)
			}
		}
	}
	return nil
}

// Unused returns the error that no input has had a constant that was to be set, when
// that is so.
func (c *Configuration) Unused() error {
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
	return Misusef("--set: no program has a constant %s: it is misspelt, not const volatile, "+
		"or removed by the compiler",
		strings.Join(names, ", "))
}
