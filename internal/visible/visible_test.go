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
		{"a\nb\tc\r", `a\nb\tc\r`},
		{"\x00\x1b[31m\x7f", `\x00\x1b[31m\x7f`},
		{"\xff\xc3", `\xff\xc3`},
		{"\u0085\u00a0\u00ad", `\x85\xa0\xad`},
		{"a\u202eb\u2066c\u200bd\ufeff", `a\u{202e}b\u{2066}c\u{200b}d\u{feff}`},
		{"e\u0301", `e\u{301}`},
		{"\ufffe\uffff", `\u{fffe}\u{ffff}`},
		{"\ufffd", `\u{fffd}`},
		{"\u2028\u2029", `\u{2028}\u{2029}`},
		{"Grüße 漢字 → …", "Grüße 漢字 → …"},
		{"\u05e9\u05dc", `\u{5e9}\u{5dc}`},
		{"\U000e0041", `\u{e0041}`},
		// What comes after such a letter is escaped, too: text in two directions ends nothing.
		{"\u05e9\x1b[31m", `\u{5e9}\x1b[31m`},
		{"x\u0627\u202ey\nz\xff\u05dc\t", `x\u{627}\u{202e}y\nz\xff\u{5dc}\t`},
	} {
		if got := Text(c.in); got != c.want {
			t.Errorf("Text(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

// TestMixed checks that each character is escaped whatever others are around it: what
// Text makes of a string is what it makes of its parts.
func TestMixed(t *testing.T) {
	parts := []string{"a", "\u05e9", "\u0627", "\x1b", "\n", "\u202e", "\xff", "ö", "漢", "\u0301", " "}
	for _, a := range parts {
		for _, b := range parts {
			for _, c := range parts {
				if got, want := Text(a+b+c), Text(a)+Text(b)+Text(c); got != want {
					t.Errorf("Text(%q) = %q, want %q", a+b+c, got, want)
				}
			}
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
