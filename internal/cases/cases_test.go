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

// TestExtensions: compilers extend the lower half of a register by two shifts of 32 before it is an
// index of 64 bits, which keeps the value of a switch over an int; other shifts are the source's own.
func TestExtensions(t *testing.T) {
	shift := func(code uint8, by int32) bytecode.Insn { return bytecode.Insn{Code: code, Dst: 2, Imm: by} }
	const lsh, rsh, arsh = 0x67, 0x77, 0xc7
	for _, c := range []struct {
		in   bytecode.Insn
		done bool
	}{
		{shift(lsh, 32), false}, {shift(rsh, 32), false}, {shift(arsh, 32), false}, {shift(lsh, 3), false},
		{shift(lsh, 31), true}, {shift(rsh, 3), true}, {shift(arsh, 3), true},
	} {
		tr := tracer{p: &bytecode.Program{Insns: []bytecode.Insn{c.in}}, reg: 2, indexed: true}
		if done := tr.alu(0, c.in); done != c.done || tr.reg != 2 {
			t.Errorf("%+v: the value begins there: %v", c.in, done)
		}
	}
}
