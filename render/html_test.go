package render_test

import (
	"crypto/sha256"
	"encoding/base64"
	"regexp"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/internal/testing/rendertest"
	"github.com/bpfcfg/bpfcfg/render"
)

func page(t *testing.T, s *render.Scene, v render.View) string {
	t.Helper()
	l, err := render.Place(s, render.PlaceOptions{View: v})
	if err != nil {
		t.Fatal(err)
	}
	out, err := render.HTML(s, l)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// TestHTML checks that the policy allows exactly the page's own script and
// styles, and that a hostile name adds no element.
func TestHTML(t *testing.T) {
	plain := page(t, rendertest.Hostile("name"), render.ViewBoth)
	for _, text := range []string{
		"name", "</script><script>alert(1)</script>", "</style></svg><img src=x onerror=y>",
		"{{js}}{{svg}}{{data}}", "<!--", "]]>", "\u2028", "$&",
	} {
		out := page(t, rendertest.Hostile(text), render.ViewBoth)
		csp := regexp.MustCompile(`Content-Security-Policy" content="([^"]*)"`).FindStringSubmatch(out)
		if csp == nil || !strings.HasPrefix(csp[1], "default-src 'none';") || strings.Contains(csp[1], "unsafe") {
			t.Fatalf("policy %q", csp)
		}
		inline := regexp.MustCompile(`(?s)<(?:style|script)>(.*?)</(?:style|script)>`)
		for _, m := range inline.FindAllStringSubmatch(out, -1) {
			sum := sha256.Sum256([]byte(m[1]))
			if h := base64.StdEncoding.EncodeToString(sum[:]); !strings.Contains(csp[1], h) {
				t.Errorf("%q: element of %d bytes is not allowed", text, len(m[1]))
			}
		}
		for _, tag := range []string{"<script", "<style", "<svg", "<img", "<!--", "</html>"} {
			if got, want := strings.Count(out, tag), strings.Count(plain, tag); got != want {
				t.Errorf("%q: %d times %s, want %d", text, got, tag, want)
			}
		}
		if strings.Count(out, "http") != strings.Count(out, "http://www.w3.org/2000/svg")+1 { // http-equiv
			t.Errorf("%q: reference to the outside", text)
		}
	}
}
