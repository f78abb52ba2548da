package picture

import (
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/internal/record"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
	"github.com/bpfcfg/bpfcfg/internal/visits"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
	"github.com/bpfcfg/bpfcfg/render"
)

// TestPasses takes the walks that a kernel's verifier logged: each step from the
// end of a block is an edge of ours, no step goes along an edge that we call
// dead, and a visit of a block leaves by one edge at least and by each once at
// most, since a verifier follows all ways of a branch.
func TestPasses(t *testing.T) {
	prof, err := jit.LookupProfile(jit.DefaultProfile)
	if err != nil {
		t.Fatal(err)
	}
	f, err := record.Open(testenv.Path(t, "records/corpus.7.3.4.off.jsonl.gz"), record.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	programs, passed := 0, 0
	for rec, err := range f.Records() {
		if err != nil {
			t.Fatal(err)
		}
		if rec.Result == nil || rec.Result.Load == nil || !rec.Result.Load.OK || len(rec.Result.Load.Log) > 3<<20 ||
			!strings.Contains(rec.Result.Load.Log, "0: R1=ctx") {
			continue
		}
		p, err := rec.Job.Program()
		if err != nil {
			continue
		}
		a, err := pipeline.Run(p, prof, rewrite.Options{})
		if err != nil {
			t.Fatal(rec.Job.Name, err)
		}
		c, err := visits.Read(strings.NewReader(rec.Result.Load.Log), p.Name, len(p.Insns))
		if err != nil {
			t.Fatal(rec.Job.Name, err)
		}
		s := Scene(a, "test")
		AddCounts(s, a, c.Slots, "log")
		AddPasses(s, a, c.Passes)
		programs++
		passed += checkPasses(t, rec.Job.Name, s, a, c)
	}
	if programs < 10 || passed < 1000 {
		t.Errorf("only %d programs, %d passes", programs, passed)
	}
}

// checkPasses returns the sum of the passes.
func checkPasses(t *testing.T, name string, s *render.Scene, a *pipeline.Analysis, c *visits.Counts) int {
	t.Helper()
	known := map[[2]int]bool{}
	sum, out := 0, make([]uint64, len(s.Blocks))
	whole := make([]bool, len(s.Blocks)) // all edges of the block have a number
	for i := range whole {
		whole[i] = true
	}
	for _, e := range s.Edges {
		if e.To == render.Outside {
			continue
		}
		from, to := int(a.Graph.Blocks[e.From].Last), int(a.Graph.Blocks[e.To].Start)
		known[[2]int{from, to}] = true
		if e.Count == nil || e.Kind == render.Call || e.Kind == render.Callback {
			whole[e.From] = false
			continue
		}
		sum, out[e.From] = sum+int(*e.Count), out[e.From]+*e.Count
		if *e.Count > *s.Blocks[e.From].Count {
			t.Errorf("%s: edge %d to %d passed %d times of %d", name, from, to, *e.Count, *s.Blocks[e.From].Count)
		}
		if e.Dead && *e.Count > 0 {
			t.Errorf("%s: dead edge %d to %d passed %d times", name, from, to, *e.Count)
		}
	}
	last := map[int]bool{}
	for _, b := range a.Graph.Blocks {
		last[int(b.Last)] = true
	}
	for k, n := range c.Passes {
		if last[k[0]] && !known[k] {
			t.Errorf("%s: %d passes from %d to %d, which is no edge", name, n, k[0], k[1])
		}
	}
	for i, b := range s.Blocks {
		if whole[i] && !b.Exit && out[i] < *b.Count {
			t.Errorf("%s: %s is visited %d times and left %d times", name, b.Name, *b.Count, out[i])
		}
	}
	return sum
}
