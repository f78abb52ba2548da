package pdf

import (
	"bytes"
	"regexp"
	"testing"

	"github.com/bpfcfg/bpfcfg/render"
	"github.com/bpfcfg/bpfcfg/render/display"
	"github.com/bpfcfg/bpfcfg/render/rendertest"
)

// numberless matches what a PDF has no syntax for (ISO 32000-1, 7.3.3).
var numberless = regexp.MustCompile(`NaN|Inf`)

// FuzzWrite writes drawings of changed SVG files: whatever display.Read lets through
// becomes a file with a table of objects where the end says, each object where the
// table says, with nothing in the page that is no number, and the same twice.
func FuzzWrite(f *testing.F) {
	for _, s := range []*render.Scene{rendertest.Three(), rendertest.Hostile("界 é\u202e")} {
		l, err := render.Place(s, render.PlaceOptions{})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(render.SVG(s, l))
	}
	f.Add([]byte(`<svg xmlns="http://www.w3.org/2000/svg" width="1e300" height="1e-300" viewBox="0 0 10 10">` +
		`<path d="M0 0c1 1 2 2 3 3z" fill="#123456"/><text x="1" y="2">a</text></svg>`))
	f.Fuzz(func(t *testing.T, svg []byte) {
		d, err := display.Read(svg, display.Light)
		if err != nil {
			return
		}
		var a, b bytes.Buffer
		if _, err := Write(&a, d); err != nil {
			t.Fatal(err)
		}
		if _, err := Write(&b, d); err != nil || !bytes.Equal(a.Bytes(), b.Bytes()) {
			t.Errorf("a second file differs: %v", err)
		}
		for _, stream := range structure(t, "changed", a.Bytes()) {
			if n := numberless.Find(stream); n != nil && bytes.Contains(stream, []byte(" cm 4 M\n")) {
				t.Errorf("%q in the page", n)
			}
		}
	})
}
