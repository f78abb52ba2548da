package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/testing/progen"
)

// TestExplainBounds checks that explain answers for the first thousand places of a large program
// and counts the others, and that it answers for every place that is asked for.
func TestExplainBounds(t *testing.T) {
	const dead = 1500
	file := shapeFile(t, "deadcode", 3*dead)
	text := func(args ...string) string {
		var out, errs bytes.Buffer
		if status := run(append([]string{"explain", "raw:" + file}, args...), streams{out: &out, err: &errs}); status != exitClean {
			t.Fatalf("%v: status %d: %s", args, status, errs.String())
		}
		return out.String()
	}
	if s := text(); strings.Count(s, "\nblock@") != maxPlaces || !strings.HasSuffix(s, "\n… 500 more: name one, or --all\n") {
		t.Errorf("%d places, at the end %q", strings.Count(s, "\nblock@"), s[len(s)-60:])
	}
	if s := text("--all"); strings.Count(s, "\nblock@") != dead || strings.Contains(s, "--all") {
		t.Errorf("with --all %d places, want %d", strings.Count(s, "\nblock@"), dead)
	}
	var doc struct {
		Programs []struct {
			Answers []struct {
				Dead []struct{} `json:"dead"`
			} `json:"answers"`
			Left int `json:"places_left_out"`
		} `json:"programs"`
	}
	for _, all := range []bool{false, true} {
		args := []string{"--format", "json"}
		if all {
			args = append(args, "--all")
		}
		doc.Programs = nil
		if err := json.Unmarshal([]byte(text(args...)), &doc); err != nil {
			t.Fatal(err)
		}
		p := doc.Programs[0]
		if want := map[bool]int{false: dead - maxPlaces, true: 0}[all]; p.Left != want || len(p.Answers)+p.Left != dead {
			t.Errorf("all %v: %d answers, %d left out", all, len(p.Answers), p.Left)
		}
	}
}

// shapeFile writes a program of a shape as raw instructions.
func shapeFile(t *testing.T, name string, slots int) string {
	t.Helper()
	for _, s := range progen.AllShapes() {
		if s.Name != name {
			continue
		}
		file := filepath.Join(t.TempDir(), name+".bin")
		if err := os.WriteFile(file, bytecode.Encode(s.Make(slots).Insns, binary.LittleEndian), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	t.Fatalf("no shape %s", name)
	return ""
}
