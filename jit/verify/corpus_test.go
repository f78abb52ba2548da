package verify_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
	"github.com/bpfcfg/bpfcfg/jit/verify"
)

// profiles are the set-ups that the corpus is compiled for: each form of
// indirect jump, return and target mark.
var profiles = []string{"linux-7.3", "linux-7.3+plain", "linux-6.19", "linux-6.18", "linux-7.3+stuff", "linux-7.3+unret"}

// compiled is a program with its image.
type compiled struct {
	name string
	p    *jit.Program
	img  *jit.Image
	prof jit.Profile
}

// corpus compiles every program of the corpus.
func corpus(t testing.TB, profiles ...string) []compiled {
	t.Helper()
	var out []compiled
	for _, dir := range []string{"corpus/out/*.o", "corpus/out-plain/*.o"} {
		for _, file := range testenv.Glob(t, dir) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			o, err := load.ELF(file, data)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range o.Programs {
				for _, name := range profiles {
					out = append(out, compile(t, filepath.Base(file)+" "+p.Name+" "+name, p, name)...)
				}
			}
		}
	}
	return out
}

// compile compiles one program; one that the profile's kernel cannot compile is
// left out.
func compile(t testing.TB, name string, p *bytecode.Program, profile string) []compiled {
	t.Helper()
	prof, err := jit.LookupProfile(profile)
	if err != nil {
		t.Fatal(err)
	}
	facts := rewrite.Facts{IndirectTarget: make([]cfg.Truth, p.Len())}
	for _, tab := range p.Tables {
		for _, pc := range tab.Targets {
			if pc >= 0 && pc < p.Len() {
				facts.IndirectTarget[pc] = cfg.Yes
			}
		}
	}
	x, err := rewrite.Predict(p, facts, prof, rewrite.Options{})
	if err != nil {
		t.Logf("%s: %v", name, err)
		return nil
	}
	img, err := jit.Compile(x.Program, prof)
	if err != nil {
		t.Logf("%s: %v", name, err)
		return nil
	}
	return []compiled{{name, x.Program, img, prof}}
}

// TestCorpus states that what the compiler makes of the corpus has the control
// flow of its bytecode, in every set-up.
func TestCorpus(t *testing.T) {
	var sum verify.Proof
	n := 0
	for _, c := range corpus(t, profiles...) {
		r := verify.Check(c.p, c.img, pipeline.VerifyKernel(c.prof))
		for i, m := range r.Mismatches {
			if i < 3 {
				t.Errorf("%s: %s", c.name, m)
			}
		}
		n++
		sum.Insns += r.Insns
		sum.X86 += r.X86
		sum.Jumps += r.Jumps
		sum.Indirect += r.Indirect
		sum.Entries += r.Entries
	}
	t.Logf("%d images: %d instructions, %d x86 instructions, %d jumps, %d indirect jumps, %d table entries", n, sum.Insns,
		sum.X86, sum.Jumps, sum.Indirect, sum.Entries)
	if n < 100 || sum.Indirect < 50 {
		t.Errorf("only %d images with %d indirect jumps were checked", n, sum.Indirect)
	}
}
