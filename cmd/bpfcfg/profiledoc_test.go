package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/jit"
)

// TestProfilesDocumented compares the built-in profiles with the table in docs/profiles.md: each has
// a row, which says whether it was compared with a kernel; the default is the newest that was.
func TestProfilesDocumented(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join("..", "..", "docs", "profiles.md"))
	if err != nil {
		t.Fatal(err)
	}
	compared := map[string]string{}
	for line := range strings.Lines(string(doc)) {
		cells := strings.Split(line, "|")
		if len(cells) != 5 || !strings.HasPrefix(cells[1], " `linux-") {
			continue
		}
		for _, m := range regexp.MustCompile("`(.+?)`").FindAllStringSubmatch(cells[1], -1) {
			compared[m[1]] = strings.TrimSpace(cells[3])
		}
	}
	newest := ""
	for _, name := range jit.ProfileNames() {
		p, err := jit.LookupProfile(name)
		if err != nil {
			t.Fatal(err)
		}
		want := "no"
		if p.Verified() {
			want = "yes"
			if newest == "" {
				newest = name
			}
		}
		if compared[name] != want {
			t.Errorf("the table in docs/profiles.md has %q for %s, want %q", compared[name], name, want)
		}
	}
	if newest != jit.DefaultProfile {
		t.Errorf("the default is %s, want %s, the newest that was compared with a kernel: DefaultProfile in "+
			"jit/profiles.go", jit.DefaultProfile, newest)
	}
}
