package main

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"

	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
)

// Five jumps share a table: their targets, which the table has as entries, stand once in
// the document.
func TestSharedLists(t *testing.T) {
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
					To, List *int
					Kind     string
				}
			}
			Indirect []struct{ Exact, Range, Kernel int }
			Lists    [][]int
		}
	}
	shown(t, &doc, object, "succ")
	p := doc.Programs[0]
	if len(p.Indirect) != 5 {
		t.Fatalf("%d jumps, want 5", len(p.Indirect))
	}
	for _, in := range p.Indirect {
		for _, id := range []int{in.Exact, in.Range, in.Kernel} {
			if got := p.Lists[id]; !slices.Equal(got, want) {
				t.Errorf("list %d is %v, the table has %v", id, got, want)
			}
		}
	}
	for _, b := range p.Blocks {
		for _, e := range b.Succs {
			if (e.To == nil) == (e.List == nil) {
				t.Errorf("block at %d: an edge has both or neither of to and list", b.Start)
			}
			if e.Kind != "indirect" {
				continue
			}
			var starts []int
			for _, to := range p.Lists[*e.List] {
				starts = append(starts, p.Blocks[to].Start)
			}
			if slices.Sort(starts); !slices.Equal(starts, want) {
				t.Errorf("block at %d leads to %v, the table has %v", b.Start, starts, want)
			}
		}
	}
	for i, l := range p.Lists {
		if slices.ContainsFunc(p.Lists[:i], func(k []int) bool { return slices.Equal(k, l) }) {
			t.Errorf("list %d is there twice: %v", i, l)
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
