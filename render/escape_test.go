package render

import "testing"

func TestXMLText(t *testing.T) {
	got := xmlText(`<a b="c" d='e'>&amp;` + "\x00")
	if want := `&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;&amp;amp;\x00`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestClip(t *testing.T) {
	for _, c := range []struct {
		in   string
		cols int
		want string
	}{
		{"abcdef", 6, "abcdef"}, {"abcdefg", 6, "abcde…"}, {"漢字漢字", 8, "漢字漢字"},
		{"漢字漢字x", 8, "漢字漢…"}, {"", 4, ""}, {"→→→→→", 4, "→→→…"},
	} {
		got, cut := clip(c.in, c.cols)
		if got != c.want || cut != (c.want != c.in) || columns(got) > c.cols {
			t.Errorf("clip(%q, %d) = %q, %v", c.in, c.cols, got, cut)
		}
	}
}

func TestRanges(t *testing.T) {
	for _, c := range []struct {
		in   []int
		want string
	}{{nil, ""}, {[]int{3}, "3"}, {[]int{3, 4}, "3, 4"}, {[]int{0, 2, 3, 4, 9}, "0, 2–4, 9"}} {
		if got := Ranges(c.in); got != c.want {
			t.Errorf("Ranges(%v) = %q, want %q", c.in, got, c.want)
		}
	}
}
