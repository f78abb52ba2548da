package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite files that hold this command's output")

// TestDemo runs the main job twice: the picture is the same both times, and is
// the one in the documents.
func TestDemo(t *testing.T) {
	var first []byte
	for range 2 {
		out := filepath.Join(t.TempDir(), "demo")
		var stdout, stderr bytes.Buffer
		if status := run([]string{"demo", "-o", out}, streams{in: nil, out: &stdout, err: &stderr}); status != exitClean {
			t.Fatalf("status %d: %s", status, stderr.String())
		}
		if want := "rules of linux-7.3: not refused\n"; !strings.Contains(stdout.String(), want) {
			t.Fatalf("the demo does not say %q:\n%s", want, &stdout)
		}
		svg, err := os.ReadFile(out + ".svg")
		if err != nil {
			t.Fatal(err)
		}
		if first != nil && !bytes.Equal(first, svg) {
			t.Fatal("two runs draw different pictures")
		}
		first = svg
	}
	const doc = "../../docs/demo.svg"
	if *update {
		if err := os.WriteFile(doc, first, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if have, err := os.ReadFile(doc); err != nil || !bytes.Equal(have, first) {
		t.Errorf("%s is not the demo's picture (%v): run go test ./cmd/bpfcfg -run TestDemo -update", doc, err)
	}
}
