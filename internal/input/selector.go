package input

import (
	"path"
	"slices"
	"strconv"
	"strings"
)

// Selector chooses programs: by globs of their names, or by one name.
type Selector struct {
	globs []string // none for all
	name  string   // of FILE#NAME, "" for none
}

// NewSelector reads --prog.
func NewSelector(globs []string) (Selector, error) {
	for _, g := range globs {
		if _, err := path.Match(g, ""); err != nil {
			return Selector{}, Misusef("--prog %s: not a glob: %w", g, err)
		}
	}
	return Selector{globs: globs}, nil
}

// All reports whether every program is chosen.
func (s Selector) All() bool { return len(s.globs) == 0 && s.name == "" }

// Selects reports whether a program of this name is chosen. A name is a glob that
// matches itself, whatever characters are in it.
func (s Selector) Selects(name string) bool {
	if s.name != "" {
		return name == s.name
	}
	return len(s.globs) == 0 || slices.ContainsFunc(s.globs, func(g string) bool {
		ok, _ := path.Match(g, name)
		return ok || g == name
	})
}

// String names what is chosen, for messages.
func (s Selector) String() string {
	if s.name != "" {
		return strconv.Quote(s.name)
	}
	return strings.Join(s.globs, ", ")
}
