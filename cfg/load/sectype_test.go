package load

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestSectionTypes compares with what libbpf submits for programs in sections
// of these names: testdata/sections.txt, made by testdata/libbpf/sections.sh.
// There, programs without a type were submitted as socket filters.
func TestSectionTypes(t *testing.T) {
	data, err := os.ReadFile("testdata/sections.txt")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	if len(lines) < 100 {
		t.Fatalf("%d sections", len(lines))
	}
	for _, line := range lines {
		sec, want, _ := strings.Cut(line, " ")
		typ, flags := sectionType(sec)
		if typ == "" && strings.HasPrefix(want, "type=socket_filter") && sec != "socket" {
			typ = "socket_filter"
		}
		got := fmt.Sprintf("type=%s flags=%#x", typ, flags)
		if flags == 0 {
			got = fmt.Sprintf("type=%s flags=0", typ)
		}
		if got != want {
			t.Errorf("section %q: %s, want %s", sec, got, want)
		}
	}
	// Not to be had without a kernel.
	for sec, want := range map[string]string{
		"struct_ops/select_cpu": "struct_ops 0", "struct_ops.s/init": "struct_ops 16", "freplace/f": "ext 0", "": " 0",
	} {
		if typ, flags := sectionType(sec); fmt.Sprint(typ, " ", flags) != want {
			t.Errorf("section %q: %s %d, want %s", sec, typ, flags, want)
		}
	}
}
