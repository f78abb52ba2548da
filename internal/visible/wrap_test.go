package visible_test

import (
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/internal/visible"
)

func TestWrapper(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"short\n", "short\n"},
		{"no end", "no end"},
		{"one two three four five six seven\n", "one two three four\n  five six seven\n"},
		{"    fix: remove the test when it is\n", "    fix: remove the\n      test when it\n      is\n"},
		{"f.c:3  note  the message is long\n", "f.c:3  note  the\n       message is\n       long\n"},
		{"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa b c\n", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n  b c\n"},
		{"\x1b[31mone two three four\x1b[0m five six\n", "\x1b[31mone two three four\x1b[0m\n  five six\n"},
		{"ääää ääää ääää ääää\n", "ääää ääää ääää ääää\n"},
		{strings.Repeat(" ", 40) + "x y\n", strings.Repeat(" ", 40) + "x\n" + strings.Repeat(" ", 10) + "y\n"},
		{"\n\n", "\n\n"},
	} {
		for _, piece := range []int{1, 7, 1000} { // however it comes
			var out strings.Builder
			w := visible.NewWrapper(&out, 20)
			for rest := c.in; rest != ""; {
				n := min(piece, len(rest))
				if _, err := w.Write([]byte(rest[:n])); err != nil {
					t.Fatal(err)
				}
				rest = rest[n:]
			}
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
			if out.String() != c.want {
				t.Errorf("%q: %q, want %q", c.in, out.String(), c.want)
			}
		}
	}
}
