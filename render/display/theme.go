package display

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Ink is a colour "#rrggbb" in the light and in the dark scheme, None, or Hatched. Without the
// second, both are the first; without either, the ink is unspecified.
type Ink [2]string

// Inks that are no colours.
var (
	None    = Ink{"none"}
	Hatched = Ink{"hatch"} // with the strokes of the look "hatchline"
)

// in returns the value for a scheme.
func (i Ink) in(s Scheme) string {
	if s == Dark && i[1] != "" {
		return i[1]
	}
	return i[0]
}

// Look is how items appear that have all of the classes. Properties that a look leaves out come
// from others: those with fewer classes, and among these the earlier ones.
type Look struct {
	Class         string // one class or more, separated by spaces; "" is every text
	Fill, Stroke  Ink
	FillOpacity   float64 // 0: unspecified
	StrokeOpacity float64
	Width         float64 // of the stroke; 0: unspecified
	Dash          []float64
	Size          float64 // of letters in pixels
	Bold, Italic  bool
	Halo          bool // the stroke of letters is behind them
	Hidden        bool // until a rule of Theme.Live shows it
}

// Theme is all looks of a picture.
type Theme struct {
	Looks []Look
	Font  string // families, for browsers
	Live  string // rules for pointers and addresses, which Paint never needs
	// LiveDark are those of Live that are different in the dark scheme.
	LiveDark string
}

// CSS returns the style sheet of a scheme, or without one of both.
func (t *Theme) CSS(scheme Scheme) string {
	var b strings.Builder
	fmt.Fprintf(&b, "text { font-family: %s; white-space: pre; }\n", t.Font)
	for i := range t.Looks {
		l := &t.Looks[i]
		rule(&b, l.Class, l.props(scheme))
	}
	b.WriteString(t.Live)
	if scheme == Dark {
		b.WriteString(t.LiveDark)
	}
	if scheme != "" {
		return b.String()
	}
	b.WriteString("@media (prefers-color-scheme: dark) {\n")
	for i := range t.Looks {
		l := &t.Looks[i]
		dark := l.props(Dark)
		light := l.props(Light)
		rule(&b, l.Class, slices.DeleteFunc(dark, func(p string) bool { return slices.Contains(light, p) }))
	}
	b.WriteString(t.LiveDark + "}\n")
	return b.String()
}

func rule(b *strings.Builder, class string, props []string) {
	if len(props) == 0 {
		return
	}
	selector := "text"
	if class != "" {
		selector = "." + strings.ReplaceAll(class, " ", ".")
	}
	fmt.Fprintf(b, "%s { %s; }\n", selector, strings.Join(props, "; "))
}

// props returns the declarations of a look.
func (l *Look) props(scheme Scheme) []string {
	var out []string
	add := func(on bool, name, value string) {
		if on {
			out = append(out, name+": "+value)
		}
	}
	short := func(f float64) string { return strings.TrimPrefix(strconv.FormatFloat(f, 'f', -1, 64), "0") }
	ink := func(name string, i Ink) {
		v := i.in(scheme)
		if v == Hatched[0] {
			v = "url(#hatch)"
		}
		add(v != "", name, v)
	}
	ink("fill", l.Fill)
	add(l.FillOpacity > 0, "fill-opacity", short(l.FillOpacity))
	ink("stroke", l.Stroke)
	add(l.StrokeOpacity > 0, "stroke-opacity", short(l.StrokeOpacity))
	add(l.Width > 0, "stroke-width", short(l.Width))
	add(l.Dash != nil, "stroke-dasharray", strings.Trim(fmt.Sprint(l.Dash), "[]"))
	add(l.Size > 0, "font-size", short(l.Size)+"px")
	add(l.Bold, "font-weight", "bold")
	add(l.Italic, "font-style", "italic")
	add(l.Halo, "paint-order", "stroke")
	add(l.Hidden, "display", "none")
	return out
}

// hatchTile is the side of the square that hatching repeats, turned by 45 degrees.
const hatchTile = 6

// hatchSVG is the pattern of Hatched.
func (t *Theme) hatchSVG() string {
	return fmt.Sprintf(`<pattern id="hatch" width="%d" height="%d" patternUnits="userSpaceOnUse" `+
		`patternTransform="rotate(45)"><path class="hatchline" d="M0 0v%d"/></pattern>`, hatchTile, hatchTile, hatchTile)
}

// resolver finds the styles of items.
type resolver struct {
	scheme Scheme
	looks  []Look // those with fewer classes first
	sets   [][]string
	known  map[styleKey]*Style
	hatch  *Pattern
}

type styleKey struct {
	parent *Style
	text   bool
	class  string
}

func newResolver(t *Theme, scheme Scheme) *resolver {
	r := &resolver{scheme: scheme, looks: slices.Clone(t.Looks), known: map[styleKey]*Style{}}
	slices.SortStableFunc(r.looks, func(a, b Look) int {
		return cmp.Compare(len(strings.Fields(a.Class)), len(strings.Fields(b.Class)))
	})
	for i := range r.looks {
		r.sets = append(r.sets, strings.Fields(r.looks[i].Class))
	}
	const half = 0.7071067811865476 // of the square root of 2: turned by 45 degrees
	r.hatch = &Pattern{W: hatchTile, H: hatchTile, To: [4]float64{half, half, -half, half}}
	line := (&Path{}).At(0, 0).V(hatchTile)
	r.hatch.Items = []Painted{{Path: *line, Style: r.style(nil, false, "hatchline")}}
	return r
}

// style returns the style of a shape, of a text, or of a run in a text's style.
func (r *resolver) style(parent *Style, text bool, class string) *Style {
	k := styleKey{parent, text, class}
	if s := r.known[k]; s != nil {
		return s
	}
	s := &Style{Fill: Fill{On: true, Opacity: 255}, Stroke: Fill{Opacity: 255}, Width: 1, Size: 16}
	if parent != nil {
		*s = *parent
	}
	have := strings.Fields(class)
	for i := range r.looks {
		all := len(r.sets[i]) > 0 || text && parent == nil
		for _, c := range r.sets[i] {
			all = all && slices.Contains(have, c)
		}
		if all {
			r.apply(s, &r.looks[i])
		}
	}
	r.known[k] = s
	return s
}

func (r *resolver) apply(s *Style, l *Look) {
	r.ink(&s.Fill, l.Fill, l.FillOpacity)
	r.ink(&s.Stroke, l.Stroke, l.StrokeOpacity)
	if l.Width > 0 {
		s.Width = l.Width
	}
	if l.Dash != nil {
		s.Dash = l.Dash
		if len(s.Dash)%2 == 1 {
			s.Dash = append(slices.Clone(l.Dash), l.Dash...)
		}
	}
	if l.Size > 0 {
		s.Size = l.Size
	}
	s.Bold, s.Italic = s.Bold || l.Bold, s.Italic || l.Italic
	s.StrokeFirst, s.Hidden = s.StrokeFirst || l.Halo, s.Hidden || l.Hidden
}

func (r *resolver) ink(f *Fill, i Ink, opacity float64) {
	if opacity > 0 {
		f.Opacity = uint8(opacity*255 + 0.5)
	}
	switch v := i.in(r.scheme); v {
	case "":
	case None[0]:
		f.On = false
	case Hatched[0]:
		f.On, f.Pattern = true, r.hatch
	default:
		n, err := strconv.ParseUint(strings.TrimPrefix(v, "#"), 16, 32)
		if err != nil || len(v) != 7 {
			panic("bug: no colour: " + v) // a theme is part of the program
		}
		*f = Fill{On: true, Opacity: f.Opacity, Colour: Colour{uint8(n >> 16), uint8(n >> 8), uint8(n)}}
	}
}
