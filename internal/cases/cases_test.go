package cases

import (
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// TestPlainSwitch states over which lines an index can be turned into a case.
func TestPlainSwitch(t *testing.T) {
	for line, want := range map[string]bool{
		"switch (proto) {": true, "	switch (p->proto)": true, "switch (x - 1) {": false, "switch (a + b)": false,
		"switch (f(x)) { // n-1": true, "goto *labels[x];": false, "": false, "if (x) switch (y[2]) {": true,
		"#define SWITCH(x) switch_(x)": false,
	} {
		if got := plainSwitch(line); got != want {
			t.Errorf("%q: %v", line, got)
		}
	}
}

// TestSums: a sum of registers is the address of a table's entry only between the load and the
// first one; another is the source's own arithmetic, and ends the way back.
func TestSums(t *testing.T) {
	add := bytecode.Insn{Code: 0x0f, Dst: 2, Src: 3} // r2 += r3
	sub := bytecode.Insn{Code: 0x1f, Dst: 2, Src: 3} // r2 -= r3
	mul := bytecode.Insn{Code: 0x2f, Dst: 2, Src: 3} // r2 *= r3
	for _, c := range []struct {
		in                   bytecode.Insn
		loaded, sum, indexed bool // before
		done, isSum, isIndex bool // after
	}{
		{add, true, false, false, false, true, false},
		{add, false, false, false, true, false, false},
		{add, true, true, false, true, true, false},
		{add, true, false, true, true, false, false},
		{sub, true, false, true, true, false, false},
		{sub, true, false, false, true, false, false},
		{mul, true, true, true, true, true, true}, // what is multiplied is an index all the same
	} {
		tr := tracer{p: &bytecode.Program{Insns: []bytecode.Insn{c.in}}, reg: 2,
			loaded: c.loaded, sum: c.sum, indexed: c.indexed}
		if done := tr.alu(0, c.in); done != c.done || tr.sum != c.isSum || tr.indexed != c.isIndex {
			t.Errorf("%+v: done %v, sum %v, index %v", c, done, tr.sum, tr.indexed)
		}
		if c.isSum && !c.sum && tr.other != 3 {
			t.Errorf("%+v: the other term is %v", c, tr.other)
		}
	}
}
