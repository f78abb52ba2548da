package check_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestEachKindHasTest wants each kind of finding, by its name in Go or its ID, in a test of this
// package or in a script of the command.
func TestEachKindHasTest(t *testing.T) {
	source, err := os.ReadFile("catalogue.go")
	if err != nil {
		t.Fatal(err)
	}
	var tests strings.Builder
	for _, pattern := range []string{"*_test.go", "../../cmd/bpfcfg/testdata/*.txtar",
		"../../cmd/bpfcfg/testdata/cases/*.txtar"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: no files, %v", pattern, err)
		}
		for _, name := range files {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			tests.Write(data)
		}
	}
	kinds := regexp.MustCompile(`(?m)^\t(\w+) +ID = "([a-z0-9-]+)"$`).FindAllStringSubmatch(string(source), -1)
	if len(kinds) < 30 {
		t.Errorf("%d kinds in catalogue.go", len(kinds))
	}
	for _, m := range kinds {
		if !regexp.MustCompile(`\b(` + m[1] + `|` + m[2] + `)\b`).MatchString(tests.String()) {
			t.Errorf("no test has the finding %s: write one that has it and one that narrowly lacks it", m[2])
		}
	}
}
