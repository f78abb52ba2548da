package display

import (
	"bytes"
	"slices"
	"strings"
)

// rule is a CSS rule for one selector.
type rule struct {
	parts  []compound // from the outermost ancestor to the element
	direct []bool     // parts[i+1] is a child of parts[i], not only a descendant
	weight int        // specificity
	props  []prop
}

// compound is what one element must be.
type compound struct {
	tag, id string
	classes []string
}

// prop is a declaration.
type prop struct{ name, value string }

// sheet is a style sheet: its rules in the order of the text.
type sheet struct {
	rules  []rule
	useIDs bool // some selector has an id
}

// readSheet reads a style sheet and keeps what applies in the scheme. Rules of a
// state that a still picture never has are left out.
func (r *reader) readSheet(css string) {
	css = stripComments(css)
	for {
		css = strings.TrimSpace(css)
		if css == "" {
			return
		}
		head, rest, ok := strings.Cut(css, "{")
		if !ok {
			r.unknown.note("css %q", clip(css))
			return
		}
		head = strings.TrimSpace(head)
		if query, ok := strings.CutPrefix(head, "@media"); ok {
			inner, after := matchBrace(rest)
			if r.mediaApplies(strings.TrimSpace(query)) {
				r.readSheet(inner)
			}
			css = after
			continue
		}
		body, after, _ := strings.Cut(rest, "}")
		css = after
		if strings.HasPrefix(head, "@") {
			r.unknown.note("css %q", clip(head))
			continue
		}
		r.addRules(head, r.readProps(body))
	}
}

// mediaApplies judges a media query: this is a screen of the chosen scheme,
// without a pointer.
func (r *reader) mediaApplies(query string) bool {
	switch query {
	case "(prefers-color-scheme: dark)":
		return r.scheme == Dark
	case "(prefers-color-scheme: light)":
		return r.scheme != Dark
	case "screen", "all", "not print":
		return true
	case "print":
		return false
	}
	if strings.Contains(query, "hover") || strings.Contains(query, "prefers-reduced-motion") {
		return false
	}
	r.unknown.note("css @media %s", query)
	return false
}

func stripComments(css string) string {
	var b strings.Builder
	for {
		a, rest, ok := strings.Cut(css, "/*")
		b.WriteString(a)
		if !ok {
			return b.String()
		}
		_, css, _ = strings.Cut(rest, "*/")
	}
}

// matchBrace returns what comes before the "}" that closes an open "{", and what
// comes after.
func matchBrace(s string) (inner, after string) {
	depth := 1
	for i := range len(s) {
		switch s[i] {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return s[:i], s[i+1:]
			}
		}
	}
	return s, ""
}

func (r *reader) readProps(body string) []prop {
	var out []prop
	for d := range strings.SplitSeq(body, ";") {
		name, value, ok := strings.Cut(d, ":")
		if !ok {
			continue
		}
		out = append(out, prop{strings.TrimSpace(name), strings.TrimSpace(value)})
	}
	return out
}

// addRules adds a rule for each selector of a list.
func (r *reader) addRules(selectors string, props []prop) {
	for _, s := range splitList(selectors) {
		ru := rule{props: props}
		never := false
		direct := false
		for _, word := range strings.Fields(strings.ReplaceAll(s, ">", " > ")) {
			if word == ">" {
				direct = true
				continue
			}
			c, off, ok := readCompound(word)
			if !ok {
				r.unknown.note("css selector %s", s)
				never = true
				break
			}
			never = never || off
			if len(ru.parts) > 0 {
				ru.direct = append(ru.direct, direct)
			}
			ru.parts = append(ru.parts, c)
			direct = false
			ru.weight += 10000*min(len(c.id), 1) + 100*len(c.classes) + min(len(c.tag), 1)
			r.sheet.useIDs = r.sheet.useIDs || c.id != ""
		}
		if never || len(ru.parts) == 0 {
			continue
		}
		for _, p := range props {
			r.checkProp(p)
		}
		r.sheet.rules = append(r.sheet.rules, ru)
	}
}

// splitList splits at commas outside parentheses.
func splitList(s string) []string {
	var out []string
	depth, from := 0, 0
	for i := range len(s) {
		switch s[i] {
		case '(':
			depth++
		case ')':
			depth--
		case ',':
			if depth == 0 {
				out = append(out, s[from:i])
				from = i + 1
			}
		}
	}
	return append(out, s[from:])
}

// readCompound reads "text", ".a.b", "#b3", ".b:hover". Off says that it asks for
// a state that a still picture does not have.
func readCompound(s string) (c compound, off, ok bool) {
	for s != "" {
		end := 1 + strings.IndexAny(s[1:], ".#:[*")
		if end == 0 {
			end = len(s)
		}
		part := s[:end]
		s = s[end:]
		switch {
		case part == "*":
		case part[0] == '.':
			c.classes = append(c.classes, part[1:])
		case part[0] == '#':
			c.id = part[1:]
		case part == ":hover", part == ":target", part == ":focus", part == ":focus-visible", part == ":focus-within",
			part == ":active":
			off = true
		case part == ":root":
			c.tag = "svg"
		case part[0] == ':' || part[0] == '[':
			return c, off, false
		default:
			c.tag = part
		}
	}
	return c, off, true
}

// element is a start tag, with those around it.
type element struct {
	up      *element
	tag, id string
	classes []string
}

func (c *compound) matches(e *element) bool {
	if c.tag != "" && c.tag != e.tag || c.id != "" && c.id != e.id {
		return false
	}
	for _, want := range c.classes {
		found := false
		for _, has := range e.classes {
			found = found || has == want
		}
		if !found {
			return false
		}
	}
	return true
}

// matches reports whether the selector selects the element. With child and
// descendant steps mixed the nearest ancestor is taken, which is right for
// selectors where an ancestor that matches has none above that does, too.
func (ru *rule) matches(e *element) bool {
	i := len(ru.parts) - 1
	if !ru.parts[i].matches(e) {
		return false
	}
	for i--; i >= 0; i-- {
		e = e.up
		for e != nil && !ru.parts[i].matches(e) {
			if ru.direct[i] {
				return false
			}
			e = e.up
		}
		if e == nil {
			return false
		}
	}
	return true
}

func clip(s string) string { return s[:min(len(s), 60)] }

// Fix returns an SVG file of package render with the colours of a scheme alone,
// whatever the reader's: rules for the other scheme are gone, those for this one
// hold always, also for programs that know no media queries.
func Fix(svg []byte, scheme Scheme) []byte {
	css, after, ok := bytes.Cut(svg, []byte("</style>"))
	if !ok {
		return svg
	}
	const query = "@media (prefers-color-scheme: dark)"
	before, rest, ok := strings.Cut(string(css), query)
	for ok {
		_, body, _ := strings.Cut(rest, "{")
		inner, behind := matchBrace(body)
		if scheme == Dark {
			before += strings.TrimSpace(inner)
		}
		var next string
		next, rest, ok = strings.Cut(behind, query)
		before += next
	}
	return slices.Concat([]byte(before), []byte("</style>"), after)
}
