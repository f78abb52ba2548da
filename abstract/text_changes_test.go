package abstract_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/internal/testing/progen"
	"github.com/bpfcfg/bpfcfg/succ"
)

// TestChanges rebuilds states from the printed changes between them, and compares them with the
// states that are printed in full.
func TestChanges(t *testing.T) {
	told := 0
	for seed := range uint64(12) {
		p := progen.Random(seed, 60)
		r, err := succ.Resolve(p, succ.Options{})
		if err != nil {
			t.Fatal(err)
		}
		texts, state, before := r.Facts.Texts(), map[string]string{}, []map[string]string{}
		for b := range r.Graph.Blocks {
			if b%7 == 0 {
				texts.Reset()
				state, before = map[string]string{}, nil
			}
			want := r.Facts.EntryText(cfg.BlockID(b))
			got := texts.Changes(cfg.BlockID(b))
			if len(got) != len(want) {
				t.Fatalf("seed %d, b%d: %d states, want %d", seed, b, len(got), len(want))
			}
			var now []map[string]string
			for i, changes := range got {
				if i < len(before) {
					state = before[i]
				}
				state = maps.Clone(state)
				now = append(now, state)
				for _, k := range changes {
					place, text := texts.Text(k.Place), texts.Text(k.Text)
					state[place] = text
					if text == "" {
						delete(state, place)
					}
				}
				line := want[i]
				if len(want) > 1 {
					line = strings.TrimPrefix(line, fmt.Sprintf("%d: ", i+1))
				}
				var parts []string
				for place, text := range state {
					parts = append(parts, place+"="+text)
				}
				slices.Sort(parts)
				if line != "" {
					told++
				}
				if whole := whole(line); !slices.Equal(parts, whole) {
					t.Fatalf("seed %d, b%d, state %d:\n%q, want\n%q", seed, b, i, parts, whole)
				}
			}
			if now != nil {
				before = now
			}
		}
	}
	if told < 300 {
		t.Errorf("only %d states", told)
	}
}

// whole returns the parts of a line of EntryText, sorted: values may have spaces.
func whole(line string) []string {
	var out []string
	for _, w := range strings.Fields(line) {
		if (strings.HasPrefix(w, "R") || strings.HasPrefix(w, "fp-") || strings.HasPrefix(w, "fp[")) && strings.Contains(w, "=") {
			out = append(out, w)
		} else {
			out[len(out)-1] += " " + w
		}
	}
	slices.Sort(out)
	return out
}
