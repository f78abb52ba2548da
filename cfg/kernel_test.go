package cfg_test

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/record"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
)

// eachRecord calls f with every program in the files that a kernel was given,
// with the graph of the targets that Linux assumes.
func eachRecord(t *testing.T, files string, opt record.Options,
	f func(t *testing.T, rec *record.Record, g *cfg.Graph)) {
	t.Helper()
	for _, path := range testenv.Glob(t, files) {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".jsonl.gz"), func(t *testing.T) {
			t.Parallel()
			r, err := record.Open(path, opt)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			n := 0
			for rec, err := range r.Records() {
				if err != nil {
					t.Fatal(err)
				}
				if rec.Kind != record.KindResult || rec.Result.Load == nil || len(rec.Job.Insns) == 0 {
					continue
				}
				p, err := rec.Job.Program()
				if err != nil {
					t.Errorf("%s: %v", rec.Job.Name, err)
					continue
				}
				g, err := cfg.Build(p, assumed(p))
				if err != nil {
					t.Errorf("%s: %v", rec.Job.Name, err)
					continue
				}
				if err := g.Check(); err != nil {
					t.Errorf("%s: %v", rec.Job.Name, err)
				}
				n++
				f(t, rec, g)
			}
			if n == 0 {
				t.Error("no program in the file")
			}
		})
	}
}

// assumed returns the targets that Linux's CFG pass takes: for each gotox all
// entries of the tables that begin in its subprogram (kernel/bpf/cfg.c
// jt_from_subprog), for helpers that call back any subprogram whose address is
// loaded.
func assumed(p *bytecode.Program) *cfg.Targets {
	t := &cfg.Targets{}
	var funcs []bytecode.PC
	for pc := bytecode.PC(0); pc < p.Len(); pc += p.Insns[pc].Slots() {
		if f := p.Flow(pc); f.Kind == bytecode.FlowFuncAddr {
			funcs = append(funcs, f.Callee)
		}
	}
	// for_each_map_elem, timer_set_callback, find_vma, loop, user_ringbuf_drain
	callsBack := []int32{164, 170, 180, 181, 209}
	for pc, in := range p.Insns {
		pc := bytecode.PC(pc)
		switch s := p.SubprogAt(pc); {
		case in.IsGotox():
			for _, table := range p.Tables {
				if len(table.Targets) == 0 {
					continue
				}
				if first := slices.Min(table.Targets); p.SubprogAt(first) == s {
					t.Add(pc, table.Targets...)
				}
			}
		case in.IsHelperCall() && slices.Contains(callsBack, in.Imm):
			t.Add(pc, funcs...)
		}
	}
	return t
}

// What a kernel loads has no problems and no unreachable instruction; what it
// refuses for its control flow has the very problem that the log names.
func TestKernelVerdicts(t *testing.T) {
	noLogs := record.Options{SkipLogs: true}
	eachRecord(t, "records/*.jsonl.gz", noLogs, func(t *testing.T, rec *record.Record, g *cfg.Graph) {
		load, name := rec.Result.Load, rec.Job.Name
		unreachable := bytecode.PC(-1)
		for b, ok := range cfg.ReachableStatic(g) {
			if !ok {
				unreachable = g.Blocks[b].Start
				break
			}
		}
		if load.OK && (len(g.Problems) > 0 || len(g.BadTargets) > 0 || unreachable >= 0) {
			t.Errorf("%s is loaded: problems %v, bad targets %v, unreachable %d", name, g.Problems, g.BadTargets, unreachable)
		}
		if m := regexp.MustCompile(`unreachable insn (\d+)`).FindStringSubmatch(load.Error); m != nil {
			if n, _ := strconv.Atoi(m[1]); bytecode.PC(n) != unreachable {
				t.Errorf("%s: %s, not %d", name, load.Error, unreachable)
			}
		}
		for _, message := range []string{
			"jump out of range", "jump into the middle", "last insn is not", "call to invalid destination",
		} {
			if gotoxLast(load.Error, g) {
				continue
			}
			if strings.Contains(load.Error, message) && !slices.ContainsFunc(g.Problems, func(p cfg.Problem) bool {
				return strings.Contains(load.Error, p.Text)
			}) {
				t.Errorf("%s: %s, among %v", name, load.Error, g.Problems)
			}
		}
	})
}

// gotoxLast reports whether the message is that of Linux 6.19 for a gotox in
// the last slot, which it takes for a goto to the slot after. Linux 7.3 does
// not (kernel/bpf/verifier.c check_subprogs).
func gotoxLast(message string, g *cfg.Graph) bool {
	last := g.Program.Len() - 1
	return g.Program.Insns[last].IsGotox() &&
		message == fmt.Sprintf("jump out of range from insn %d to %d", last, last+1)
}

// The verifier's log is a walk along the graph: each instruction is a
// successor of the one before, or of the jump that the log goes back to.
func TestKernelWalks(t *testing.T) {
	// The other variants of a machine differ in machine code, not in logs.
	eachRecord(t, "records/*.off.jsonl.gz", record.Options{}, func(t *testing.T, rec *record.Record, g *cfg.Graph) {
		if rec.Job.Name == "edge/pointer-passed-to-subprog" {
			// A code address goes from the caller to the callee, which jumps
			// back with it. Linux's CFG pass does not see that edge, its walk
			// takes it all the same.
			if w := (walker{g: g}); rec.Result.Load.OK && w.walk(rec.Result.Load.Log) == "" {
				t.Errorf("%s: no step from one subprogram into the other", rec.Job.Name)
			}
			tg := assumed(g.Program)
			tg.Add(9, 4)
			var err error
			if g, err = cfg.Build(g.Program, tg); err != nil {
				t.Fatal(err)
			}
		}
		w := walker{g: g}
		if err := w.walk(rec.Result.Load.Log); err != "" {
			t.Errorf("%s: %s", rec.Job.Name, err)
		}
	})
}

var (
	insnLine = regexp.MustCompile(`^(\d+): \([0-9a-f]{2}\) `)
	fromLine = regexp.MustCompile(`^from (\d+) to (\d+)`)
)

// walker follows a log.
type walker struct {
	g    *cfg.Graph
	prev bytecode.PC // instruction before; -1 when the log starts anew
}

// walk returns what in the log is no step along the graph, "" when all is.
func (w *walker) walk(log string) string {
	started := false
	w.prev = -1
	for line := range strings.Lines(log) {
		// The lists that passes before the verifier's walk print come first.
		if started = started || strings.HasPrefix(line, "0: R1="); !started {
			continue
		}
		if m := fromLine.FindStringSubmatch(line); m != nil {
			from, to := number(m[1]), number(m[2])
			if !w.step(from, to) {
				return strings.TrimSpace(line)
			}
			w.prev = -1
		}
		if m := insnLine.FindStringSubmatch(line); m != nil {
			pc := number(m[1])
			if w.prev >= 0 && !w.step(w.prev, pc) {
				return "from " + w.prev.String() + " to " + strings.TrimSpace(line)
			}
			w.prev = pc
		}
		if strings.HasPrefix(line, "processed ") || strings.HasPrefix(line, "Validating ") {
			w.prev = -1
		}
	}
	return ""
}

// step reports whether the graph lets control go from one instruction to
// another. From an exit it may go after any call, or back to a helper that
// calls back.
func (w *walker) step(from, to bytecode.PC) bool {
	g := w.g
	b, ok := g.BlockAt(from)
	if !ok || !g.InsnAt(from) || !g.InsnAt(to) {
		return false
	}
	blk := g.Blocks[b]
	if from != blk.Last {
		return to == from+g.Program.Insns[from].Slots()
	}
	for _, e := range g.Succs(b) {
		if g.Blocks[e.To].Start == to {
			return true
		}
	}
	if g.Program.Flow(from).Kind != bytecode.FlowExit {
		return false
	}
	at, _ := g.BlockAt(to)
	for _, e := range g.Succs(at) { // the call itself is visited again
		if e.Kind == cfg.Callback && g.Blocks[at].Last == to {
			return true
		}
	}
	for _, e := range g.Preds(at) {
		for _, f := range g.Succs(e.From) {
			if g.Blocks[at].Start == to && (f.Kind == cfg.Call || f.Kind == cfg.Callback) {
				return true
			}
		}
	}
	return false
}

// number returns the slot that digits name.
func number(s string) bytecode.PC {
	n, _ := strconv.Atoi(s)
	return bytecode.PC(n)
}
