package policy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
	"go.yaml.in/yaml/v3"

	"github.com/bpfcfg/bpfcfg/internal/check"
	"github.com/bpfcfg/bpfcfg/internal/config"
)

// maxSize bounds a policy file, in bytes.
const maxSize = 1 << 20

// Parse reads a policy file. Errors begin with file and line: "p.yaml:3: …".
func Parse(file string, data []byte) (*Policy, error) {
	if len(data) > maxSize {
		return nil, fmt.Errorf("%s: larger than the limit of 1 MiB", file)
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	p := &Policy{file: file}
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF): // an empty file requires nothing
		return p, nil
	case err != nil:
		return nil, fmt.Errorf("%s: %s", file, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	r := &reader{file: file, left: len(data)}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: holds more than one YAML document", file)
	}
	top := r.rule(doc.Content[0], p)
	if r.err != nil {
		return nil, r.err
	}
	p.rules = append([]*rule{top}, p.rules...)
	return p, nil
}

// reader turns YAML nodes into a policy and keeps the first error.
type reader struct {
	file string
	err  error
	left int // elements that may still be read
}

// spend counts an element. A file has fewer than bytes, unless aliases name the
// same ones over and over: two levels of them make billions of a megabyte.
func (r *reader) spend(n *yaml.Node) {
	if r.left--; r.left < 0 {
		r.fail(n, "aliases make more elements than the file has bytes")
	}
}

// fail records an error at a node.
func (r *reader) fail(n *yaml.Node, format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%s:%d: %s", r.file, n.Line, fmt.Sprintf(format, args...))
	}
}

// deref follows an alias.
func deref(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// pairs calls f for each key of a mapping.
func (r *reader) pairs(n *yaml.Node, what string, f func(key string, k, v *yaml.Node)) {
	m := deref(n)
	if m.Kind == yaml.ScalarNode && m.Tag == "!!null" {
		return
	}
	if m.Kind != yaml.MappingNode {
		r.fail(n, "%s must be a mapping of names to values", what)
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(m.Content) && r.err == nil; i += 2 {
		r.spend(m.Content[i])
		k, v := deref(m.Content[i]), m.Content[i+1]
		if k.Kind != yaml.ScalarNode || seen[k.Value] {
			r.fail(m.Content[i], "%q appears twice in %s, or is not a name", k.Value, what)
			return
		}
		seen[k.Value] = true
		f(k.Value, k, v)
	}
}

// items calls f for each element of a list.
func (r *reader) items(n *yaml.Node, what string, f func(v *yaml.Node)) {
	l := deref(n)
	if l.Kind != yaml.SequenceNode {
		r.fail(n, "%s must be a list", what)
		return
	}
	for _, v := range l.Content {
		if r.spend(v); r.err != nil {
			return
		}
		f(v)
	}
}

// text returns a scalar.
func (r *reader) text(n *yaml.Node, what string) string {
	s := deref(n)
	if s.Kind != yaml.ScalarNode || s.Tag == "!!null" {
		r.fail(n, "%s must be a single value", what)
		return ""
	}
	return s.Value
}

// word returns a scalar that is a text: a number or true needs quotes to be one.
func (r *reader) word(n *yaml.Node, what string) string {
	text := r.text(n, what)
	if tag := deref(n).Tag; r.err == nil && tag != "!!str" {
		r.fail(n, "%s must be a text: write %q in quotes", what, text)
	}
	return text
}

// rule reads the keys of a rule; p is nil below the top level.
func (r *reader) rule(n *yaml.Node, p *Policy) *rule {
	out := &rule{levels: map[check.ID]check.Level{}, line: n.Line}
	what := "a policy"
	if p == nil {
		what = "an element of programs"
	}
	r.pairs(n, what, func(key string, k, v *yaml.Node) {
		switch {
		case key == "fail-on" && p != nil:
			r.failOn(v, p)
		case key == "kernels" && p != nil:
			r.items(v, key, func(v *yaml.Node) { r.kernel(v, p) })
		case key == "exclude" && p != nil:
			r.items(v, key, func(v *yaml.Node) { p.Exclude = append(p.Exclude, r.glob(v, key)) })
		case key == "programs" && p != nil:
			r.items(v, key, func(v *yaml.Node) {
				q := r.rule(v, nil)
				if len(q.match) == 0 {
					r.fail(v, "match is missing: it lists the names of the programs")
				}
				p.rules = append(p.rules, q)
			})
		case key == "match" && p == nil:
			out.match = r.match(v)
		case r.common(out, key, v):
		default:
			r.fail(k, "unknown key %q in %s", key, what)
		}
	})
	return out
}

// common reads a key that the top level and programs have and reports whether
// it is one.
func (r *reader) common(out *rule, key string, v *yaml.Node) bool {
	switch key {
	case "levels":
		r.levels(v, out)
	case "must-reach":
		out.expect.MustReach = r.places(v, key)
	case "must-not-reach":
		out.expect.MustNotReach = r.places(v, key)
	case "max-insns":
		out.expect.MaxInsns = r.limit(v, key)
	case "max-image":
		out.expect.MaxImage = r.limit(v, key)
	case "max-targets":
		out.expect.MaxTargets = r.limit(v, key)
	case "set":
		r.set(v, out)
	default:
		return false
	}
	return true
}

// failOn reads the level that fails.
func (r *reader) failOn(v *yaml.Node, p *Policy) {
	switch l := check.Level(r.text(v, "fail-on")); {
	case l == "never":
		p.FailOn = check.Off
	case l.Rank() > 0:
		p.FailOn = l
	default:
		r.fail(v, "fail-on is error, warning, note or never, not %q", l)
	}
}

// kernel reads a name of a profile. The caller knows the valid names.
func (r *reader) kernel(v *yaml.Node, p *Policy) {
	name := r.word(v, "kernels")
	switch {
	case name == "":
		r.fail(v, "kernels: a name must not be empty")
	case slices.ContainsFunc(p.Kernels, func(k Kernel) bool { return k.Name == name }):
		r.fail(v, "kernels: %s is named twice", name)
	}
	p.Kernels = append(p.Kernels, Kernel{Name: name, At: fmt.Sprintf("%s:%d", r.file, v.Line)})
}

// maxGlob bounds a glob, in bytes: names of programs are no longer than 1024.
const maxGlob = 4096

// match reads a glob or a list of them.
func (r *reader) match(v *yaml.Node) []string {
	var out []string
	add := func(v *yaml.Node) { out = append(out, r.glob(v, "match")) }
	if deref(v).Kind == yaml.SequenceNode {
		r.items(v, "match", add)
	} else {
		add(v)
	}
	return out
}

// glob reads a glob.
func (r *reader) glob(v *yaml.Node, what string) string {
	g := r.word(v, what)
	if !doublestar.ValidatePattern(g) || g == "" || len(g) > maxGlob {
		r.fail(v, "%s: %.40q is not a glob, or longer than %d bytes", what, g, maxGlob)
	}
	return g
}

// levels reads a mapping of findings to levels.
func (r *reader) levels(v *yaml.Node, out *rule) {
	r.pairs(v, "levels", func(key string, k, v *yaml.Node) {
		id, l := check.ID(key), check.Level(r.text(v, key))
		if deref(v).Tag == "!!bool" && strings.EqualFold(string(l), "off") { // YAML 1.1 takes off for false
			l = check.Off
		}
		switch {
		case id.Info().ID == "":
			r.fail(k, "unknown finding %q: see bpfcfg check --explain all", key)
		case l.Rank() < 0:
			r.fail(v, "%s: a level is error, warning, note or off, not %q", key, l)
		}
		out.levels[id] = l
	})
}

// limit reads a positive number.
func (r *reader) limit(v *yaml.Node, key string) *int {
	n, err := strconv.Atoi(r.text(v, key))
	if err != nil || n < 0 || deref(v).Tag != "!!int" {
		r.fail(v, "%s must be a number, 0 or more", key)
	}
	return &n
}

// set reads constants.
func (r *reader) set(v *yaml.Node, out *rule) {
	r.pairs(v, "set", func(key string, k, v *yaml.Node) {
		text := r.text(v, key)
		set, err := config.New(key, text)
		if err == nil && !set.Number() {
			err = fmt.Errorf("%q is not a number", text)
		}
		if err != nil {
			r.fail(v, "%s: %v", key, err)
			return
		}
		out.set = append(out.set, &constant{Setting: set, line: k.Line})
	})
}

// places reads a list of places that must, or must not, be reachable.
func (r *reader) places(v *yaml.Node, what string) []check.Place {
	var out []check.Place
	r.items(v, what, func(v *yaml.Node) {
		var p check.Place
		n := 0
		r.pairs(v, "an element of "+what, func(key string, k, v *yaml.Node) {
			n++
			text := r.word(v, key)
			if text == "" {
				r.fail(v, "%s must not be empty", key)
			}
			switch key {
			case "function":
				p.Function = text
			case "helper":
				p.Helper = text
			case "line":
				p.File, p.Line = r.line(v, text)
			default:
				r.fail(k, "unknown key %[2]q in an element of %[1]s: want function, helper or line", what, key)
			}
		})
		if n != 1 {
			r.fail(v, "an element of %s must have exactly one of function, helper and line", what)
		}
		out = append(out, p)
	})
	return out
}

// line reads FILE:LINE.
func (r *reader) line(v *yaml.Node, text string) (string, int) {
	i := strings.LastIndexByte(text, ':')
	n, err := strconv.Atoi(text[i+1:])
	if i <= 0 || err != nil || n < 1 {
		r.fail(v, "line: write FILE:LINE, as in parse.c:120, not %q", text)
		return "", 0
	}
	return text[:i], n
}
