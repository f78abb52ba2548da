package check_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/internal/check"
	"github.com/bpfcfg/bpfcfg/internal/record"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
)

// job is a recorded program with its findings.
type job struct {
	*record.Record
	findings []check.Finding
}

// records checks the source programs of a record file with the profile of the
// recorded machine.
func records(t *testing.T, file string, f func(j job)) {
	t.Helper()
	r, err := record.Open(testenv.Path(t, "records/"+file), record.Options{SkipLogs: true})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	prof, err := jit.LookupProfile(jit.DefaultProfile)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for rec, err := range r.Records() {
		if err != nil {
			t.Fatal(err)
		}
		if rec.Env != nil {
			e := rec.Env
			if prof, err = jit.ProfileForEnv(e.Release, e.Cmdline, e.CPUFlags, e.CPUBugs, e.Vulnerabilities); err != nil {
				t.Fatal(err)
			}
		}
		if rec.Result == nil && rec.Kind == record.KindCrash { // it went down before it could answer
			rec.Result = &record.Result{}
		}
		if rec.Job == nil || rec.Result == nil {
			continue
		}
		p, err := rec.Job.Program()
		if err != nil {
			continue
		}
		a, err := pipeline.Run(p, prof, rewrite.Options{})
		if err != nil {
			t.Errorf("%s: %v", rec.Job.Name, err)
			continue
		}
		f(job{rec, check.Findings(a, check.Expect{})})
		n++
	}
	if n == 0 {
		t.Fatalf("%s: no job", file)
	}
}

// with returns the findings of a kind.
func (j job) with(id check.ID) []check.Finding {
	var out []check.Finding
	for _, f := range j.findings {
		if f.ID == id {
			out = append(out, f)
		}
	}
	return out
}

// TestCrashes holds the findings about targets against what kernels did: every
// recorded program that took one down is flagged, and a program whose kernel
// tables give an address to every entry that the verifier followed is not said to
// lose one.
func TestCrashes(t *testing.T) {
	for kernel, atLeast := range map[string]int{"7.3.4": 4, "6.19.14": 9} {
		crashed, flagged := 0, 0
		for _, file := range testenv.Glob(t, "records/*."+kernel+".*.jsonl.gz") {
			records(t, filepath.Base(file), func(j job) {
				nops := j.with(check.NopTarget)
				if len(nops) > 0 {
					flagged++
				}
				if j.Kind == record.KindCrash {
					crashed++
					if !slices.ContainsFunc(j.findings, hazardous) {
						t.Errorf("%s: %s crashed the kernel, and nothing of it is flagged", filepath.Base(file), j.Job.Name)
					}
					return
				}
				if j.Result.Load == nil || !j.Result.Load.OK {
					return
				}
				for _, f := range nops {
					if !deleted(j.Record, int(f.PC)) {
						t.Errorf("%s: insn %d is flagged, and the kernel did not delete it", j.Job.Name, f.PC)
					}
				}
			})
		}
		if crashed < atLeast {
			t.Errorf("%s: only %d programs crashed: the records are not the ones meant", kernel, crashed)
		}
		t.Logf("%s: %d crashed, %d with a deleted target", kernel, crashed, flagged)
	}
}

// hazardous reports whether a finding says that a program that a kernel accepts
// goes astray there.
func hazardous(f check.Finding) bool {
	return f.Level == check.Error &&
		(f.ID == check.NopTarget || f.ID == check.ForeignTarget || f.ID == check.UnverifiedTarget)
}

// deleted reports whether a kernel's table says that it removed an instruction.
func deleted(r *record.Record, pc int) bool {
	for _, m := range r.Result.Maps {
		for _, e := range m.Insns {
			if int(e.Orig) == pc && e.Xlated == record.DeletedInsn {
				return true
			}
		}
	}
	return false
}

// TestVerdicts holds the errors against the verdicts of kernels: what one
// accepted has no error but the hazards that it does not look for, and what it
// refused has one, mostly with the kernel's own words. Refusals for want of
// privileges or of a compiler are not the program's fault, and those listed are
// known not to be found.
func TestVerdicts(t *testing.T) {
	missed := map[string]string{
		"6.19 27_asm_corners/spill":             "6.19 forgets code addresses in the stack",
		"6.19 good/spill-fill":                  "6.19 forgets code addresses in the stack",
		"6.19 harden/good/spill-fill":           "6.19 forgets code addresses in the stack",
		"6.19 good/switch-mod":                  "6.19 does not follow the remainder",
		"6.19 harden/good/switch-mod":           "6.19 does not follow the remainder",
		"6.19 good/load-negative-offset":        "6.19 drops the offset of the load",
		"6.19 harden/good/load-negative-offset": "6.19 drops the offset of the load",
		"6.19 03_threaded_vm/run":               "the verifier gives up, which depends on its order of paths",
	}
	words, other := 0, 0
	for _, pattern := range []string{"records/*.7.3.4.off.jsonl.gz", "records/*.6.19.14.off.jsonl.gz"} {
		for _, path := range testenv.Glob(t, pattern) {
			file := filepath.Base(path)
			accepted, refused := 0, 0
			records(t, file, func(j job) {
				if j.Result.Load == nil {
					return
				}
				var errs []string
				quoted := false
				for _, f := range j.findings {
					if f.Level == check.Error && !hazardous(f) {
						errs = append(errs, string(f.ID)+": "+f.Message)
					}
					quoted = quoted || f.Kernel != "" && strings.Contains(j.Result.Load.Error, f.Kernel)
				}
				name := j.Job.Name
				switch ok := j.Result.Load.OK; {
				case ok && len(errs) > 0:
					t.Errorf("%s: the kernel accepts %s: %s", file, name, strings.Join(errs, "; "))
				case ok:
					accepted++
				case len(errs) > 0:
					refused++
					if quoted {
						words++
					} else {
						other++
						t.Logf("%s: %s is refused with %q, not quoted: %s", file, name, j.Result.Load.Error, strings.Join(errs, "; "))
					}
				case strings.Contains(file, ".6.19.") && missed["6.19 "+name] != "":
				case !strings.HasPrefix(name, "other/caps-") && name != "other/jit-off":
					t.Errorf("%s: %s is refused (%s) and has no error", file, name, j.Result.Load.Error)
				}
			})
			t.Logf("%s: %d accepted and clean, %d refused and flagged", file, accepted, refused)
		}
	}
	if words < 200 || other > 10 {
		t.Errorf("%d refusals are quoted, %d are not", words, other)
	}
}
