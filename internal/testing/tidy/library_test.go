package tidy

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestLibraryProgram compares the first program of docs/library.md with the Example function
// that compiles and runs: each line of the document is a line of it, in the same order.
func TestLibraryProgram(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join(root, "docs", "library.md"))
	if err != nil {
		t.Fatal(err)
	}
	src, err := os.ReadFile(filepath.Join(root, "render", "picture", "across_example_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(doc), "```go\n")
	program, _, ok := strings.Cut(rest, "```")
	if !ok {
		t.Fatal("docs/library.md has no program")
	}
	example := string(src)
	for line := range strings.Lines(program) {
		line = strings.TrimSpace(strings.ReplaceAll(line, `"cmd/`, `"../../cmd/`))
		_, after, ok := strings.Cut(example, "\t"+line+"\n")
		if line != "" && !ok {
			t.Errorf("docs/library.md has a line that the example lacks: %s", line)
		} else if line != "" {
			example = after
		}
	}
}
