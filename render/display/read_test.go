package display_test

import (
	"bytes"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/internal/testenv"
	"github.com/bpfcfg/bpfcfg/render"
	"github.com/bpfcfg/bpfcfg/render/display"
	"github.com/bpfcfg/bpfcfg/render/rendertest"
)

// drawings returns every kind of drawing that package render writes.
func drawings(t *testing.T) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	add := func(name string, s *render.Scene, opt render.PlaceOptions) {
		l, err := render.Place(s, opt)
		if err != nil {
			t.Fatal(err)
		}
		out[name] = render.SVG(s, l)
	}
	for _, s := range rendertest.Samples() {
		for _, v := range []render.View{render.ViewBoth, render.ViewCFG, render.ViewLayout} {
			add(s.Name+" "+string(v), s.Scene, render.PlaceOptions{View: v})
		}
	}
	add("large", rendertest.Random(1000, 1), render.PlaceOptions{})
	add("hostile", rendertest.Hostile("<b>&amp;\x1b\u202e]]> 漢字"), render.PlaceOptions{})
	marked := rendertest.Three()
	n := uint64(7)
	marked.Blocks[0].Count, marked.Counted = &n, "visits"
	marked.Notes = []string{"a note"}
	marked.Mismatches = []string{"one", "two"}
	marked.Blocks[1].Reachable = false
	marked.Edges[0].Dead = true
	add("marked", marked, render.PlaceOptions{})
	for _, file := range testenv.Glob(t, "../docs/gallery/*.svg") {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		out[file] = data
	}
	return out
}

// TestKnowsAll demands that Read passes over nothing: no element, attribute,
// selector or property of ours is unknown to it.
func TestKnowsAll(t *testing.T) {
	for name, svg := range drawings(t) {
		for _, scheme := range []display.Scheme{display.Light, display.Dark} {
			d, err := display.Read(svg, scheme)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if len(d.Unknown) > 0 {
				t.Errorf("%s, %s: not known: %s", name, scheme, strings.Join(d.Unknown, "; "))
			}
		}
	}
}

// TestAllTextIsThere compares the texts of a drawing with those of the file, by
// another way to read them: cutting at the tags.
func TestAllTextIsThere(t *testing.T) {
	for name, svg := range drawings(t) {
		d, err := display.Read(svg, display.Light)
		if err != nil {
			t.Fatal(err)
		}
		i := 0
		for _, it := range d.Items {
			if it.Text == nil {
				continue
			}
			for _, r := range it.Text.Runs {
				escaped := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&#39;").Replace(r.Text)
				at := bytes.Index(svg[i:], []byte(escaped+"</t"))
				if at < 0 {
					at = bytes.Index(svg[i:], []byte(escaped+"<tspan"))
				}
				if at < 0 {
					t.Fatalf("%s: text %q does not follow in the file", name, r.Text)
				}
				i += at
			}
		}
		texts := 0
		for _, it := range d.Items {
			if it.Text != nil {
				texts++
			}
		}
		if want := bytes.Count(svg, []byte("<text ")); texts > want || texts < want*9/10 {
			t.Errorf("%s: %d texts, the file has %d", name, texts, want)
		}
	}
}

const head = `<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10" viewBox="0 0 10 10">`

func TestCascade(t *testing.T) {
	svg := head + `<style>
rect { fill: #111111; } .a { fill: #222222; } g .a { fill: #333333; } .b.a { fill: #444444; }
.a:hover { fill: #555555; } #x { fill: #666666; } g > rect.c { fill: #777777; stroke-width: 3px; }
@media (prefers-color-scheme: dark) { rect { fill: #888888; } }
</style><rect width="1" height="1"/><rect class="a" width="1" height="1"/><g><rect class="a" width="1" height="1"/>` +
		`<rect class="a b" width="1" height="1"/><rect id="x" class="a b" width="1" height="1"/>` +
		`<a href="#y"><rect class="c" width="1" height="1"/></a><rect class="c" width="1" height="1"/></g></svg>`
	// Worked out by hand: CSS Cascading 4, section 6; Selectors 4, section 17.
	// ".b.a" and "g .a" weigh (0,2,0) and (0,1,1).
	for scheme, first := range map[display.Scheme]uint8{display.Light: 0x11, display.Dark: 0x88} {
		want := []uint8{first, 0x22, 0x33, 0x44, 0x66, first, 0x77}
		d, err := display.Read([]byte(svg), scheme)
		if err != nil || len(d.Unknown) > 0 || len(d.Items) != len(want) {
			t.Fatal(err, d)
		}
		for i, it := range d.Items {
			if it.Style.Fill.Colour.R != want[i] {
				t.Errorf("%s: rectangle %d is %x, want %x", scheme, i, it.Style.Fill.Colour.R, want[i])
			}
		}
	}
}

func TestUnknown(t *testing.T) {
	for _, c := range []struct{ body, want string }{
		{`<circle r="3"/>`, "element circle"},
		{`<rect width="1" height="1" transform="scale(2)"/>`, "attribute transform of rect"},
		{`<style>.a::before { fill: #000000; }</style>`, "selector"},
		{`<style>.a { mix-blend-mode: multiply; }</style>`, "mix-blend-mode"},
		{`<style>.a { fill: hotpink; }</style>`, "hotpink"},
		{`<style>@media (min-width: 3px) { .a { fill: #000000; } }</style>`, "min-width"},
		{`<g>stray</g>`, "text in g"},
	} {
		d, err := display.Read([]byte(head+c.body+"</svg>"), display.Light)
		if err != nil || len(d.Unknown) == 0 || !strings.Contains(d.Unknown[0], c.want) {
			t.Errorf("%s: %v, %v; want a word on %q", c.body, d, err, c.want)
		}
	}
}

func TestRefuses(t *testing.T) {
	for _, svg := range []string{
		"", "text", "<html></html>", head, head + "</g></svg>", `<svg width="0" height="3"></svg>`,
		head + `<path d="M0 0L1"/></svg>`, head + `<path d="L1 1"/></svg>`, head + `<rect width="NaN" height="1"/></svg>`,
	} {
		if d, err := display.Read([]byte(svg), display.Light); err == nil {
			t.Errorf("%q: read as %+v", svg, d)
		}
	}
}

// TestPath checks points of paths against values worked out by hand.
func TestPath(t *testing.T) {
	for _, c := range []struct {
		d   string
		end display.Pt
	}{
		{"M1 2L3 4", display.Pt{X: 3, Y: 4}},
		{"M1 2l3-4", display.Pt{X: 4, Y: -2}},
		{"M1 2h3v-4h-1", display.Pt{X: 3, Y: -2}},
		{"M5 5m1 1 2 2", display.Pt{X: 8, Y: 8}},
		{"M0 0q1 0 1 1", display.Pt{X: 1, Y: 1}},
		{"M0 0c1 0 1 1 2 2C0 0 0 0 7 7", display.Pt{X: 7, Y: 7}},
		{"M10 0a4 4 0 1 1-3-2", display.Pt{X: 7, Y: -2}},
		{"M.5.5-1-1", display.Pt{X: -1, Y: -1}},
	} {
		dr, err := display.Read([]byte(head+`<path d="`+c.d+`"/></svg>`), display.Light)
		if err != nil || len(dr.Items) != 1 {
			t.Errorf("%s: %v", c.d, err)
			continue
		}
		pts := dr.Items[0].Path.Pts
		if got := pts[len(pts)-1]; math.Hypot(got.X-c.end.X, got.Y-c.end.Y) > 1e-9 {
			t.Errorf("%s ends at %v, want %v", c.d, got, c.end)
		}
	}
}

// TestArc checks that all points of an arc are on a circle, and that a large arc
// is the long way round.
func TestArc(t *testing.T) {
	dr, err := display.Read([]byte(head+`<path d="M10 0A5 5 0 1 1 0 0"/><path d="M10 0A10 10 0 1 1 5 5"/></svg>`), display.Light)
	if err != nil {
		t.Fatal(err)
	}
	p := dr.Items[0].Path // a half circle around 5, 0, clockwise as y points down: by 5, 5
	lowest := 0.0
	for i := 3; i < len(p.Pts); i += 3 {
		q := p.Pts[i]
		if r := math.Hypot(q.X-5, q.Y); math.Abs(r-5) > 1e-9 {
			t.Errorf("point %v is %v from the centre, want 5", q, r)
		}
		lowest = max(lowest, q.Y)
	}
	if math.Abs(lowest-5) > 1e-9 {
		t.Errorf("the lowest point is at %v, want 5", lowest)
	}
	if n := len(dr.Items[1].Path.Ops); n < 4 {
		t.Errorf("a large arc has %d curves, want more than half a circle", n-1)
	}
}
