package golden

import (
	"strings"
	"testing"
)

// TestUnverified checks the word on a kernel that nothing was compared with: it is read
// back, and a file without it, of older versions, is no other layout.
func TestUnverified(t *testing.T) {
	l := &File{Profile: "linux-next", Unverified: true, Program: "f", Insns: 1, Xlated: 1, Image: 1, Hash: "0", Code: "0"}
	text := l.Text()
	if !strings.Contains(text, "\nprofile linux-next (unverified)\n") {
		t.Error(text)
	}
	for _, form := range []string{text, strings.Replace(text, " (unverified)", "", 1)} {
		back, err := Parse(form)
		if err != nil || back.Profile != l.Profile || back.Text() != form {
			t.Fatal(back, err)
		}
		if c := Compare(back, l); len(c) != 0 {
			t.Errorf("%q: %v", form, c)
		}
	}
}
