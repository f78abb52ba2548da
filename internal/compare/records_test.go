package compare

import (
	"bytes"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/record"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
)

// tally counts predictions from source against what a kernel did.
type tally struct{ programs, failed, xlated, jitted, tables, unpredicted, otherX, otherJ, otherT int }

// options returns how a job was loaded. It is nil for a load that predictions
// do not speak of: without all capabilities.
func options(f *record.Env, j *record.Job) *rewrite.Options {
	if len(j.DropCaps) > 0 {
		return nil
	}
	o := &rewrite.Options{AttachType: j.AttachType}
	for _, s := range []map[string]string{f.Sysctl, j.Sysctl} {
		if s["net.core.bpf_jit_harden"] == "2" {
			o.Blind = true
		}
	}
	return o
}

// corpusPredicted matches records of the corpus by kernels on which all of it is predicted.
// On the others the rules of stable releases, or offsets, leave a few programs open.
var corpusPredicted = regexp.MustCompile(`^corpus.*\.(6\.12|6\.19|7\.[0-3])\.`)

// TestPredictions runs the whole line on the source of each recorded program
// that loaded, and compares xlated code, machine code and table entries with
// the kernel's. Addresses are masked. Programs with instructions that only the
// kernel can predict are counted apart; the C programs of the corpus have none on most kernels.
func TestPredictions(t *testing.T) {
	sum := map[string]*tally{}
	own, err := filepath.Glob("testdata/named.*.jsonl.gz") // programs with a name, each for one rule
	if err != nil || len(own) == 0 {
		t.Fatalf("no programs with a name: %v", err)
	}
	for _, file := range append(own, testenv.Glob(t, "records/*.*.*.jsonl.gz")...) {
		r, err := record.Open(file, record.Options{SkipLogs: true})
		if err != nil {
			t.Fatal(err)
		}
		var env *record.Env
		for rec, err := range r.Records() {
			if err != nil {
				t.Fatal(err)
			}
			if rec.Env != nil {
				env = rec.Env
			}
			if rec.Job == nil || rec.Result == nil || rec.Result.Prog == nil || patchedLater(rec.Job) {
				continue
			}
			kernel := strings.SplitN(env.Release, "+", 2)[0]
			if sum[kernel] == nil {
				sum[kernel] = &tally{}
			}
			marked := sum[kernel].unpredicted
			if why := sum[kernel].compare(env, rec); why != "" {
				t.Errorf("%s %s: %s", filepath.Base(file), rec.Job.Name, why)
			}
			if corpusPredicted.MatchString(filepath.Base(file)) && sum[kernel].unpredicted > marked {
				t.Errorf("%s %s: not predicted", filepath.Base(file), rec.Job.Name)
			}
		}
		r.Close()
	}
	for _, k := range sortedKeys(sum) {
		s := sum[k]
		if s.xlated == 0 || s.jitted == 0 || s.tables == 0 || s.failed > 0 {
			t.Errorf("%s: %+v", k, *s)
		}
		t.Logf("%s: %d programs, %d without prediction; xlated equal %d, other %d; jitted equal %d, other %d; "+
			"tables equal %d, other %d; %d with unpredicted instructions apart", k, s.programs, s.failed, s.xlated, s.otherX,
			s.jitted, s.otherJ, s.tables, s.otherT, s.unpredicted)
	}
}

// patchedLater reports whether a map of the job is filled after the load, which
// patches the code of direct tail calls.
func patchedLater(job *record.Job) bool {
	return slices.ContainsFunc(job.Maps, func(m record.Map) bool { return len(m.AfterLoad) > 0 })
}

// sortedKeys returns the keys in order.
func sortedKeys(m map[string]*tally) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}

// compare counts one record and says what differs.
func (s *tally) compare(env *record.Env, rec *record.Record) string {
	opt := options(env, rec.Job)
	if opt == nil {
		return ""
	}
	prof, err := jit.ProfileForEnv(env.Release, env.Cmdline, env.CPUFlags, env.CPUBugs, env.Vulnerabilities)
	if err != nil {
		return err.Error()
	}
	p, err := rec.Job.Program()
	if err != nil {
		return ""
	}
	s.programs++
	a, err := pipeline.Run(p, prof, *opt)
	if err != nil || a.ImageErr != nil {
		s.failed++
		return fmt.Sprintf("no prediction: %v %v", err, a.ImageErr)
	}
	if vr := a.Verify(); !vr.OK() {
		return "verify: " + vr.Mismatches[0].String()
	}
	if unpredicted(a, p, prof, *opt) {
		s.unpredicted++
		return ""
	}
	if opt.Blind { // the random constants decide the sizes of moves
		return s.xlatedEqual(a, rec) + s.tablesEqual(a, rec, true)
	}
	return s.xlatedEqual(a, rec) + s.jittedEqual(a, rec) + s.tablesEqual(a, rec, false)
}

// unpredicted reports whether the program has instructions that only the
// kernel can predict, for other reasons than blinding.
func unpredicted(a *pipeline.Analysis, p *bytecode.Program, prof jit.Profile, opt rewrite.Options) bool {
	if !opt.Blind {
		return len(a.Rewrite.Unpredicted) > 0
	}
	opt.Blind = false
	x, err := rewrite.Predict(p, pipeline.Facts(p, a.Succ), prof, opt)
	return err != nil || len(x.Unpredicted) > 0
}

// xlatedEqual compares the rewritten program with the kernel's dump.
func (s *tally) xlatedEqual(a *pipeline.Analysis, rec *record.Record) string {
	real, err := record.Decode(rec.Result.Prog.Xlated)
	if err != nil {
		return err.Error()
	}
	at, err := a.Rewrite.Dump(a.Profile).Differs(real)
	if err == nil && len(at) == 0 {
		s.xlated++
		return ""
	}
	s.otherX++
	return fmt.Sprintf("xlated: %v %v. ", at[:min(3, len(at))], err)
}

// jittedEqual compares machine code outside relocation sites.
func (s *tally) jittedEqual(a *pipeline.Analysis, rec *record.Record) string {
	ours := bytes.Clone(a.Image.Code)
	theirs := bytes.Clone(rec.Result.Prog.Jited)
	if len(theirs) == 0 {
		return ""
	}
	if n := dumpedLen(a); len(theirs) == n {
		ours = ours[:n]
	}
	for _, r := range a.Image.Relocs {
		for i := r.Offset; i < r.Offset+r.Size && i < len(theirs) && i < len(ours); i++ {
			ours[i], theirs[i] = 0, 0
		}
	}
	if bytes.Equal(ours, theirs) {
		s.jitted++
		return ""
	}
	s.otherJ++
	return fmt.Sprintf("jitted: %d bytes, kernel %d. ", len(ours), len(theirs))
}

// dumpedLen returns how much of the image a kernel shows: hidden functions are
// left out.
func dumpedLen(a *pipeline.Analysis) int {
	n := 0
	for i, f := range a.Image.Funcs {
		if !a.Rewrite.Program.Funcs[i].Hidden {
			n += f.Len
		}
	}
	return n
}

// tablesEqual compares {orig, xlated, jitted} of each table entry.
func (s *tally) tablesEqual(a *pipeline.Analysis, rec *record.Record, blind bool) string {
	byName := map[string]int{}
	for i, t := range a.Program.Tables {
		byName[t.Name] = i
	}
	wrong := ""
	for _, m := range rec.Result.Maps {
		i, ok := byName[m.Name]
		if !ok || len(m.Insns) == 0 {
			continue
		}
		for j, e := range m.Insns {
			x := a.Rewrite.Program.Tables[i][j]
			jitted := uint32(a.Image.Tables[i][j])
			if uint32(x) != e.Xlated || !blind && jitted != e.Jited {
				wrong = fmt.Sprintf("table %s[%d]: %d +%d, kernel %d +%d. ", m.Name, j, x, jitted, int32(e.Xlated), e.Jited)
			}
		}
	}
	if wrong == "" {
		s.tables++
	} else {
		s.otherT++
	}
	return wrong
}
