// Package layers adds results of others to the picture of a program: the findings of check, and
// visit counts.
package layers

import (
	"bytes"
	"cmp"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/bpfcfg/bpfcfg/internal/check"
	"github.com/bpfcfg/bpfcfg/internal/visits"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/render"
	"github.com/bpfcfg/bpfcfg/render/picture"
)

// Findings returns the findings of check in a program, the worst first.
func Findings(a *pipeline.Analysis) []render.Finding {
	var out []render.Finding
	for _, f := range check.Findings(a, check.Expect{}) {
		if f.Level == check.Off {
			continue
		}
		out = append(out, render.Finding{Block: max(int(f.Block), render.Outside), Slot: int(f.PC), Level: string(f.Level),
			ID: string(f.ID), Message: f.Message, Fix: f.Fix})
	}
	slices.SortStableFunc(out, func(x, y render.Finding) int {
		return cmp.Compare(check.Level(y.Level).Rank(), check.Level(x.Level).Rank())
	})
	return out
}

// Visits is a file of visit counts: a verifier log, or lines "SLOT COUNT".
type Visits struct {
	File string
	Data []byte
}

// Add adds the counts to the scene of an analysis.
func (v *Visits) Add(s *render.Scene, a *pipeline.Analysis) error {
	counts, err := visits.Read(bytes.NewReader(v.Data), a.Program.Name, len(a.Program.Insns))
	if err != nil {
		return fmt.Errorf("%s: %w", v.File, err)
	}
	source := "visits in " + filepath.Base(v.File)
	if seen := counts.Total + counts.Pruned; counts.Walked > seen {
		source += fmt.Sprintf(" (only %d of %d)", seen, counts.Walked)
	}
	picture.AddCounts(s, a, counts.Slots, source)
	if counts.Passes != nil {
		picture.AddPasses(s, a, counts.Passes)
	}
	return nil
}
