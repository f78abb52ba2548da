package main

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
)

// TestRenderRecord draws a recorded program, which has the kernel's bytes, and
// the same record with one of the kernel's bytes changed.
func TestRenderRecord(t *testing.T) {
	f, err := os.Open(testenv.Path(t, "records/c-jt.7.3.4.default.jsonl.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	svg := renderRecord(t, whole)
	for _, not := range []string{"≠", `class="bad"`} {
		if strings.Contains(svg, not) {
			t.Errorf("%q in the picture of a record that agrees", not)
		}
	}
	if want := "✓ control flow of the source = machine code, for linux-7.3"; !strings.Contains(svg, want) {
		t.Errorf("no %q", want)
	}
	// "dense/dense5" is the first record; its code begins with endbr64.
	at := regexp.MustCompile(`"dense/dense5".*?"jited":"f30f1efa`).FindIndex(whole)
	if at == nil {
		t.Fatal("no record of dense/dense5 with its code")
	}
	const cmp = "4883ff04" // cmp rdi, 4
	code := bytes.Index(whole[at[1]:], []byte(cmp))
	if code < 0 {
		t.Fatalf("no %s in the code of dense/dense5", cmp)
	}
	changed := bytes.Clone(whole)
	changed[at[1]+code+len(cmp)-1] = '5'
	svg = renderRecord(t, changed)
	for _, want := range []string{"≠ mismatch", `class="wrong"`, `class="bad"`, "machine code as predicted: "} {
		if !strings.Contains(svg, want) {
			t.Errorf("no %q in the picture of a record that differs", want)
		}
	}
	if strings.Contains(svg, "recorded kernel<") {
		t.Error("said to have the kernel's bytes")
	}
	// A record without machine code: the picture is there, and claims nothing.
	rest := whole[at[1]-8:] // from the first digit
	svg = renderRecord(t, append(bytes.Clone(whole[:at[1]-8]), rest[bytes.IndexByte(rest, '"'):]...))
	if strings.Contains(svg, "recorded kernel<") || !strings.Contains(svg, "not compared with the recorded kernel") {
		t.Error("code that is not there is not said to be that")
	}
}

// renderRecord draws the program dense/dense5 of a record file's content.
func renderRecord(t *testing.T, records []byte) string {
	t.Helper()
	dir := t.TempDir()
	file, out := filepath.Join(dir, "r.jsonl"), filepath.Join(dir, "r.svg")
	if err := os.WriteFile(file, records, 0o600); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	args := []string{"render", "record:" + file + "#dense/dense5", "-o", out}
	if status := run(args, streams{in: nil, out: &stdout, err: &stderr}); status != exitClean {
		t.Fatalf("status %d: %s", status, stderr.String())
	}
	svg, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return string(svg)
}
