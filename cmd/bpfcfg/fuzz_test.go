package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/internal/report"
	"github.com/bpfcfg/bpfcfg/internal/testing/damage"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
)

// fuzzVerbs are runs on an object from standard input.
func fuzzVerbs() [][]string {
	runs := [][]string{
		{"list"}, {"list", "--format", "json"}, {"verify"}, {"verify", "--format", "json"}, {"explain"},
		{"explain", "--format", "json"}, {"where", "--format", "json", "-", "+0x20"},
	}
	for _, format := range textPictures() {
		runs = append(runs, []string{"render", "--format", format, "-o", "-"})
	}
	for _, stage := range []string{"insns", "cfg", "facts", "succ", "tables", "xlated", "jit", "layout"} {
		runs = append(runs, []string{"show", "--stage", stage}, []string{"show", "--stage", stage, "--format", "json"})
	}
	for _, format := range report.Formats() {
		runs = append(runs, []string{"check", "--show", "note", "--format", format})
	}
	for i, r := range runs {
		if r[0] != "where" {
			runs[i] = append(r, "-")
		}
	}
	return runs
}

// FuzzCommand runs the whole command on an object: whatever it is, there is an
// exit status that the documents list, one line of error for what cannot be
// analysed, and output that is well-formed, harmless on a terminal, and the same
// for the same input.
func FuzzCommand(f *testing.F) {
	runs := fuzzVerbs()
	for i, data := range smallObjects(f) {
		f.Add(data, uint8(i))
	}
	f.Fuzz(func(t *testing.T, data []byte, which uint8) {
		if len(data) > 1<<14 {
			return
		}
		args := runs[int(which)%len(runs)]
		first := runOn(data, args)
		checkEvil(t, first)
		if second := runOn(data, args); second.out != first.out || second.err != first.err {
			t.Errorf("bpfcfg %q: a second run says something else", args)
		}
		if first.status == exitInput && !strings.HasPrefix(first.err, "bpfcfg: ") {
			t.Errorf("bpfcfg %q: %q", args, first.err)
		}
	})
}

// runOn runs the command with data on standard input.
func runOn(data []byte, args []string) ranVerb {
	var out, errs bytes.Buffer
	status := run(args, streams{in: bytes.NewReader(data), out: &out, err: &errs})
	return ranVerb{args, status, out.String(), errs.String()}
}

// TestDamagedObjects is FuzzCommand for objects with one fault each.
func TestDamagedObjects(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the command hundreds of times")
	}
	paths := append(testenv.Glob(t, "corpus/out/1*.o"), testenv.Glob(t, "seed-callx/*.o")...)
	runs := fuzzVerbs()
	for i, k := range damage.Kinds() {
		for j := range runs {
			data, err := os.ReadFile(paths[(i+j)%len(paths)])
			if err != nil {
				t.Fatal(err)
			}
			if len(data) > 1<<17 {
				continue
			}
			if checkEvil(t, runOn(k.Apply(data, uint64(j)), runs[j])); t.Failed() {
				t.Fatalf("%s of %s, seed %d", k.Name, paths[(i+j)%len(paths)], j)
			}
		}
	}
}
