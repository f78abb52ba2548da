package pdf

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/render/display"
)

// TestOperators reads the operators of small drawings. What they must be is worked out
// by hand from ISO 32000-1: table 57 (M, w, d), table 59 (m, l, c, h), table 74 (rg,
// RG), table 58 (ca, CA). The miter limit is SVG's (SVG 1.1, 11.4). A quadratic curve is
// the cubic whose controls lie two thirds of the way to its own.
func TestOperators(t *testing.T) {
	orange, blue := display.Colour{R: 255, G: 102, B: 0}, display.Colour{R: 0, G: 51, B: 255}
	curve := *(&display.Path{}).At(0, 0).Curve(30, 60, 90, 0)
	corner := *(&display.Path{}).At(1, 2).To(3, 4).Close()
	tests := []struct {
		name  string
		path  display.Path
		style display.Style
		want  []string // lines, in this order
		state string   // of the graphics state that is used
	}{
		{"fill", corner, display.Style{Fill: display.Fill{On: true, Colour: orange, Opacity: 255}, Stroke: display.Fill{Opacity: 255}},
			[]string{"1 0.4 0 rg", "1 2 m 3 4 l h f"}, ""},
		{"stroke", corner, display.Style{Stroke: display.Fill{On: true, Colour: blue, Opacity: 255}, Fill: display.Fill{Opacity: 255},
			Width: 2.5, Dash: []float64{4, 2}}, []string{"0 0.2 1 RG", "2.5 w", "[4 2]0 d", "1 2 m 3 4 l h S"}, ""},
		{"curve", curve, display.Style{Fill: display.Fill{On: true, Colour: orange, Opacity: 255}, Stroke: display.Fill{Opacity: 255}},
			[]string{"0 0 m 20 40 50 40 90 0 c f"}, ""},
		{"opacity", corner, display.Style{Fill: display.Fill{On: true, Colour: orange, Opacity: 51},
			Stroke: display.Fill{On: true, Colour: blue, Opacity: 204}, Width: 1},
			[]string{"/G0 gs", "1 2 m 3 4 l h f", "1 2 m 3 4 l h S"}, "/G0<</ca 0.2/CA 0.8>>"},
	}
	for _, tt := range tests {
		data := write(t, &display.Drawing{W: 100, H: 100, Items: []display.Painted{{Path: tt.path, Style: &tt.style}}})
		found := false
		for _, stream := range structure(t, tt.name, data) {
			// A sign between numbers and the zero before a point are a matter of form.
			text := regexp.MustCompile(`(^|[ \[])\.`).ReplaceAllString(string(stream), "${1}0.")
			found = found || strings.Contains(text, " cm 4 M\n") && inOrder(text, tt.want)
		}
		if !found {
			t.Errorf("%s: no stream has %q", tt.name, tt.want)
		}
		if text := regexp.MustCompile(`(ca|CA) \.`).ReplaceAllString(string(data), "$1 0."); !strings.Contains(text, tt.state) {
			t.Errorf("%s: the graphics state %s is nowhere", tt.name, tt.state)
		}
	}
}

// inOrder reports whether the lines stand in the text, one after the other.
func inOrder(text string, lines []string) bool {
	for _, line := range lines {
		_, after, ok := strings.Cut("\n"+text, "\n"+line+"\n")
		if !ok {
			return false
		}
		text = after
	}
	return true
}

// TestAroundDrawn paints a text in which the font lacks one letter. The letters before it and after it
// are shown once, each at its place: a cell of Go Mono is 1229/2048 em wide, the ideograph takes two (Unicode
// Standard Annex 11).
func TestAroundDrawn(t *testing.T) {
	style := &display.Style{Size: 10, Fill: display.Fill{On: true, Opacity: 255}}
	d := &display.Drawing{W: 100, H: 100, Items: []display.Painted{{Style: style,
		Text: &display.Text{At: display.Pt{X: 5, Y: 20}, Runs: []display.StyledRun{{Text: "ab漢c", Style: style}}}}}}
	shown := regexp.MustCompile(`1 0 0 -1 (\S+) \S+ Tm<([0-9A-F]*)>`)
	found := ""
	data := write(t, d)
	if !strings.Contains(string(data), "[0 65535 600.0977]") { // widths in thousandths of an em (9.7.4.3): 1229/2048
		t.Error("the width of letters is not that of Go Mono")
	}
	for _, stream := range structure(t, "text", data) {
		for _, m := range shown.FindAllStringSubmatch(string(stream), -1) {
			found += fmt.Sprintf("%s:%d ", m[1], len(m[2])/4)
		}
	}
	if want := "5:2 29.0039:1 "; found != want { // 5 + 4 * 10 * 1229/2048
		t.Errorf("letters are shown at %q, want %q", found, want)
	}
}
