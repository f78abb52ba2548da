package visible

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestText(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", ""},
		{"plain name_1", "plain name_1"},
		{"größe", "größe"},
		{"a\x1b[31mb", `a\x1b[31mb`},
		{"two\nlines\ttab", `two\x0alines\x09tab`},
		{"evil\u202ename", `evil\u202ename`},
		{"zero\u200bwidth", `zero\u200bwidth`},
		{"nbsp\u00a0x", `nbsp\u00a0x`},
		{"bad\xffbyte", `bad\xffbyte`},
		{"c1\u009b31m", `c1\u009b31m`},
		{"tag\U000e0001", `tag\U000e0001`},
	} {
		if got := Text(c.in); got != c.want {
			t.Errorf("Text(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

func FuzzText(f *testing.F) {
	f.Add("a\x1b]0;x\x07\u202e\xff")
	f.Fuzz(func(t *testing.T, s string) {
		out := Text(s)
		if !utf8.ValidString(out) {
			t.Fatalf("Text(%q) = %q is not UTF-8", s, out)
		}
		for _, r := range out {
			if unicode.Is(unicode.C, r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r) {
				t.Fatalf("Text(%q) = %q holds %U", s, out, r)
			}
		}
		if Text(out) != out {
			t.Fatalf("Text is not stable on %q", out)
		}
	})
}

func TestFileName(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", "_"}, {"f1", "f1"}, {"../../etc/passwd", "_._.._etc_passwd"},
		{".hidden", "_hidden"}, {"a/b\\c\x00d", "a_b_c_d"}, {"..", "_."},
		{"con", "_con"}, {"CON.layout", "_CON.layout"}, {"lpt9.x.y", "_lpt9.x.y"}, {"com", "com"}, {"console", "console"},
	} {
		if got := FileName(c.in); got != c.want {
			t.Errorf("FileName(%q) = %q, want %q", c.in, got, c.want)
		}
	}
	if got := FileName(strings.Repeat("x", 5000)); len(got) != 100 {
		t.Errorf("a long name becomes %d bytes", len(got))
	}
}
