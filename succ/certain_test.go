package succ_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/bpfcfg/bpfcfg/abstract"
	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/kernel"
	"github.com/bpfcfg/bpfcfg/internal/record"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
	"github.com/bpfcfg/bpfcfg/succ"
)

// TestReach compares what the verifier reaches for certain, perhaps and never with
// the instructions that a kernel left in the program: what it does not reach it
// removes. Values are computed as that kernel computes them. More records can be named by the environment variable BPFCFG_RECORDS, a
// pattern of file names.
func TestReach(t *testing.T) {
	paths := testenv.Glob(t, "records/*.7.3.4.off.jsonl.gz")
	if more := os.Getenv("BPFCFG_RECORDS"); more != "" {
		var err error
		if paths, err = filepath.Glob(more); err != nil || len(paths) == 0 {
			t.Fatalf("no records at %s: %v", more, err)
		}
	}
	var all reachCount
	for _, path := range paths {
		var c reachCount
		var opt succ.Options
		rd, err := record.Open(path, record.Options{SkipLogs: true})
		if err != nil {
			t.Fatal(err)
		}
		for rec, err := range rd.Records() {
			if err != nil {
				t.Fatal(err)
			}
			if rec.Env != nil {
				v, err := kernel.Parse(rec.Env.Release)
				if err != nil {
					t.Fatal(err)
				}
				opt.Quirks = abstract.QuirksOf(kernel.Of(v))
			}
			if rec.Job == nil || rec.Verdict() != "OK" || rec.Result.Prog == nil || len(rec.Result.Prog.Lines) == 0 {
				continue
			}
			p, err := rec.Job.Program()
			if err != nil {
				continue
			}
			for _, opt.Narrow = range []bool{false, true} {
				r, err := succ.Resolve(p, opt)
				if err != nil {
					t.Errorf("%s: %v", rec.Job.Name, err)
					continue
				}
				c.compare(t, filepath.Base(path)+": "+rec.Job.Name, r, rec.Result.Prog.Lines)
			}
		}
		rd.Close()
		t.Logf("%s: %+v", filepath.Base(path), c)
		all.add(c)
	}
	t.Logf("%+v", all)
	if all.same < 99*all.programs/100 || all.programs == 0 {
		t.Error("too little is certain")
	}
}

// reachCount counts programs, those of which all is certain, and slots of which it is
// not.
type reachCount struct{ programs, same, maybes int }

func (c *reachCount) add(d reachCount) {
	c.programs, c.same, c.maybes = c.programs+d.programs, c.same+d.same, c.maybes+d.maybes
}

func (c *reachCount) compare(t *testing.T, name string, r *succ.Result, lines []record.Line) {
	left := map[bytecode.PC]bool{}
	for _, l := range lines {
		left[bytecode.PC(l.Insn)] = true
	}
	p := r.Graph.Program
	c.programs++
	maybes, wrong := 0, 0
	for pc := bytecode.PC(0); pc < p.Len(); pc += p.Insns[pc].Slots() {
		f, in := p.Flow(pc), p.Insns[pc]
		// Jumps that have become nops are removed, too, and those that constants
		// decide become such, and spills around calls that need none.
		spill := in.AccessBytes() == 8 && (in.Dst == bytecode.R10 || in.Src == bytecode.R10)
		nop := f.Kind == bytecode.FlowGoto || f.Kind == bytecode.FlowCond || spill
		switch got := r.Facts.Reach(pc); {
		case got == cfg.Maybe:
			maybes++
		case (got == cfg.Yes) != left[pc] && !nop:
			if wrong++; wrong == 1 {
				t.Errorf("%s: slot %d %q: %v, the kernel has it: %v", name, pc, p.Text(pc), got, left[pc])
			}
		}
	}
	if c.maybes += maybes; maybes == 0 && wrong == 0 {
		c.same++
	}
}
