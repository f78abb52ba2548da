package check_test

import (
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/check"
	"github.com/bpfcfg/bpfcfg/internal/testing/progen"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
)

// TestLongPaths demands of each path through a program of one way that its steps follow
// one another, and that where some are left out, it says how many.
func TestLongPaths(t *testing.T) {
	var shape progen.Shape
	for _, s := range progen.Hostile() {
		if s.Name == "deadcode" {
			shape = s
		}
	}
	prof, err := jit.LookupProfile(jit.DefaultProfile)
	if err != nil {
		t.Fatal(err)
	}
	a, err := pipeline.Run(shape.Make(600), prof, rewrite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	skipping := 0
	for _, f := range check.Findings(a, check.Expect{}) {
		path := f.Path()
		if len(path) == 0 {
			t.Fatalf("%s@%d has no path", f.ID, f.PC)
		}
		at := bytecode.PC(0) // where the next block starts: every third slot one, each second one dead
		for i, s := range path {
			at += 3 * bytecode.PC(s.Skipped)
			if a.Graph.Blocks[s.Block].Start != at {
				t.Fatalf("%s@%d: step %d is b%d at %d, want a block at %d", f.ID, f.PC, i, s.Block,
					a.Graph.Blocks[s.Block].Start, at)
			}
			if s.Skipped > 0 {
				skipping++
			}
			at += 3
		}
		if last := path[len(path)-1]; last.Block != f.Block {
			t.Errorf("%s@%d: the path ends in b%d", f.ID, f.PC, last.Block)
		}
	}
	if skipping < 100 {
		t.Errorf("%d paths leave something out: too few", skipping)
	}
}
