// Package manual makes the manual page and the shell completions of a command from the declaration
// of its command line, so that they cannot differ from --help.
//
//	k, err := kong.New(&cli{})
//	page := manual.Page(k.Model, manual.Extra{Version: "1.0"})   // man -l -
//	script := manual.Bash(k.Model, manual.Extra{})               // source it
//
// Verbs may be nested two deep. The package completes names of files, not their contents.
package manual

import (
	"strings"

	"github.com/alecthomas/kong"
)

// Extra holds the texts that are not in the declaration of a command line.
type Extra struct {
	// Values returns words that a flag takes, for flags that are not declared as
	// enumerations; nil when there are none. The verb is as in "golden check".
	Values func(verb, flag string) []string

	Version  string    // of the manual page
	Date     string    // of the manual page; empty leaves it out
	Sections []Section // of the manual page, after the verbs
}

// Section is a section of the manual page.
type Section struct {
	Title string  // upper case
	Lines []Entry // shown as a list of terms
}

// Entry is a term and its meaning.
type Entry struct{ Term, Text string }

// verb is a command that can be run, or has verbs below it.
type verb struct {
	path string // "golden check", empty for the program
	node *kong.Node
}

// verbs returns the program and all verbs that are shown, in the order of their
// declaration, each before those below it.
func verbs(app *kong.Application) []verb {
	out := []verb{{"", app.Node}}
	for i := 0; i < len(out); i++ {
		var below []verb
		for _, c := range out[i].node.Children {
			if !c.Hidden {
				below = append(below, verb{strings.TrimSpace(out[i].path + " " + c.Name), c})
			}
		}
		if i == 0 {
			out = append(out, below...)
			continue
		}
		out = append(out[:i+1], append(below, out[i+1:]...)...)
	}
	return out
}

// children returns the names of the verbs directly below.
func (v verb) children() []string {
	var out []string
	for _, c := range v.node.Children {
		if !c.Hidden {
			out = append(out, c.Name)
		}
	}
	return out
}

// flags returns the flags of the verb that are shown, its parents' included.
func (v verb) flags() []*kong.Flag {
	var out []*kong.Flag
	for _, group := range v.node.AllFlags(true) {
		out = append(out, group...)
	}
	return out
}

// words returns the values that a flag is known to take, and whether it takes names of files
// instead.
func (e Extra) words(v verb, f *kong.Flag) (words []string, files bool) {
	if e.Values != nil {
		words = e.Values(v.path, f.Name)
	}
	if len(words) == 0 {
		words = enum(f.Value)
	}
	return words, len(words) == 0 && (strings.Contains(f.PlaceHolder, "FILE") || strings.Contains(f.PlaceHolder, "DIR"))
}

// enum returns the values of an enumeration, without the empty one.
func enum(v *kong.Value) []string {
	var out []string
	for _, w := range v.EnumSlice() {
		if w != "" {
			out = append(out, w)
		}
	}
	return out
}

// arguments returns the values of the verb's first positional argument, and
// whether it has any positional argument.
func (v verb) arguments() (words []string, any bool) {
	if len(v.node.Positional) == 0 {
		return nil, false
	}
	return enum(v.node.Positional[0]), true
}
