package display

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"
)

// initial is the style of SVG before any rule.
var initial = Style{
	Fill:   Paint{On: true, Opacity: 255},
	Stroke: Paint{Opacity: 255}, Width: 1, Size: 16,
}

// ignored holds properties that do not change how a still drawing looks, or
// that hold for all of our text anyway.
var ignored = []string{
	"cursor", "pointer-events", "transition", "white-space", "text-rendering", "shape-rendering", "font-family",
	"user-select", "outline", "vector-effect", "color-scheme", "will-change", "content-visibility",
}

// checkProp notes a property or a value that set does not know.
func (r *reader) checkProp(p prop) {
	s := initial
	if !r.set(&s, p) && !slices.Contains(ignored, p.name) && !strings.HasPrefix(p.name, "--") {
		r.unknown.note("css %s: %s", p.name, p.value)
	}
}

// cascade returns the style of an element in a parent of the given style. All
// properties that set knows are inherited ones.
func (r *reader) cascade(parent *Style, e *element, attrs []prop) *Style {
	s := *parent
	for _, a := range attrs { // presentation attributes yield to rules
		r.set(&s, a)
	}
	var hits []*rule
	for i := range r.sheet.rules {
		if ru := &r.sheet.rules[i]; ru.matches(e) {
			hits = append(hits, ru)
		}
	}
	slices.SortStableFunc(hits, func(a, b *rule) int { return cmp.Compare(a.weight, b.weight) })
	for _, ru := range hits {
		for _, p := range ru.props {
			r.set(&s, p)
		}
	}
	return &s
}

// set sets a property, and reports whether it knows it. A flat switch.
func (r *reader) set(s *Style, p prop) bool {
	v := p.value
	switch p.name {
	case "fill":
		return r.setPaint(&s.Fill, v)
	case "stroke":
		return r.setPaint(&s.Stroke, v)
	case "fill-opacity":
		return setOpacity(&s.Fill.Opacity, v)
	case "stroke-opacity":
		return setOpacity(&s.Stroke.Opacity, v)
	case "stroke-width":
		return setLength(&s.Width, v)
	case "stroke-dasharray":
		return setDash(&s.Dash, v)
	case "paint-order":
		s.StrokeFirst = strings.HasPrefix(v, "stroke")
		return s.StrokeFirst || v == "normal" || v == "fill"
	case "visibility":
		s.Hidden = v == "hidden" || v == "collapse"
		return s.Hidden || v == "visible"
	case "display": // of a group, all in it is gone; nothing of ours comes back
		s.Hidden = s.Hidden || v == "none"
		return v == "none" || v == "inline"
	case "font":
		return setFont(s, v)
	case "font-size":
		return setLength(&s.Size, v)
	case "font-weight":
		s.Bold = v == "bold" || len(v) == 3 && v >= "600"
		return s.Bold || v == "normal" || v == "400" || v == "500"
	case "font-style":
		s.Italic = v == "italic" || v == "oblique"
		return s.Italic || v == "normal"
	case "text-anchor":
		i := slices.Index([]string{"start", "middle", "end"}, v)
		s.anchor = Anchor(max(i, 0))
		return i >= 0
	}
	return false
}

// setFont reads the size of "italic bold 12px ui-monospace, monospace"; the
// family is always the one font that there is.
func setFont(s *Style, v string) bool {
	s.Bold, s.Italic = false, false
	for w := range strings.FieldsSeq(v) {
		switch {
		case w == "bold":
			s.Bold = true
		case w == "italic":
			s.Italic = true
		case setLength(&s.Size, strings.SplitN(w, "/", 2)[0]):
			return true
		}
	}
	return false
}

func setLength(to *float64, v string) bool {
	f, err := strconv.ParseFloat(strings.TrimSuffix(v, "px"), 64)
	if err != nil || !finite(f) || f < 0 {
		return false
	}
	*to = f
	return true
}

func finite(f float64) bool { return !math.IsNaN(f) && math.Abs(f) < 1e9 }

func setOpacity(to *uint8, v string) bool {
	scale := 1.0
	if strings.HasSuffix(v, "%") {
		v, scale = v[:len(v)-1], 0.01
	}
	f, err := strconv.ParseFloat(v, 64)
	if err != nil || !(f*scale >= 0 && f*scale <= 1) {
		return false
	}
	*to = uint8(f*scale*255 + 0.5)
	return true
}

func setDash(to *[]float64, v string) bool {
	if v == "none" {
		*to = nil
		return true
	}
	var out []float64
	sum := 0.0
	for w := range strings.FieldsFuncSeq(v, func(c rune) bool { return c == ' ' || c == ',' }) {
		var f float64
		if !setLength(&f, w) {
			return false
		}
		sum += f
		out = append(out, f)
	}
	if len(out)%2 == 1 {
		out = append(out, out...)
	}
	if sum <= 0 {
		out = nil
	}
	*to = out
	return true
}

func (r *reader) setPaint(p *Paint, v string) bool {
	if v == "none" || v == "transparent" {
		p.On = false
		return true
	}
	if id, ok := strings.CutPrefix(v, "url(#"); ok {
		// The style sheet stands before the patterns: they are filled in later.
		p.On, p.Pattern = true, r.pattern(strings.TrimSuffix(id, ")"))
		return strings.HasSuffix(v, ")")
	}
	c, ok := colour(v)
	if ok {
		p.On, p.Colour, p.Pattern = true, c, nil
	}
	return ok
}

// pattern returns the pattern with the id, to be defined at any time.
func (r *reader) pattern(id string) *Pattern {
	p := r.patterns[id]
	if p == nil {
		p = &Pattern{}
		r.patterns[id] = p
	}
	return p
}

// colour reads #rgb, #rrggbb, white and black.
func colour(v string) (c Colour, ok bool) {
	switch v {
	case "white":
		return Colour{255, 255, 255}, true
	case "black":
		return Colour{}, true
	}
	hex, ok := strings.CutPrefix(v, "#")
	if len(hex) == 3 {
		hex = string([]byte{hex[0], hex[0], hex[1], hex[1], hex[2], hex[2]})
	}
	n, err := strconv.ParseUint(hex, 16, 32)
	if !ok || err != nil || len(hex) != 6 {
		return c, false
	}
	return Colour{uint8(n >> 16), uint8(n >> 8), uint8(n)}, true
}
