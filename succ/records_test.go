package succ_test

import (
	"bytes"
	"errors"
	"path/filepath"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/record"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
	"github.com/bpfcfg/bpfcfg/succ"
	"github.com/bpfcfg/bpfcfg/succ/rules"
)

// loaded calls f for each program of the matching record files that loaded.
func loaded(t *testing.T, pattern string, f func(file string, rec *record.Record, p *bytecode.Program)) {
	t.Helper()
	for _, path := range testenv.Glob(t, pattern) {
		rd, err := record.Open(path, record.Options{SkipLogs: true})
		if err != nil {
			t.Fatal(err)
		}
		for rec, err := range rd.Records() {
			if err != nil {
				t.Fatal(err)
			}
			if rec.Job == nil || rec.Result == nil || rec.Result.Load == nil || !rec.Result.Load.OK || rec.Result.Prog == nil {
				continue
			}
			p, err := rec.Job.Program()
			if errors.Is(err, record.ErrNoProgram) {
				continue
			}
			if err != nil {
				t.Errorf("%s: %s: %v", filepath.Base(path), rec.Job.Name, err)
				continue
			}
			f(filepath.Base(path), rec, p)
		}
		rd.Close()
	}
}

// TestSurvivors compares what the facts reach with the instructions that the
// recorded kernels left in the programs that they loaded: those that their
// verifiers visited. Less would mean that an execution is missed; more, that the
// facts have become weaker than the verifier's.
func TestSurvivors(t *testing.T) {
	for kernel, set := range map[string]string{"7.3.4": "linux-7.3", "6.19.14": "linux-6.19"} {
		t.Run(kernel, func(t *testing.T) { survivors(t, "records/*."+kernel+".*.jsonl.gz", set) })
	}
}

// survivors is TestSurvivors for the records of one kernel.
func survivors(t *testing.T, pattern, kernel string) {
	set, err := rules.Lookup(kernel)
	if err != nil {
		t.Fatal(err)
	}
	var equal, larger, smaller, programs int
	loaded(t, pattern, func(file string, rec *record.Record, p *bytecode.Program) {
		// Without all capabilities dead code stays, as traps.
		if len(rec.Result.Prog.Lines) == 0 || len(rec.Job.DropCaps) > 0 {
			return
		}
		programs++
		r, err := set.Resolve(p)
		if err != nil {
			t.Errorf("%s: %s: %v", file, rec.Job.Name, err)
			return
		}
		if !r.Facts.Complete() || !r.Exact.Complete() {
			t.Errorf("%s: %s: facts admit a target that the graph has no edge for", file, rec.Job.Name)
		}
		lives := make([]bool, p.Len())
		for _, l := range rec.Result.Prog.Lines {
			lives[l.Insn] = true
		}
		less, more := 0, 0
		for pc := bytecode.PC(0); pc < p.Len(); pc += p.Insns[pc].Slots() {
			switch {
			case lives[pc] && !r.Facts.Reached(pc):
				t.Errorf("%s: %s: insn %d is left, but not reached: %s", file, rec.Job.Name, pc, p.Text(pc))
				less++
			case !lives[pc] && r.Facts.Reached(pc) && !removable(p, pc, lives, r):
				if more == 0 {
					t.Errorf("%s: %s: insn %d is removed, but reached: %s", file, rec.Job.Name, pc, p.Text(pc))
				}
				more++
			}
		}
		switch {
		case less > 0:
			smaller++
		case more > 0:
			larger++
		default:
			equal++
		}
	})
	t.Logf("%d programs: %d equal, %d larger, %d smaller", programs, equal, larger, smaller)
	if programs == 0 {
		t.Error("no programs")
	}
}

// removable reports whether Linux removes an instruction though it was visited:
// a jump to the next slot that is left (kernel/bpf/fixups.c bpf_opt_remove_nops,
// Linux 7.3), or a conditional jump that is never taken
// (bpf_opt_hard_wire_dead_code_branches and bpf_prune_dead_branches).
func removable(p *bytecode.Program, pc bytecode.PC, lives []bool, r *succ.Result) bool {
	f := p.Flow(pc)
	if p.Insns[pc].Code != bytecode.CodeGoto && f.Kind != bytecode.FlowCond {
		return false
	}
	b, _ := r.Graph.BlockAt(pc)
	lo, hi := r.Graph.SuccIDs(b)
	for i := lo; i < hi; i++ {
		if r.Graph.Edges()[i].Kind == cfg.Taken && !r.Facts.EdgeFeasible(i) {
			return true
		}
	}
	next := func(from bytecode.PC) bytecode.PC {
		for from < p.Len() && !lives[from] {
			from++
		}
		return from
	}
	return f.Target > pc && next(pc+1) >= next(f.Target)
}

// TestIndirectTargets compares Range with the instructions that Linux 7.3.4 put
// an endbr64 before: those that its verifier followed a gotox to
// (arch/x86/net/bpf_jit_comp.c do_jit, kernel/bpf/core.c
// bpf_insn_is_indirect_target).
func TestIndirectTargets(t *testing.T) {
	endbr := []byte{0xf3, 0x0f, 0x1e, 0xfa}
	var programs, targets, exact int
	loaded(t, "records/*.7.3.4.off.jsonl.gz", func(file string, rec *record.Record, p *bytecode.Program) {
		prog := rec.Result.Prog
		if len(prog.Lines) == 0 || len(prog.Jited) == 0 || prog.LinesWrong {
			return
		}
		r, err := succ.Resolve(p, succ.Options{})
		if err != nil {
			t.Errorf("%s: %s: %v", file, rec.Job.Name, err)
			return
		}
		got := map[bytecode.PC]bool{}
		for _, d := range r.Indirect {
			for _, pc := range d.Range {
				got[pc] = true
			}
			if len(d.Exact) < len(d.Range) {
				exact++
			}
		}
		for i, l := range prog.Lines {
			pc := bytecode.PC(l.Insn)
			if p.Subprogs[p.SubprogAt(pc)].Start == pc {
				continue // has the offset of the function's prologue
			}
			if i+1 < len(prog.Lines) && prog.Lines[i+1].Func == l.Func && prog.Lines[i+1].Off == l.Off {
				continue // has no code: a register moved to itself
			}
			want := bytes.HasPrefix(prog.Jited[prog.Funcs[l.Func].Off+l.Off:], endbr)
			if want != got[pc] {
				t.Errorf("%s: %s: insn %d: followed to by the kernel %v, by us %v", file, rec.Job.Name, pc, want, got[pc])
			}
		}
		programs++
		targets += len(got)
	})
	t.Logf("%d programs, %d targets; exact is less than range at %d jumps", programs, targets, exact)
	if targets == 0 {
		t.Error("no targets")
	}
}
