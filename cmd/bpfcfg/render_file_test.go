package main

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestPictureNames(t *testing.T) {
	for _, c := range []struct {
		input    string
		programs []string
		want     []string
	}{
		{"a/b/x.o", []string{"f", "g"}, []string{"x.f.svg", "x.g.svg"}},
		{"-", []string{"f"}, []string{"stdin.f.svg"}},
		{"raw:../p.bin", []string{"f"}, []string{"p.bin.f.svg"}},
		{"x.o", []string{"f", "f", "f-2", "F"}, []string{"x.f.svg", "x.f-2.svg", "x.f-2-2.svg", "x.F-3.svg"}},
		{"x.o", []string{"../../etc/passwd", "a\x00b", "", "..", "a/b"},
			[]string{"x._._.._etc_passwd.svg", "x.a_b.svg", "x._.svg", "x._..svg", "x.a_b-2.svg"}},
		{"con.o", []string{"f"}, []string{"_con.f.svg"}},
		{"LPT1.o", []string{"f"}, []string{"_LPT1.f.svg"}},
		{"-rf.o", []string{"f"}, []string{"_-rf.f.svg"}},
	} {
		got := pictureNames(c.input, c.programs, "svg")
		if !slices.Equal(got, c.want) {
			t.Errorf("%s %q: %q, want %q", c.input, c.programs, got, c.want)
		}
		for _, name := range got {
			if filepath.Base(name) != name || len(name) > 255 || strings.HasPrefix(name, ".") {
				t.Errorf("%q is no plain file name", name)
			}
		}
	}
}

func TestOpenCommand(t *testing.T) {
	screen := map[string]string{"DISPLAY": ":0"}
	abs, err := filepath.Abs("a b.svg")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		system string
		env    map[string]string
		path   string
		want   string
	}{
		{"darwin", nil, "x.svg", "open x.svg"},
		{"linux", screen, "x.svg", "xdg-open x.svg"},
		{"linux", screen, "it's.svg", `xdg-open 'it'\''s.svg'`},
		{"linux", screen, "-x.svg", "xdg-open ./-x.svg"},
		{"windows", nil, `C:\a b.svg`, `start "" "C:\a b.svg"`},
		{"linux", map[string]string{"WSL_DISTRO_NAME": "Debian"}, "x.svg", "explorer.exe x.svg"},
		{"linux", nil, "a b.svg", "file://" + strings.ReplaceAll(filepath.ToSlash(abs), " ", "%20")},
	} {
		if got := openCommand(c.system, func(k string) string { return c.env[k] }, c.path); got != c.want {
			t.Errorf("%s %v %s: %s, want %s", c.system, c.env, c.path, got, c.want)
		}
	}
}
