package display

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
)

// reader turns the tokens of a file into items.
type reader struct {
	scheme   Scheme
	sheet    sheet
	styles   map[styleKey]*styled
	patterns map[string]*Pattern
	d        *Drawing
	unknown  unknown

	open    []level // elements that are open
	text    *Text   // the text that is open
	tile    *Pattern
	sheetIn strings.Builder
}

// level is an open element.
type level struct {
	tag   string
	style *styled
	skip  bool // nothing in it is drawn: title, defs
}

// styled is a style with the element that has it: elements with the same tag,
// class and parent look the same, and share one.
type styled struct {
	Style
	el element
}

// styleKey identifies a styled.
type styleKey struct {
	parent         *styled
	tag, class, id string
	attrs          string // presentation attributes
}

// attributes that each element may have. Those without an effect on a still
// drawing are here, too.
var attributes = map[string][]string{
	"svg":     {"xmlns", "width", "height", "viewBox", "space", "role"},
	"g":       {},
	"a":       {"href"},
	"title":   {},
	"desc":    {},
	"style":   {},
	"defs":    {},
	"pattern": {"width", "height", "patternUnits", "patternTransform"},
	"rect":    {"x", "y", "width", "height", "rx"},
	"path":    {"d"},
	"text":    {"x", "y"},
	"tspan":   {},
}

// common are attributes of every element without an effect here.
var common = []string{"id", "class", "role", "tabindex"}

// presentation are attributes that are properties.
var presentation = []string{
	"fill", "stroke", "stroke-width", "fill-opacity", "stroke-opacity", "text-anchor", "visibility", "stroke-dasharray",
	"font-size", "font-weight",
}

// Read reads a drawing of package render in the colours of the scheme. It fails
// on what is no such drawing: other XML, a size of nothing, broken numbers.
func Read(svg []byte, scheme Scheme) (*Drawing, error) {
	r := &reader{scheme: scheme, styles: map[styleKey]*styled{}, patterns: map[string]*Pattern{}, d: &Drawing{}}
	dec := xml.NewDecoder(bytes.NewReader(svg))
	for {
		tok, err := dec.RawToken()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = r.token(tok)
		}
		if err != nil {
			return nil, fmt.Errorf("read drawing: %w", err)
		}
	}
	if len(r.open) > 0 || !(r.d.W > 0 && r.d.H > 0) {
		return nil, fmt.Errorf("read drawing: no SVG file with a size")
	}
	r.d.Unknown = r.unknown.list
	return r.d, nil
}

func (r *reader) token(tok xml.Token) error {
	switch t := tok.(type) {
	case xml.StartElement:
		return r.start(t)
	case xml.EndElement:
		if len(r.open) == 0 || r.open[len(r.open)-1].tag != t.Name.Local {
			return fmt.Errorf("element %s ends but does not start", t.Name.Local)
		}
		r.end(t.Name.Local)
	case xml.CharData:
		r.chars(string(t))
	}
	return nil
}

// attrs are the attributes of an element as numbers and texts.
type attrs struct {
	list []xml.Attr
	err  error
}

func (a *attrs) get(name string) string {
	for _, at := range a.list {
		if at.Name.Local == name {
			return at.Value
		}
	}
	return ""
}

func (a *attrs) num(name string) float64 {
	v := a.get(name)
	if v == "" {
		return 0
	}
	f, err := strconv.ParseFloat(v, 64)
	if err != nil || !finite(f) {
		a.err = fmt.Errorf("attribute %s=%q is no number", name, v)
	}
	return f
}

func (r *reader) start(t xml.StartElement) error {
	tag := t.Name.Local
	a := &attrs{list: t.Attr}
	r.check(tag, a)
	lv := level{tag: tag}
	parent := &styled{Style: initial}
	if n := len(r.open); n > 0 {
		parent, lv.skip = r.open[n-1].style, r.open[n-1].skip
	} else if tag != "svg" {
		return fmt.Errorf("the root is %q, not svg", clip(tag))
	}
	lv.style = r.styled(parent, tag, a)
	switch tag {
	case "title", "desc", "style":
		lv.skip = true
	}
	if !lv.skip {
		r.element(tag, a, lv.style)
	}
	r.open = append(r.open, lv)
	return a.err
}

// check notes elements and attributes that are not known.
func (r *reader) check(tag string, a *attrs) {
	known, ok := attributes[tag]
	if !ok {
		r.unknown.note("element %s", tag)
		return
	}
	for _, at := range a.list {
		name := at.Name.Local
		if !slices.Contains(known, name) && !slices.Contains(common, name) && !slices.Contains(presentation, name) &&
			!strings.HasPrefix(name, "aria-") && !strings.HasPrefix(name, "data-") {
			r.unknown.note("attribute %s of %s", name, tag)
		}
	}
}

// styled returns the style of an element.
func (r *reader) styled(parent *styled, tag string, a *attrs) *styled {
	k := styleKey{parent: parent, tag: tag, class: a.get("class")}
	if r.sheet.useIDs {
		k.id = a.get("id")
	}
	var given []prop
	for _, at := range a.list {
		if slices.Contains(presentation, at.Name.Local) {
			given = append(given, prop{at.Name.Local, at.Value})
			k.attrs += at.Name.Local + ":" + at.Value + ";"
			r.checkProp(prop{at.Name.Local, at.Value})
		}
	}
	if s := r.styles[k]; s != nil {
		return s
	}
	s := &styled{el: element{up: &parent.el, tag: tag, id: k.id, classes: strings.Fields(k.class)}}
	s.Style = *r.cascade(&parent.Style, &s.el, given)
	r.styles[k] = s
	return s
}

// element draws an element.
func (r *reader) element(tag string, a *attrs, st *styled) {
	switch tag {
	case "svg":
		r.d.W, r.d.H = a.num("width"), a.num("height")
		if want := fmt.Sprintf("0 0 %s %s", a.get("width"), a.get("height")); a.get("viewBox") != want {
			r.unknown.note("attribute viewBox=%q of svg", clip(a.get("viewBox")))
		}
	case "pattern":
		r.startPattern(a)
	case "rect":
		w, h := a.num("width"), a.num("height")
		if w > 0 && h > 0 {
			r.shape(rectPath(a.num("x"), a.num("y"), w, h, a.num("rx")), st)
		}
	case "path":
		p, ok := readPath(a.get("d"))
		if !ok {
			a.err = fmt.Errorf("path data %q", clip(a.get("d")))
		}
		r.shape(p, st)
	case "text":
		r.text = &Text{At: Pt{a.num("x"), a.num("y")}, Anchor: st.anchor}
	}
}

func (r *reader) shape(p Path, st *styled) {
	if st.Hidden || len(p.Ops) == 0 || !st.Fill.On && !st.Stroke.On {
		return
	}
	it := Item{Path: p, Style: &st.Style}
	if r.tile != nil {
		r.tile.Items = append(r.tile.Items, it)
		return
	}
	r.d.Items = append(r.d.Items, it)
}

func (r *reader) startPattern(a *attrs) {
	p := r.pattern(a.get("id"))
	p.W, p.H = a.num("width"), a.num("height")
	p.To = [4]float64{1, 0, 0, 1}
	if p.W < 1 || p.H < 1 {
		a.err = fmt.Errorf("pattern of %g by %g", p.W, p.H)
	}
	if v := a.get("patternTransform"); v != "" {
		f, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimPrefix(v, "rotate("), ")"), 64)
		if err != nil || !finite(f) {
			r.unknown.note("attribute patternTransform=%q", clip(v))
		}
		sin, cos := math.Sincos(f * math.Pi / 180)
		p.To = [4]float64{cos, sin, -sin, cos}
	}
	if a.get("patternUnits") != "userSpaceOnUse" {
		r.unknown.note("attribute patternUnits=%q", clip(a.get("patternUnits")))
	}
	r.tile = p
}

func (r *reader) end(tag string) {
	lv := r.open[len(r.open)-1]
	r.open = r.open[:len(r.open)-1]
	switch tag {
	case "pattern":
		r.tile = nil
	case "style":
		r.readSheet(r.sheetIn.String())
		r.sheetIn.Reset()
		clear(r.styles)
	case "text":
		if r.text != nil && len(r.text.Runs) > 0 && !lv.style.Hidden && !lv.skip {
			r.d.Items = append(r.d.Items, Item{Text: r.text, Style: &lv.style.Style})
		}
		r.text = nil
	}
}

// chars takes text between tags.
func (r *reader) chars(s string) {
	if len(r.open) == 0 {
		return
	}
	lv := r.open[len(r.open)-1]
	switch {
	case lv.tag == "style":
		r.sheetIn.WriteString(s)
	case lv.tag == "title" && len(r.open) == 2 && r.d.Title == "":
		r.d.Title = s
	case r.text != nil && !lv.skip:
		r.text.Runs = append(r.text.Runs, Run{Text: s, Style: &lv.style.Style})
	case !lv.skip && strings.TrimSpace(s) != "":
		r.unknown.note("text in %s", lv.tag)
	}
}
