package tidy

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// aPath is a path of members in jit/rewrite: "sk_buff.dev/net_device.ifindex".
var aPath = regexp.MustCompile(`"([a-z_0-9]+\.[a-zA-Z_0-9.+/]+)"`)

// TestStructNames compares the members of kernel structures that jit/rewrite names, the list from
// which tools/structgen looks them up, and the offsets that it found.
func TestStructNames(t *testing.T) {
	read := func(name string) string {
		data, err := os.ReadFile(filepath.Join(root, "jit/rewrite", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	names := strings.Fields(read("structnames.txt"))
	if !slices.IsSorted(names) || len(names) < 100 {
		t.Errorf("structnames.txt: %d names, want at least 100, sorted", len(names))
	}
	var found []string
	for line := range strings.Lines(read("structs.txt")) {
		if name, _, _ := strings.Cut(line, " "); name != "build" {
			found = append(found, name)
		}
	}
	for _, name := range names {
		if !slices.Contains(found, name) {
			t.Errorf("%s is in structnames.txt but in no build of structs.txt: write structs.txt again by tools/structgen", name)
		}
	}
	for _, file := range []string{"ctxfields.go", "tcpfields.go"} {
		for _, m := range aPath.FindAllStringSubmatch(read(file), -1) {
			for _, name := range strings.FieldsFunc(m[1], func(r rune) bool { return r == '/' || r == '+' }) {
				if strings.Contains(name, ".") && name != "github.com" && !slices.Contains(names, name) {
					t.Errorf("%s names %s, which structnames.txt lacks", file, name)
				}
			}
		}
	}
}
