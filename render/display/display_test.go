package display_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/render/display"
)

var theme = &display.Theme{Font: "monospace", Looks: []display.Look{
	{Fill: display.Ink{"#111111", "#eeeeee"}, Size: 12},
	{Class: "box", Fill: display.Ink{"#ffffff", "#000000"}, Stroke: display.Ink{"#808080"}},
	{Class: "box hot", Fill: display.Ink{"#ff0000"}, Width: 3},
	{Class: "hot", Fill: display.Ink{"#00ff00"}},
	{Class: "far", Hidden: true},
	{Class: "line", Fill: display.None, Stroke: display.Ink{"#123456"}, Dash: []float64{3}},
	{Class: "dead", Fill: display.Hatched},
	{Class: "hatchline", Stroke: display.Ink{"#cccccc"}, Width: 1.5},
	{Class: "name", Bold: true},
}}

func picture(items ...display.Item) *display.Picture {
	return &display.Picture{W: 40, H: 20, Title: "a<b", Parts: slices.Values(items)}
}

// Example writes a small picture.
func Example() {
	var line display.Path
	line.At(2, 18).H(30).Curve(36, 18, 36, 12).By(0, -2.5)
	p := picture(display.Item{Class: "box", Box: &display.Box{X: 2, Y: 2, W: 30, H: 12}, Title: "a box"},
		display.Item{Class: "line", Path: line},
		display.Item{At: display.Pt{X: 4, Y: 12}, Runs: []display.Run{{Text: "b0", Class: "name"}, {Text: " & more"}}})
	svg := string(display.SVG(p, theme, display.Light))
	_, body, _ := strings.Cut(svg, "</defs>\n")
	fmt.Print(body)
	// Output:
	// <rect class="box" x="2" y="2" width="30" height="12"><title>a box</title></rect>
	// <path class="line" d="M2 18h28q6 0 6-6v-2.5"/>
	// <text x="4" y="12"><tspan class="name">b0</tspan> &amp; more</text>
	// </svg>
}

// TestCascade states which look wins: more classes first, then the later one, as
// browsers have it.
func TestCascade(t *testing.T) {
	for _, c := range []struct {
		class string
		fill  display.Colour
		width float64
	}{
		{"box", display.Colour{R: 255, G: 255, B: 255}, 1},
		{"hot", display.Colour{G: 255}, 1},
		{"box hot", display.Colour{R: 255}, 3},
		{"hot box", display.Colour{R: 255}, 3},
	} {
		d := display.Paint(picture(display.Item{Class: c.class, Box: &display.Box{W: 5, H: 5}}), theme, display.Light)
		if s := d.Items[0].Style; s.Fill.Colour != c.fill || s.Width != c.width {
			t.Errorf("%q: fill %v, width %v", c.class, s.Fill.Colour, s.Width)
		}
	}
}

// TestPaint checks what the items of a drawing keep, and what is left out.
func TestPaint(t *testing.T) {
	var line display.Path
	line.At(0, 0).To(5, 5)
	text := display.Item{Runs: []display.Run{{Text: "x"}, {Text: "y", Class: "name"}}}
	far := text
	far.Class = "far"
	d := display.Paint(picture(display.Item{Items: []display.Item{text, far}}, display.Item{Class: "line far", Path: line},
		display.Item{Class: "line", Path: line}, display.Item{Class: "dead", Box: &display.Box{W: 9, H: 9}},
		display.Item{Class: "box", Box: &display.Box{W: 0, H: 9}}), theme, display.Dark)
	if len(d.Items) != 3 {
		t.Fatalf("%d items, want a text, a line and a hatched box", len(d.Items))
	}
	runs := d.Items[0].Text.Runs
	if runs[0].Style.Fill.Colour.R != 0xee || runs[0].Style.Bold || !runs[1].Style.Bold || runs[1].Style.Size != 12 {
		t.Errorf("runs %+v, %+v", runs[0].Style, runs[1].Style)
	}
	if s := d.Items[1].Style; s.Fill.On || !s.Stroke.On || len(s.Dash) != 2 {
		t.Errorf("line %+v", s)
	}
	if p := d.Items[2].Style.Fill.Pattern; p == nil || len(p.Items) != 1 || p.Items[0].Style.Width != 1.5 {
		t.Errorf("hatching %+v", p)
	}
}

// TestSheet checks the style sheet of each scheme.
func TestSheet(t *testing.T) {
	both, light, dark := theme.CSS(""), theme.CSS(display.Light), theme.CSS(display.Dark)
	_, night, ok := strings.Cut(both, "@media (prefers-color-scheme: dark) {\n")
	if !ok || !strings.Contains(night, ".box { fill: #000000; }") || strings.Contains(night, "#808080") {
		t.Errorf("rules of the dark scheme: %s", night)
	}
	if strings.Contains(light, "@media") || strings.Contains(light, "#000000") || !strings.Contains(light, ".box.hot { fill: #ff0000; stroke-width: 3; }") {
		t.Errorf("light: %s", light)
	}
	if strings.Contains(dark, "@media") || !strings.Contains(dark, "text { fill: #eeeeee; font-size: 12px; }") {
		t.Errorf("dark: %s", dark)
	}
}

// TestRect checks that a rounded rectangle closes and stays in its box.
func TestRect(t *testing.T) {
	for _, r := range []int{0, 3, 99} {
		p := display.Rect(10, 20, 30, 12, r)
		lo, hi := p.Bounds()
		if lo != (display.Pt{X: 10, Y: 20}) || hi != (display.Pt{X: 40, Y: 32}) {
			t.Errorf("radius %d: from %v to %v", r, lo, hi)
		}
		n := 0
		for _, op := range p.Ops {
			n += op.Points()
		}
		if n != len(p.Pts) || p.Ops[0] != display.Move || p.Ops[len(p.Ops)-1] != display.Close {
			t.Errorf("radius %d: steps %v, %d points", r, p.Ops, len(p.Pts))
		}
	}
}
