package rules_test

import (
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/bpfcfg/bpfcfg/abstract"
	"github.com/bpfcfg/bpfcfg/internal/record"
	"github.com/bpfcfg/bpfcfg/succ/rules"
)

var processed = regexp.MustCompile(`(?m)^processed (\d+) insns`)

// steps counts programs by what a walk along their paths makes of them.
type steps struct{ equal, other, open int }

// TestSteps compares the number of instructions that a walk follows with the one that the
// kernel prints: of most programs that it accepts both are the same, loops of may_goto
// with their many rounds among them. No such program is said to be refused.
func TestSteps(t *testing.T) {
	if testing.Short() {
		t.Skip("walks along the paths of 2,000 programs")
	}
	var sum steps
	for _, c := range recorded(t) {
		set, err := rules.Lookup(c.set)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range c.files {
			sum.file(t, set, file)
		}
	}
	t.Logf("%d programs with the kernel's number of instructions, %d with another one, %d not to the end",
		sum.equal, sum.other, sum.open)
	const equal, other = 1717, 179
	if sum.equal < equal || sum.other > other {
		t.Errorf("%d are the same, %d are not: %d and %d were before", sum.equal, sum.other, equal, other)
	}
}

// file counts the programs of a file.
func (s *steps) file(t *testing.T, set rules.Set, file string) {
	r, err := record.Open(file, record.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for rec, err := range r.Records() {
		if err != nil {
			t.Fatal(err)
		}
		if rec.Job == nil || rec.Result == nil || rec.Result.Load == nil || !rec.Result.Load.OK ||
			len(rec.Job.DropCaps)+len(rec.Job.Sysctl) > 0 {
			continue
		}
		said := processed.FindAllStringSubmatch(rec.Result.Load.Log, -1)
		p, err := rec.Job.Program()
		if err != nil || len(said) == 0 {
			continue
		}
		res, err := set.Resolve(p)
		if err != nil {
			t.Fatal(err)
		}
		const most = 1 << 18 // instructions to follow
		out := abstract.Walk(p, res.Graph, abstract.WalkOptions{Options: abstract.Options{Quirks: set.Quirks}, Steps: most})
		switch want, _ := strconv.Atoi(said[len(said)-1][1]); {
		case out.Proven && out.Ending != abstract.AllPaths && out.Ending != abstract.GaveUp:
			t.Errorf("%s %s: %s accepts it, and the walk ends in %d at %d", filepath.Base(file), rec.Job.Name, set.Name,
				out.Ending, out.PC)
		case out.Ending != abstract.AllPaths:
			s.open++
		case out.Steps == want:
			s.equal++
		default:
			s.other++
		}
	}
}
