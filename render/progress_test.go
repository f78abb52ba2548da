package render_test

import (
	"context"
	"errors"
	"testing"

	"github.com/bpfcfg/bpfcfg/internal/testing/rendertest"
	"github.com/bpfcfg/bpfcfg/render"
)

// TestProgress checks that progress only grows, ends at its total, and does
// not change the layout.
func TestProgress(t *testing.T) {
	s := rendertest.Random(400, 3)
	want, err := render.Place(s, render.PlaceOptions{})
	if err != nil {
		t.Fatal(err)
	}
	calls, last, all := 0, -1, 0
	phases := map[string]bool{}
	l, err := render.Place(s, render.PlaceOptions{Progress: func(phase string, done, total int) {
		if done < last || done > total || calls > 0 && total != all {
			t.Errorf("%s: %d of %d after %d of %d", phase, done, total, last, all)
		}
		calls, last, all = calls+1, done, total
		phases[phase] = true
	}})
	if err != nil {
		t.Fatal(err)
	}
	if last != all || calls < 8 || len(phases) < 4 {
		t.Errorf("%d calls, phases %v, %d of %d at the end", calls, phases, last, all)
	}
	if string(render.PlacementJSON(l)) != string(render.PlacementJSON(want)) {
		t.Error("progress changes the layout")
	}
}

// TestCancel ends the context at each report in turn.
func TestCancel(t *testing.T) {
	s := rendertest.Random(120, 3)
	for at := 1; ; at++ {
		ctx, cancel := context.WithCancel(t.Context())
		n := 0
		l, err := render.PlaceContext(ctx, s, render.PlaceOptions{Progress: func(phase string, _, _ int) {
			if n++; n == at && phase != "done" {
				cancel()
			}
		}})
		if n < at {
			cancel()
			break
		}
		if stopped := ctx.Err() != nil; stopped != errors.Is(err, context.Canceled) || stopped != (l == nil) {
			t.Errorf("stopped at report %d: %v, layout %v, error %v", at, stopped, l != nil, err)
		}
		cancel()
	}
}
