package check_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/check"
	"github.com/bpfcfg/bpfcfg/internal/testing/progen"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
)

// TestFixes checks that the fix of a finding fits its message.
func TestFixes(t *testing.T) {
	object := func(name, program string) *bytecode.Program {
		ps := objects(t, name)
		i := slices.IndexFunc(ps, func(p *bytecode.Program) bool { return p.Name == program })
		if i < 0 {
			t.Fatalf("%s has no program %s", name, program)
		}
		return ps[i]
	}
	raw := func(f func(a *progen.Asm)) *bytecode.Program {
		a := &progen.Asm{}
		f(a)
		return a.Program("p")
	}
	for _, c := range []struct {
		what    string
		p       *bytecode.Program
		profile string
		id      check.ID
		fix     string
	}{
		{"gotox before 6.19", object("corpus/out/01_ipproto_xdp.o", "parse"), "linux-6.18", check.KernelRefuses, "-fno-jump-tables"},
		{"gotox at the end before 7.2", object("corpus/out/10_single_target.o", "last"), "linux-7.1", check.TargetOutside,
			"Linux before 7.2 refuses an indirect jump there"},
		{"reserved fields", object("corpus/bad/b14_reserved_fields.o", "src"), "linux-7.3", check.KernelRefuses,
			"compilers do not make such a one"},
		{"sign-extending load on 6.1", raw(func(a *progen.Asm) {
			a.Emit(0x81, 0, 10, -8, 0)
			a.Emit(bytecode.CodeExit, 0, 0, 0, 0)
		}), "linux-6.1", check.KernelRefuses, "-mcpu=v3"},
		{"a register that was never set", raw(func(a *progen.Asm) {
			a.Emit(0xbf, 0, 3, 0, 0)
			a.Emit(bytecode.CodeExit, 0, 0, 0, 0)
		}), "linux-7.3", check.KernelRefuses, "set the variable"},
		{"the product of a pointer", raw(func(a *progen.Asm) {
			a.Emit(0x27, 1, 0, 0, 2)
			leave(a, "out", 0)
		}), "linux-7.3", check.KernelRefuses, "compute with numbers"},
		{"a number without a bound, added to the value of a map", raw(func(a *progen.Asm) {
			a.MapValue(2, a.Map(bytecode.Map{Name: "m", Value: make([]byte, 64)}), 0)
			a.Helper(7) // bpf_get_prandom_u32
			a.Emit(addX, 2, 0, 0, 0)
			leave(a, "out", 0)
		}), "linux-7.3", check.KernelRefuses, "set the variable"}, // r2 is gone with the call
		{"a number without a bound, added to the value of a map", raw(func(a *progen.Asm) {
			a.Helper(7)
			a.Emit(lshK, 0, 0, 0, 40)
			a.MapValue(2, a.Map(bytecode.Map{Name: "m", Value: make([]byte, 64)}), 0)
			a.Emit(addX, 2, 0, 0, 0)
			leave(a, "out", 0)
		}), "linux-7.3", check.KernelRefuses, "bound the number"},
		{"an endless loop", raw(func(a *progen.Asm) {
			a.Label("again")
			a.Emit(movK, 0, 0, 0, 0)
			a.Jump("again")
		}), "linux-7.3", check.KernelRefuses, "give the loop a bound"},
	} {
		prof, err := jit.LookupProfile(c.profile)
		if err != nil {
			t.Fatal(err)
		}
		a, err := pipeline.Run(c.p, prof, rewrite.Options{})
		if err != nil {
			t.Fatal(err)
		}
		fs := check.Findings(a, check.Expect{})
		i := slices.IndexFunc(fs, func(f check.Finding) bool { return f.ID == c.id })
		if i < 0 || !strings.Contains(fs[i].Fix, c.fix) {
			t.Errorf("%s: %+v, want %s with a fix that has %q", c.what, fs, c.id, c.fix)
		}
	}
}
