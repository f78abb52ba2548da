package main

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"

	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
)

// Five jumps share a table: each has all targets, which are the table's entries.
func TestListsOfJumps(t *testing.T) {
	object := testenv.Path(t, "corpus/out/03_threaded_vm.o")
	var tables struct {
		Programs []struct {
			Tables []struct {
				Entries []struct{ Original int }
			}
		}
	}
	shown(t, &tables, object, "tables")
	var want []int
	for _, e := range tables.Programs[0].Tables[0].Entries {
		want = append(want, e.Original)
	}
	slices.Sort(want)
	want = slices.Compact(want)

	var doc struct {
		Programs []struct {
			Blocks []struct {
				Start int
				Succs []struct {
					To   int
					Kind string
				}
			}
			Indirect []struct{ Exact, Range, Kernel []int }
		}
	}
	shown(t, &doc, object, "succ")
	p := doc.Programs[0]
	if len(p.Indirect) != 5 {
		t.Fatalf("%d jumps, want 5", len(p.Indirect))
	}
	for i, in := range p.Indirect {
		for _, got := range [][]int{in.Exact, in.Range, in.Kernel} {
			if !slices.Equal(got, want) {
				t.Errorf("jump %d leads to %v, the table has %v", i, got, want)
			}
		}
	}
	for _, b := range p.Blocks {
		var starts []int
		for _, e := range b.Succs {
			if e.Kind == "indirect" {
				starts = append(starts, p.Blocks[e.To].Start)
			}
		}
		if slices.Sort(starts); len(starts) > 0 && !slices.Equal(starts, want) {
			t.Errorf("block at %d leads to %v, the table has %v", b.Start, starts, want)
		}
	}
}

// shown decodes the JSON of a stage.
func shown(t *testing.T, doc any, object, stage string) {
	t.Helper()
	var out, errs bytes.Buffer
	args := []string{"show", object, "--stage", stage, "--format", "json"}
	if status := run(args, streams{out: &out, err: &errs}); status != 0 {
		t.Fatalf("%v: status %d: %s", args, status, errs.String())
	}
	if err := json.Unmarshal(out.Bytes(), doc); err != nil {
		t.Fatal(err)
	}
}
