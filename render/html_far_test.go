package render_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/internal/testing/rendertest"
	"github.com/bpfcfg/bpfcfg/render"
)

// unpacked returns the payloads of a page's first program by id.
func unpacked(t *testing.T, page string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, m := range regexp.MustCompile(`<script type="text/plain" id="([a-z]+0-\d+)">([^<]*)</script>`).FindAllStringSubmatch(page, -1) {
		z, err := base64.StdEncoding.DecodeString(m[2])
		if err != nil {
			t.Fatal(err)
		}
		r, err := gzip.NewReader(bytes.NewReader(z))
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		out[m[1]] = string(text)
	}
	small := regexp.MustCompile(`<script type="application/json" id="([a-z]+0-\d+)">([^<]*)</script>`)
	for _, m := range small.FindAllStringSubmatch(page, -1) {
		out[m[1]] = m[2]
	}
	return out
}

// TestWindowedParts checks that the page of a large program is the same each time, and
// has the loops of the drawing. That its items are those of the drawing is tested in
// a browser.
func TestWindowedParts(t *testing.T) {
	for _, s := range []*render.Scene{rendertest.Random(900, 1), rendertest.Switch(1200)} {
		l, err := render.Place(s, render.PlaceOptions{})
		if err != nil {
			t.Fatal(err)
		}
		page, err := render.HTML(s, l)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := render.HTML(s, l); err != nil || !bytes.Equal(page, again) {
			t.Error("two pages of one program differ")
		}
		parts := unpacked(t, string(page))
		loops := strings.Count(string(render.SVG(s, l)), `<path class="loop"`)
		var data struct {
			Loops []int
		}
		if err := json.Unmarshal([]byte(parts["data0-0"]), &data); err != nil {
			t.Fatal(err)
		}
		n := 0
		for i := 0; i < len(data.Loops); i += 2 + 4*data.Loops[i+1] {
			n++
		}
		if n != loops {
			t.Errorf("the page has %d loops, the drawing %d", n, loops)
		}
	}
}
