package verify_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
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

// TestWrongFacts lets the rewrites believe what is not so, and states that the
// proof, which goes by what the verifier finds, fails wherever that changes the
// rewritten program: what is claimed is a program that is consistent in itself.
func TestWrongFacts(t *testing.T) {
	lies := []struct {
		name string
		lie  func(f *rewrite.Facts)
	}{
		{"dead code is seen", func(f *rewrite.Facts) { f.Seen = nil }},
		{"no index is constant", func(f *rewrite.Facts) { eachCall(f, func(c *rewrite.CallFact) { c.Key = -1 }) }},
		{"an index is constant", func(f *rewrite.Facts) { eachCall(f, func(c *rewrite.CallFact) { c.Key = max(c.Key, 0) }) }},
		{"no map is known", func(f *rewrite.Facts) { eachCall(f, func(c *rewrite.CallFact) { c.Map = rewrite.NoMap }) }},
		{"no callback is known", func(f *rewrite.Facts) { eachCall(f, func(c *rewrite.CallFact) { c.Callback = -1 }) }},
		{"loops have flags", func(f *rewrite.Facts) { eachCall(f, func(c *rewrite.CallFact) { c.FlagsZero = false }) }},
		{"nothing is certain", func(f *rewrite.Facts) { eachCall(f, func(c *rewrite.CallFact) { c.Certain = false }) }},
		{"packets are written", func(f *rewrite.Facts) { f.DirectWrite = cfg.Yes }},
		{"every slot is an indirect target", func(f *rewrite.Facts) {
			for i := range f.IndirectTarget {
				f.IndirectTarget[i] = cfg.Yes
			}
		}},
	}
	prof, err := jit.LookupProfile("linux-7.3")
	if err != nil {
		t.Fatal(err)
	}
	all := analyses(t, prof)
	for _, l := range lies {
		t.Run(l.name, func(t *testing.T) {
			changed := 0
			for _, a := range all {
				facts := pipeline.Facts(a.Program, a.Succ)
				l.lie(&facts)
				changed += a.believe(t, facts)
			}
			if changed == 0 {
				t.Error("changes the transfers of no program")
			}
		})
	}
}

// TestLoader states that what becomes of dead code is proven for the loader at hand:
// one without CAP_BPF has all of it, as jumps to themselves, and any other none of it.
func TestLoader(t *testing.T) {
	prof, err := jit.LookupProfile("linux-7.3")
	if err != nil {
		t.Fatal(err)
	}
	dead := 0
	for _, a := range analyses(t, prof) {
		if a.Program.Tables != nil || len(a.Program.Subprogs) > 1 {
			continue // not for a loader without CAP_BPF
		}
		for _, lacks := range []bool{false, true} {
			b, err := pipeline.Run(a.Program, prof, rewrite.Options{NoCapBPF: lacks})
			if err != nil || b.ImageErr != nil || b.Claim().Refused != "" {
				continue
			}
			right := b.Claim()
			if p := verify.Prove(right); !p.OK() || strings.Contains(p.String(), "without CAP_BPF") != lacks {
				t.Errorf("%s without CAP_BPF %t: %s", a.name, lacks, p)
			}
			if !slices.ContainsFunc(pipeline.Facts(b.Program, b.Succ).Seen, func(s cfg.Truth) bool { return s == cfg.No }) {
				continue
			}
			wrong := *right.Source
			wrong.Unprivileged = !lacks
			right.Source = &wrong
			dead++
			if p := verify.Prove(right); p.OK() {
				t.Errorf("%s of a loader without CAP_BPF %t is proven for the other: %s", a.name, lacks, p)
			}
		}
	}
	if dead < 4 {
		t.Errorf("only %d programs with dead code", dead)
	}
}

func eachCall(f *rewrite.Facts, do func(*rewrite.CallFact)) {
	for i := range f.Calls {
		do(&f.Calls[i])
	}
}

// named is the analysis of a program of the corpus.
type named struct {
	*pipeline.Analysis
	name string
}

// analyses returns those of programs that the kernel takes.
func analyses(t *testing.T, prof jit.Profile) []named {
	t.Helper()
	var out []named
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
				a, err := pipeline.Run(p, prof, rewrite.Options{})
				if err != nil || a.ImageErr != nil || a.Claim().Refused != "" {
					continue
				}
				out = append(out, named{a, filepath.Base(file) + " " + p.Name})
			}
		}
	}
	return out
}

// believe rewrites and compiles a program by facts, and checks that the proof fails
// if that changes a jump, call or exit of the rewritten program. It returns the
// number of programs that it changes.
func (a named) believe(t *testing.T, facts rewrite.Facts) int {
	t.Helper()
	b := *a.Analysis
	var err error
	if b.Rewrite, err = rewrite.Predict(a.Program, facts, a.Profile, rewrite.Options{}); err != nil {
		return 0
	}
	if b.Image, err = jit.Compile(b.Rewrite.Program, a.Profile); err != nil {
		return 0
	}
	if sameTransfers(a.Rewrite.Program, b.Rewrite.Program) {
		return 0
	}
	if p := b.Verify(); p.OK() {
		t.Errorf("%s: %s", a.name, p)
	}
	return 1
}

// sameTransfers reports whether two programs have the same jumps, calls and exits,
// and the same marks at what indirect jumps lead to.
func sameTransfers(a, b *jit.Program) bool {
	return slices.Equal(transfers(a), transfers(b))
}

func transfers(p *jit.Program) []string {
	var out []string
	for pc, in := range p.Insns {
		if c := in.Class(); c.IsJump() {
			out = append(out, in.JumpOp().String())
			if in.Code == bytecode.CodeTailCall && in.Imm != 0 {
				out = append(out, "direct")
			}
		}
		if pc < len(p.IndirectTarget) && p.IndirectTarget[pc] {
			out = append(out, "target")
		}
	}
	return out
}
