package pdf

import (
	"bytes"
	"regexp"
	"testing"

	"github.com/bpfcfg/bpfcfg/internal/testing/rendertest"
)

// numberless matches what a PDF has no syntax for (ISO 32000-1, 7.3.3).
var numberless = regexp.MustCompile(`NaN|Inf`)

// FuzzWrite writes drawings of any bytes: each becomes a file with a table of
// objects where the end says, each object where the table says, with nothing in the
// page that is no number, and the same twice.
func FuzzWrite(f *testing.F) {
	for _, data := range rendertest.DrawingSeeds() {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		d := rendertest.Drawing(data)
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
