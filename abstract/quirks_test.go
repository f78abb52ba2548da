package abstract_test

import (
	"reflect"
	"testing"

	"github.com/bpfcfg/bpfcfg/abstract"
	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/kernel"
	"github.com/bpfcfg/bpfcfg/internal/testing/progen"
)

// TestQuirksOf checks that some kernel has each quirk.
func TestQuirksOf(t *testing.T) {
	var all abstract.Quirks
	for _, v := range []kernel.Version{6001, 6006, 6012, 6016, 6018, 6019, 7001, 7002} {
		all = all.Or(abstract.QuirksOf(kernel.Of(v))).Or(abstract.QuirksOf(kernel.OfRelease(v, 1)))
	}
	v := reflect.ValueOf(all)
	for i := range v.NumField() {
		if !v.Field(i).Bool() {
			t.Errorf("no kernel has %s", v.Type().Field(i).Name)
		}
	}
}

// TestDecided checks which kernels decide a branch that 7.3 decides. What each does is
// read from its is_branch_taken, reg_set_min_max and adjust_reg_min_max_vals: 6.1, 6.12
// and 7.2; of the versions between the history tells.
func TestDecided(t *testing.T) {
	const (
		jgt, jle, jeq, jgeX, ldb = 0x25, 0xb5, 0x15, 0x3d, 0x71
	)
	number := func(a *progen.Asm, reg bytecode.Reg) { a.Emit(ldb, reg, 10, -8, 0) } // 0 to 255
	for _, c := range []struct {
		name    string
		since   kernel.Version // decided from here on
		perhaps kernel.Version // by some releases from here on, 0 for none
		build   func(a *progen.Asm)
	}{
		{"equality by ranges", 6004, 0, func(a *progen.Asm) { // 4 to 9: four bits unknown
			number(a, 1)
			a.If(jgt, 1, 0, 9, "out")
			a.If(jle, 1, 0, 3, "out")
			a.If(jeq, 1, 0, 2, "asked")
		}},
		{"!= at the end of a range", 6008, 0, func(a *progen.Asm) {
			number(a, 1)
			a.If(jgt, 1, 0, 8, "out")
			a.If(jeq, 1, 0, 8, "out")
			a.If(jgt, 1, 0, 7, "asked")
		}},
		{"two registers", 6008, 0, func(a *progen.Asm) {
			number(a, 1)
			number(a, 2)
			a.If(jgt, 1, 0, 8, "out")
			a.If(jle, 2, 0, 8, "out")
			a.If(jgeX, 1, 2, 0, "asked")
		}},
		{"plus a constant", 6019, 6018, func(a *progen.Asm) { // linked before, but sums that wrap had no range
			number(a, 1)
			a.Emit(movX, 2, 1, 0, 0)
			a.Emit(add, 2, 0, 0, 9)
			a.If(jgt, 2, 0, 20, "out")
			a.If(jgt, 1, 0, 11, "asked")
		}},
		{"less a constant", 7000, 6018, func(a *progen.Asm) {
			number(a, 1)
			a.If(jle, 1, 0, 8, "out")
			a.Emit(movX, 2, 1, 0, 0)
			a.Emit(add, 2, 0, 0, -9)
			a.If(jgt, 2, 0, 4, "out")
			a.If(jgt, 1, 0, 13, "asked")
		}},
	} {
		var a progen.Asm
		a.Emit(mov, 0, 0, 0, 0)
		a.Emit(0x85, 0, 0, 0, 7) // bpf_get_prandom_u32
		a.Emit(0x7b, 10, 0, -8, 0)
		c.build(&a)
		a.Label("out")
		a.Emit(mov, 0, 0, 0, 0)
		a.Emit(exit, 0, 0, 0, 0)
		a.Label("asked")
		asked := a.PC()
		a.Emit(mov, 0, 0, 0, 1)
		a.Emit(exit, 0, 0, 0, 0)
		p := a.Program("p")
		for _, v := range []kernel.Version{6001, 6004, 6008, 6012, 6018, 7000, 7003} {
			opt := abstract.Options{Rules: abstract.Verifier, Quirks: abstract.QuirksOf(kernel.Of(v))}
			_, f := analyzeWith(t, p, opt)
			want := cfg.Yes
			switch {
			case v >= c.since && !kernel.Of(v).Has(kernel.KnownNumbers):
				want = cfg.Maybe // it was read, but not compared with a kernel
			case v >= c.since:
				want = cfg.No
			case c.perhaps > 0 && v >= c.perhaps:
				want = cfg.Maybe
			}
			if got := f.Reach(asked); got != want {
				t.Errorf("%s: linux %d comes to the branch's other side: %v, want %v", c.name, v, got, want)
			}
		}
	}
}
