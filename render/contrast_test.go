package render

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// sheet is a style sheet: properties by selector.
type sheet map[string]map[string]string

// readSheet reads the rules of the style sheet for one scheme: those outside of the
// media query, and for the dark one those inside on top.
func readSheet(t *testing.T, dark bool) sheet {
	t.Helper()
	light, rest, ok := strings.Cut(theme().CSS(""), "@media (prefers-color-scheme: dark) {")
	if !ok {
		t.Fatal("no dark scheme")
	}
	s := sheet{}
	read := func(css string) {
		for _, m := range regexp.MustCompile(`([^{}]+)\{([^{}]*)\}`).FindAllStringSubmatch(css, -1) {
			for sel := range strings.SplitSeq(m[1], ",") {
				sel = strings.TrimSpace(sel)
				if s[sel] == nil {
					s[sel] = map[string]string{}
				}
				for decl := range strings.SplitSeq(m[2], ";") {
					if k, v, ok := strings.Cut(decl, ":"); ok {
						s[sel][strings.TrimSpace(k)] = strings.TrimSpace(v)
					}
				}
			}
		}
	}
	read(light)
	if dark {
		read(rest)
	}
	return s
}

// rgb is a colour with parts from 0 to 1.
type rgb [3]float64

func (s sheet) colour(t *testing.T, selector, property string) rgb {
	t.Helper()
	v := s[selector][property]
	n, err := strconv.ParseUint(strings.TrimPrefix(v, "#"), 16, 32)
	if err != nil || len(v) != 7 {
		t.Fatalf("%s of %s is no colour: %q", property, selector, v)
	}
	return rgb{float64(n>>16) / 255, float64(n>>8&255) / 255, float64(n&255) / 255}
}

// over lays a colour of some opacity over another.
func (c rgb) over(below rgb, opacity float64) rgb {
	for i := range c {
		c[i] = c[i]*opacity + below[i]*(1-opacity)
	}
	return c
}

// luminance and contrast are those of WCAG 2.2, "relative luminance" and
// "contrast ratio".
func (c rgb) luminance() float64 {
	for i, v := range c {
		if v <= 0.04045 {
			c[i] = v / 12.92
		} else {
			c[i] = math.Pow((v+0.055)/1.055, 2.4)
		}
	}
	return 0.2126*c[0] + 0.7152*c[1] + 0.0722*c[2]
}

func contrast(a, b rgb) float64 {
	x, y := a.luminance(), b.luminance()
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// TestContrast computes the contrast of each kind of text on each ground that it
// stands on, in both schemes: at least 4.5, as WCAG 2.2 wants of small text
// (1.4.3). Lines and signs need 3 (1.4.11).
func TestContrast(t *testing.T) {
	var pieces, heads, blocks []string
	for i := range palette {
		pieces = append(pieces, fmt.Sprintf(".c%d", i))
	}
	for i := range heatLevels + 1 {
		heads = append(heads, fmt.Sprintf(".q%d", i))
	}
	for _, m := range markSigns {
		heads = append(heads, ".head.m-"+m.class)
	}
	heads = append(heads, ".head", ".head.m-other")
	blocks = []string{".box", ".line.m-added", ".line.m-removed"}
	join := func(lists ...[]string) []string {
		var out []string
		for _, l := range lists {
			out = append(out, l...)
		}
		return out
	}
	for _, dark := range []bool{false, true} {
		s := readSheet(t, dark)
		check := func(selector, property string, least, opacity float64, grounds ...string) {
			for _, g := range grounds {
				below := s.colour(t, g, "fill")
				got := contrast(s.colour(t, selector, property).over(below, opacity), below)
				if got < least {
					t.Errorf("dark %v: %s of %s on %s: %.2f, want %.1f", dark, property, selector, g, got, least)
				}
			}
		}
		text := func(selector string, grounds ...string) { check(selector, "fill", 4.5, 1, grounds...) }
		text("text", join(pieces, heads, blocks, []string{".page", ".frame", ".hub", ".plain", ".chip", ".bad", ".gotox"})...)
		dim, err := strconv.ParseFloat(s[".dim"]["fill-opacity"], 64)
		if err != nil {
			t.Fatal(err)
		}
		check("text", "fill", 4.5, dim, append(pieces, ".plain")...)
		text(".slot", append(blocks, ".head")...)
		text(".fold", ".box", ".hub")
		text(".note", ".page", ".frame")
		text(".sub", ".page", ".hub")
		text(".off", ".page", ".hub")
		text(".src", blocks...)
		text(".state", blocks...)
		text(".badtext", ".bad")
		text(".good", ".page")
		text(".lab", ".frame")
		text(".loopname", ".frame")
		text(".ref", ".chip", ".hub", ".box")
		for _, k := range append(kindStyles(), styleDead) {
			check(fmt.Sprintf(".k%d", k), "stroke", 3, 1, ".frame", ".page")
			check(fmt.Sprintf(".a%d", k), "fill", 3, 1, ".frame", ".page")
		}
		check(".open", "stroke", 3, 1, ".frame")
		check(".mark", "stroke", 3, 1, ".head")
		check(".solidmark", "fill", 3, 1, ".head")
		check(".endbr", "fill", 3, 1, ".page")
		for _, m := range markSigns {
			check(".box.m-"+m.class, "stroke", 3, 1, ".frame")
		}
	}
}

// TestLoopContrast is TestContrast for the ground of a loop in a loop in a loop.
func TestLoopContrast(t *testing.T) {
	for _, dark := range []bool{false, true} {
		s := readSheet(t, dark)
		ground := s.colour(t, ".frame", "fill")
		opacity, err := strconv.ParseFloat(strings.Replace(s[".loop"]["fill-opacity"], ".", "0.", 1), 64)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			ground = s.colour(t, ".loop", "fill").over(ground, opacity)
			for _, sel := range []string{".lab", ".loopname"} {
				if got := contrast(s.colour(t, sel, "fill"), ground); got < 4.5 {
					t.Errorf("dark %v: %s: %.2f", dark, sel, got)
				}
			}
		}
	}
}

// kindStyles returns the styles of the kinds of edge.
func kindStyles() []int {
	return []int{styleFall, styleTaken, styleGoto, styleIndirect, styleOther, styleUnwind}
}

// TestKindsWithoutColour: each kind of line has a dash pattern or a width of its own, and so does
// each mark, apart from its word.
func TestKindsWithoutColour(t *testing.T) {
	s := readSheet(t, false)
	seen := map[string]int{}
	for _, k := range append(kindStyles(), styleDead) {
		p := s[fmt.Sprintf(".k%d", k)]
		look := p["stroke-dasharray"] + "/" + p["stroke-width"]
		if other, is := seen[look]; is {
			t.Errorf("kinds %d and %d look the same: %q", other, k, look)
		}
		seen[look] = k
		dark := readSheet(t, true)[fmt.Sprintf(".k%d", k)]
		if dark["stroke-dasharray"] != p["stroke-dasharray"] || dark["stroke-width"] != p["stroke-width"] {
			t.Errorf("kind %d differs between the schemes", k)
		}
	}
	signs := map[string]bool{}
	for _, m := range markSigns {
		if signs[m.sign] || m.sign == "*" {
			t.Errorf("sign %q twice", m.sign)
		}
		signs[m.sign] = true
	}
}

// TestSheetForOthers checks what programs with partial support of CSS need: Inkscape 1.2 applies
// the shorthand "font" to more than its class, and shows what is hidden; librsvg 2.54 has no
// variables.
func TestSheetForOthers(t *testing.T) {
	for _, word := range []string{"font:", "visibility", "var(", "@import", "url(h", "@font-face", "calc("} {
		if strings.Contains(theme().CSS(""), word) {
			t.Errorf("the style sheet has %q", word)
		}
	}
}
