package render_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
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

// TestWindowedParts checks that the parts of a large program's page are the
// drawing, line by line but for loops, which the page's script draws.
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
		var frame []string
		if err := json.Unmarshal([]byte(parts["frame0-0"]), &frame); err != nil || len(frame) != 2 {
			t.Fatalf("frame: %v", err)
		}
		lines := strings.Split(string(page), "\n") // the style sheet is at its head
		blocks := 0
		for _, kind := range []string{"draw", "table"} {
			for i := 0; ; i++ {
				text, ok := parts[fmt.Sprintf("%s0-%d", kind, i)]
				if !ok {
					break
				}
				for line := range strings.SplitSeq(text, "\n") {
					if kind == "draw" {
						if !strings.Contains(line, fmt.Sprintf(` id="b%d"`, blocks)) {
							t.Fatalf("block %d is %.60s", blocks, line)
						}
						blocks++
						line = unmoved(t, line)
					}
					lines = append(lines, line)
				}
			}
		}
		if blocks != len(s.Blocks) {
			t.Errorf("%d of %d blocks are in the page", blocks, len(s.Blocks))
		}
		for _, f := range frame {
			lines = append(lines, strings.Split(strings.TrimSuffix(f, "\n"), "\n")...)
		}
		loops := 0
		for line := range strings.SplitSeq(strings.TrimSuffix(string(render.SVG(s, l)), "\n"), "\n") {
			if strings.HasPrefix(line, `<path class="loop"`) {
				loops++
				continue
			}
			if line != "</svg>" && !slices.Contains(lines, line) {
				t.Errorf("the page lacks %.80s", line)
			}
		}
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

var (
	moved = regexp.MustCompile(` transform="translate\((-?\d+) (-?\d+)\)"`)
	place = regexp.MustCompile(`( x="|M)(-?[\d.]+)(" y="|)( |)(-?[\d.]+)`)
)

// unmoved returns the markup of a group that is moved by a transform without that:
// its places as they are in the picture.
func unmoved(t *testing.T, line string) string {
	m := moved.FindStringSubmatch(line)
	if m == nil {
		t.Fatalf("nothing moves %.80s", line)
	}
	by := func(n int, place string) string {
		d, err := strconv.ParseFloat(m[n], 64)
		v, err2 := strconv.ParseFloat(place, 64)
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		return strconv.FormatFloat(v+d, 'f', -1, 64)
	}
	return place.ReplaceAllStringFunc(strings.Replace(line, m[0], "", 1), func(at string) string {
		p := place.FindStringSubmatch(at)
		x, y := by(1, p[2]), by(2, p[5])
		if p[3] == "" && p[4] == "" || p[4] == " " {
			if p[4] = " "; y[0] == '-' {
				p[4] = ""
			}
		}
		return p[1] + x + p[3] + p[4] + y
	})
}
