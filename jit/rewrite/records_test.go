package rewrite_test

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/record"
	"github.com/bpfcfg/bpfcfg/internal/testenv"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
	"github.com/cilium/ebpf/asm"
)

// visited matches a line of the verifier's log about an instruction that it
// follows.
var visited = regexp.MustCompile(`^(?:from \d+ to )?(\d+): \([0-9a-f]{2}\)`)

// seenInLog returns the instructions that the verifier's log says it followed,
// or nil when the log is cut.
func seenInLog(log string, p *bytecode.Program) []bool {
	_, rest, ok := strings.Cut(log, "Live regs before insn:\n")
	if !ok || !strings.Contains(log, "\nprocessed ") {
		return nil
	}
	out := make([]bool, len(p.Insns))
	for line := range strings.Lines(rest) {
		m := visited.FindStringSubmatch(line)
		if m == nil || strings.HasPrefix(line, " ") {
			continue
		}
		if pc, err := strconv.Atoi(m[1]); err == nil && pc < len(out) {
			out[pc] = true
		}
	}
	return out
}

// seenInLines returns the instructions that are left in the recorded program,
// and the no-ops that one of those leads to.
func seenInLines(rec *record.Record, p *bytecode.Program) []bool {
	out := make([]bool, len(p.Insns))
	for _, l := range rec.Result.Prog.Lines {
		out[l.Insn] = true
	}
	xlated, _ := record.Decode(rec.Result.Prog.Xlated)
	// An instruction that executes and is gone was a jump to what follows it:
	// by a condition that is never met, or over instructions that are gone too.
	var mark func(pc bytecode.PC)
	mark = func(pc bytecode.PC) {
		f := p.Flow(pc)
		if out[pc] || f.Kind != bytecode.FlowGoto && f.Kind != bytecode.FlowCond {
			return
		}
		out[pc] = true
		next := f.Target
		for k := pc + 1; k < f.Target; k++ {
			if out[k] {
				next = pc + 1
			}
		}
		mark(next)
	}
	for _, l := range rec.Result.Prog.Lines {
		switch f := p.Flow(bytecode.PC(l.Insn)); f.Kind {
		case bytecode.FlowGoto:
			mark(f.Target)
		case bytecode.FlowCond:
			if xlated[l.Xlated].Code != bytecode.CodeGoto {
				mark(f.Target)
				mark(f.Next)
			}
		case bytecode.FlowExit, bytecode.FlowIndirect:
		default:
			if f.Next < p.Len() {
				mark(f.Next)
			}
		}
	}
	return out
}

// factsOf recovers from a record what the verifier learned of the program.
func factsOf(rec *record.Record, p *bytecode.Program, prof jit.Profile) rewrite.Facts {
	f := rewrite.Facts{Seen: seenInLog(rec.Result.Load.Log, p)}
	if f.Seen == nil {
		f.Seen = seenInLines(rec, p)
	}
	f.CtxAccess = changedAccesses(rec, p)
	return f
}

// changedAccesses returns the loads and stores of the source that are not the
// same instruction in the recorded program: accesses to a context.
func changedAccesses(rec *record.Record, p *bytecode.Program) []bytecode.PC {
	xlated, err := record.Decode(rec.Result.Prog.Xlated)
	if err != nil || rec.Result.Prog.LinesWrong {
		return nil
	}
	var out []bytecode.PC
	for _, l := range rec.Result.Prog.Lines {
		in := p.Insns[l.Insn]
		switch in.Class() {
		case asm.StClass:
			if blinded(rec) {
				continue
			}
			fallthrough
		case asm.LdXClass, asm.StXClass:
			at := int(l.Xlated)
			if initialises(xlated[at]) {
				at += 2
			}
			if xlated[at] != in && in.Mode() == asm.MemMode {
				out = append(out, bytecode.PC(l.Insn))
			}
		}
	}
	return out
}

// initialises reports whether the instruction begins a loop counter.
func initialises(in bytecode.Insn) bool { return in.Code == 0x7a && in.Imm == 0xffff && in.Dst == 10 }

// blinded reports whether the job's program was blinded.
func blinded(rec *record.Record) bool {
	h := rec.Job.Sysctl["net.core.bpf_jit_harden"]
	return h == "2" || h == "1" && slices.Contains(rec.Job.DropCaps, "all")
}

// tally counts programs by outcome.
type tally struct {
	equal, unpredicted, differ, refused int
	reasons                             map[string][]string
}

func (t *tally) note(reason, job string) {
	if t.reasons == nil {
		t.reasons = map[string][]string{}
	}
	t.reasons[reason] = append(t.reasons[reason], job)
}

func (t *tally) String() string {
	return fmt.Sprintf("%4d equal, %4d with unpredicted slots, %3d differing, %3d refused",
		t.equal, t.unpredicted, t.differ, t.refused)
}

func TestRecords(t *testing.T) {
	for _, file := range testenv.Glob(t, "records/*.jsonl.gz") {
		name := strings.TrimSuffix(filepath.Base(file), ".jsonl.gz")
		kernel := "7.3"
		if strings.Contains(name, "6.19") {
			kernel = "6.19"
		}
		t.Run(name, func(t *testing.T) {
			prof, err := jit.LookupProfile("linux-" + kernel)
			if err != nil {
				t.Fatal(err)
			}
			var sum tally
			r, err := record.Open(file, record.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			for rec, err := range r.Records() {
				if err != nil {
					t.Fatal(err)
				}
				if rec.Kind == record.KindResult && rec.Result.Prog != nil && len(rec.Result.Prog.Xlated) > 0 {
					compareRecord(&sum, rec, prof)
				}
			}
			t.Log(sum.String())
			var reasons []string
			for r := range sum.reasons {
				reasons = append(reasons, r)
			}
			sort.Strings(reasons)
			for _, r := range reasons {
				t.Logf("%s: %d: %s", r, len(sum.reasons[r]), sum.reasons[r][0])
			}
		})
	}
}

// compareRecord predicts the program of a record and counts the outcome.
func compareRecord(sum *tally, rec *record.Record, prof jit.Profile) {
	p, err := rec.Job.Program()
	if err != nil {
		sum.note(err.Error(), rec.Job.Name)
		return
	}
	xlated, err := record.Decode(rec.Result.Prog.Xlated)
	if err != nil {
		sum.note(err.Error(), rec.Job.Name)
		return
	}
	opt := rewrite.Options{Blind: blinded(rec)}
	res, err := rewrite.Predict(p, factsOf(rec, p, prof), prof, opt)
	if err != nil {
		sum.refused++
		sum.note("refused: "+err.Error(), rec.Job.Name)
		return
	}
	d := res.Dump(prof)
	diff, err := d.Differs(xlated)
	switch {
	case err == nil && len(diff) == 0:
		sum.equal++
	case len(res.Unpredicted) > 0 && !opt.Blind, opt.Blind && unpredictedPlain(rec, p, prof):
		sum.unpredicted++
	case err != nil:
		sum.differ++
		sum.note("length", rec.Job.Name+": "+err.Error())
	default:
		sum.differ++
		pc := diff[0]
		sum.note("slots", fmt.Sprintf("%s: %d: %v, predicted %v", rec.Job.Name, pc, xlated[pc], d.Insns[pc]))
	}
}

// unpredictedPlain reports whether the program has unpredicted slots before
// blinding.
func unpredictedPlain(rec *record.Record, p *bytecode.Program, prof jit.Profile) bool {
	res, err := rewrite.Predict(p, factsOf(rec, p, prof), prof, rewrite.Options{})
	return err == nil && len(res.Unpredicted) > 0
}
