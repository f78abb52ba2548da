package rewrite_test

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/record"
	"github.com/bpfcfg/bpfcfg/internal/replay"
	"github.com/bpfcfg/bpfcfg/internal/testing/marks"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
	"github.com/bpfcfg/bpfcfg/succ/rules"
)

// visited matches a line of the verifier's log about an instruction that it
// follows.
var visited = regexp.MustCompile(`^(?:from \d+ to )?(\d+): \([0-9a-f]{2}\)`)

// seenInLog returns the instructions that the verifier's log says it followed,
// or nil when the log is cut.
func seenInLog(log string, p *bytecode.Program) []cfg.Truth {
	_, rest, ok := strings.Cut(log, "Live regs before insn:\n")
	if !ok || !strings.Contains(log, "\nprocessed ") {
		return nil
	}
	out := make([]cfg.Truth, len(p.Insns))
	for line := range strings.Lines(rest) {
		m := visited.FindStringSubmatch(line)
		if m == nil || strings.HasPrefix(line, " ") {
			continue
		}
		if pc, err := strconv.Atoi(m[1]); err == nil && pc < len(out) {
			out[pc] = cfg.Yes
		}
	}
	return out
}

// seenInLines returns the instructions that are left in the recorded program,
// and the no-ops that one of those leads to.
func seenInLines(rec *record.Record, p *bytecode.Program) []cfg.Truth {
	out := make([]cfg.Truth, len(p.Insns))
	for _, l := range rec.Result.Prog.Lines {
		out[l.Insn] = cfg.Yes
	}
	xlated, _ := record.Decode(rec.Result.Prog.Xlated)
	// An instruction that executes and is gone was a jump to what follows it:
	// by a condition that is never met, or over instructions that are gone too.
	var mark func(pc bytecode.PC)
	mark = func(pc bytecode.PC) {
		f := p.Flow(pc)
		if out[pc] == cfg.Yes || f.Kind != bytecode.FlowGoto && f.Kind != bytecode.FlowCond {
			return
		}
		out[pc] = cfg.Yes
		next := f.Target
		for k := pc + 1; k < f.Target; k++ {
			if out[k] == cfg.Yes {
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

// factsOf recovers from a record what the verifier learned of the program. What
// a record does not show comes from our own analysis: calls, stack depths, which
// loads read kernel objects, and targets of indirect jumps where the log is cut.
func factsOf(tb testing.TB, rec *record.Record, p *bytecode.Program, prof jit.Profile) rewrite.Facts {
	own := derived(tb, p, prof)
	f := rewrite.Facts{Seen: seenInLog(rec.Result.Load.Log, p), Calls: own.Calls, Stack: own.Stack,
		IndirectTarget: own.IndirectTarget}
	if f.Seen == nil {
		f.Seen = seenInLines(rec, p)
	}
	changed := map[bytecode.PC]bool{}
	for _, pc := range changedAccesses(rec, p) {
		changed[pc] = true
	}
	object := map[bytecode.PC]bool{} // a dump shows loads that may fault as others
	for _, a := range own.Accesses {
		object[a.PC] = a.To == rewrite.MemObject
	}
	for pc := range p.Len() {
		to := rewrite.MemPlain
		switch {
		case changed[pc]:
			to = rewrite.MemCtx
		case object[pc]:
			to = rewrite.MemObject
		}
		f.Accesses = append(f.Accesses, rewrite.AccessFact{PC: pc, To: to, Certain: true})
	}
	return f
}

// certain reports whether what comes from our own analysis is certain.
func certain(f rewrite.Facts) bool {
	return !slices.ContainsFunc(f.Calls, func(c rewrite.CallFact) bool { return !c.Certain }) &&
		!slices.ContainsFunc(f.Stack, func(s rewrite.StackFact) bool { return !s.Certain })
}

// derived returns the facts that our own analysis finds.
func derived(tb testing.TB, p *bytecode.Program, prof jit.Profile) rewrite.Facts {
	tb.Helper()
	r, err := rules.Of(prof.Kernel()).Resolve(p)
	if err != nil {
		tb.Fatal(err)
	}
	return pipeline.Facts(p, r)
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

// without reports whether the job was loaded without a capability, for which
// CAP_SYS_ADMIN stands too.
func without(rec *record.Record, name string) bool {
	drop := rec.Job.DropCaps
	return slices.Contains(drop, "all") || slices.Contains(drop, name) && slices.Contains(drop, "CAP_SYS_ADMIN")
}

// blinded reports whether the job's program was blinded.
func blinded(rec *record.Record) bool {
	h := rec.Job.Sysctl["net.core.bpf_jit_harden"]
	return h == "2" || h == "1" && without(rec, "CAP_BPF")
}

// optionsOf returns how the job's program was loaded.
func optionsOf(rec *record.Record, mitigated bool) rewrite.Options {
	return rewrite.Options{
		Blind:        blinded(rec),
		NoCapBPF:     without(rec, "CAP_BPF"),
		NoCapPerfmon: without(rec, "CAP_PERFMON") && mitigated,
		AttachType:   rec.Job.AttachType,
	}
}

// sameTables compares the entries of instruction arrays and the places of all
// source instructions with the record.
func sameTables(res *rewrite.Result, p *bytecode.Program, rec *record.Record) string {
	for i, table := range p.Tables {
		k := slices.IndexFunc(rec.Result.Maps, func(m record.MapResult) bool { return m.Name == table.Name })
		if k < 0 || len(rec.Result.Maps[k].Insns) != len(table.Targets) {
			return "no recorded array for " + table.Name
		}
		for e, entry := range rec.Result.Maps[k].Insns {
			want := bytecode.PC(entry.Xlated)
			if entry.Xlated == record.DeletedInsn {
				want = jit.Deleted
			}
			if got := res.Program.Tables[i][e]; got != want {
				return fmt.Sprintf("table %s, entry %d: slot %d, predicted %d", table.Name, e, want, got)
			}
		}
	}
	if rec.Result.Prog.LinesWrong {
		return ""
	}
	for _, l := range rec.Result.Prog.Lines {
		if got := res.Xlated[l.Insn]; got != bytecode.PC(l.Xlated) {
			return fmt.Sprintf("source slot %d at %d, predicted %d", l.Insn, l.Xlated, got)
		}
	}
	return ""
}

// tally counts programs by outcome.
type tally struct {
	equal, unpredicted, differ, refused int
	code                                int // with the same machine code
	wrong                               []string

	own *tally // without facts about pointers
}

func (t *tally) note(reason, job string) { t.wrong = append(t.wrong, job+": "+reason) }

func (t *tally) String() string {
	return fmt.Sprintf("%4d equal, %4d with unpredicted slots, %3d differing, %3d refused",
		t.equal, t.unpredicted, t.differ, t.refused)
}

// TestRecords predicts every recorded program that was accepted, from what the
// record says the verifier learned, and compares the program, its tables and
// its machine code.
func TestRecords(t *testing.T) {
	for _, file := range testenv.Glob(t, "records/*.jsonl.gz") {
		name := strings.TrimSuffix(filepath.Base(file), ".jsonl.gz")
		if strings.HasPrefix(name, "fields.") || strings.HasPrefix(name, "xsk.") {
			continue // some begin like what they replace, or the log does not tell; see pipeline's TestFields
		}
		t.Run(name, func(t *testing.T) {
			sum := tally{own: &tally{}}
			sum.file(t, file)
			t.Logf("%s; %d with the same code; without facts about pointers: %s", &sum, sum.code, sum.own)
			for _, why := range sum.wrong {
				t.Error(why)
			}
			if len(sum.wrong) == 0 && sum.equal+sum.unpredicted == 0 {
				t.Error("no program was compared")
			}
		})
	}
}

// file compares the programs of one record file, by the profile of the machine that
// it describes.
func (t *tally) file(tb testing.TB, file string) {
	r, err := record.Open(file, record.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	defer r.Close()
	var prof jit.Profile
	mitigated := true
	for rec, err := range r.Records() {
		if err != nil {
			tb.Fatal(err)
		}
		if rec.Env != nil {
			if prof, err = replay.ProfileOf(rec.Env); err != nil {
				tb.Fatal(err)
			}
			mitigated = !strings.Contains(rec.Env.Cmdline, "mitigations=off")
		}
		if rec.Kind != record.KindResult || rec.Result.Prog == nil || len(rec.Result.Prog.Xlated) == 0 {
			continue
		}
		p, err := rec.Job.Program()
		if err != nil {
			tb.Fatal(err)
		}
		facts := factsOf(tb, rec, p, prof)
		compareRecord(t, rec, p, facts, prof, optionsOf(rec, mitigated))
		switch why := compareCode(rec, p, facts, prof); why {
		case "":
			t.code++
		case "skip":
		default:
			t.note("code: "+why, rec.Job.Name)
		}
	}
}

// compareRecord predicts the program of a record and counts the outcome.
func compareRecord(sum *tally, rec *record.Record, p *bytecode.Program, facts rewrite.Facts, prof jit.Profile,
	opt rewrite.Options,
) {
	xlated, err := record.Decode(rec.Result.Prog.Xlated)
	if err != nil {
		sum.note(err.Error(), rec.Job.Name)
		return
	}
	res, err := rewrite.Predict(p, facts, prof, opt)
	if err != nil {
		sum.refused++
		sum.note("refused: "+err.Error(), rec.Job.Name)
		return
	}
	if len(res.Unpredicted) > 0 && !opt.Blind && !opt.NoCapPerfmon && len(changedAccesses(rec, p)) == 0 && certain(facts) {
		sum.note(fmt.Sprintf("slots %v are unpredicted for no reason", res.Unpredicted), rec.Job.Name)
	}
	if why := sameTables(res, p, rec); why != "" && len(res.Unpredicted) == 0 {
		sum.note(why, rec.Job.Name)
	}
	if why := sum.count(res, res.Dump(prof), xlated, &rec.Result.Prog.Lines); why != "" {
		sum.note(why, rec.Job.Name)
	}

	// Without facts about pointers there may be more unpredicted slots, but
	// nothing that is wrong.
	facts.Accesses = nil
	if res, err = rewrite.Predict(p, facts, prof, opt); err != nil {
		sum.note(err.Error(), rec.Job.Name)
		return
	}
	if why := sum.own.count(res, res.Dump(prof), xlated, &rec.Result.Prog.Lines); why != "" {
		sum.note("without accesses: "+why, rec.Job.Name)
	}
}

// count compares a prediction with a dump and counts the outcome. It returns
// how they differ, apart from unpredicted slots.
func (t *tally) count(res *rewrite.Result, d rewrite.Dumped, real []bytecode.Insn, lines *[]record.Line) string {
	diff, err := d.Differs(real)
	if err == nil && len(diff) == 0 {
		t.equal++
		return ""
	}
	unknown := map[bytecode.PC]bool{}
	for _, pc := range res.Unpredicted {
		unknown[pc] = true
	}
	diff = slices.DeleteFunc(diff, func(pc bytecode.PC) bool { return unknown[pc] })
	switch {
	case len(unknown) > 0 && err == nil && len(diff) == 0:
		t.unpredicted++
		return ""
	case len(unknown) > 0 && err != nil && lines != nil:
		if why := marks.Unmarked(res, d, real, *lines); why != "" {
			t.differ++
			return why
		}
		t.unpredicted++
		return ""
	}
	t.differ++
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("slot %d: %v, predicted %v", diff[0], real[diff[0]], d.Insns[diff[0]])
}
