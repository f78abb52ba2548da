package golden_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/golden"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
)

var (
	exit   = bytecode.Insn{Code: bytecode.CodeExit}
	random = bytecode.Insn{Code: bytecode.CodeCall, Imm: 7}
	add1   = bytecode.Insn{Code: 0x07, Imm: 1}  // r0 += 1, 4 bytes of machine code
	add2   = bytecode.Insn{Code: 0x07, Imm: 2}  // the same with another constant
	zero   = bytecode.Insn{Code: 0xb7, Dst: 0}  // r0 = 0
	neg    = bytecode.Insn{Code: 0x87, Dst: 0}  // r0 = -r0
	ifZero = bytecode.Insn{Code: 0x15, Imm: 0}  // if r0 == 0
	ifGt   = bytecode.Insn{Code: 0x25, Imm: 15} // if r0 > 15
	and7   = bytecode.Insn{Code: 0x57, Imm: 7}  // r0 &= 7
)

// over returns a jump over n slots.
func over(in bytecode.Insn, n int) bytecode.Insn {
	in.Off = int16(n)
	return in
}

// times returns n copies.
func times(in bytecode.Insn, n int) []bytecode.Insn { return slices.Repeat([]bytecode.Insn{in}, n) }

// layoutFor compiles instructions.
func layoutFor(t *testing.T, profile string, parts ...[]bytecode.Insn) *golden.File {
	t.Helper()
	insns := slices.Concat(parts...)
	p := &bytecode.Program{Name: "f", Section: "xdp", Type: "xdp", Insns: insns,
		Subprogs: []bytecode.Subprogram{{Name: "f", End: bytecode.PC(len(insns))}}}
	prof, err := jit.LookupProfile(profile)
	if err != nil {
		t.Fatal(err)
	}
	a, err := pipeline.Run(p, prof, rewrite.Options{})
	if err != nil || a.ImageErr != nil {
		t.Fatal(err, a.ImageErr)
	}
	return layoutOf(a)
}

// one is a slice of instructions.
func one(in ...bytecode.Insn) []bytecode.Insn { return in }

// TestCompare changes one thing in a program and expects it to be named. Sizes
// are those of the x86-64 encodings (Intel SDM volume 2: ADD r64, imm8 has 4
// bytes, Jcc has 2 or 6); the short form goes up to 123 bytes
// (arch/x86/net/bpf_jit_comp.c is_imm8_jmp_offset).
func TestCompare(t *testing.T) {
	const std = "linux-7.3"
	base := func(n int, with ...bytecode.Insn) []bytecode.Insn {
		return slices.Concat(one(random, over(ifZero, n+len(with))), times(add1, n), with, one(neg, exit))
	}
	for _, c := range []struct {
		name     string
		old, new *golden.File
		want     []string // each in some cause
		not      string   // in no cause
	}{
		{
			name: "a jump becomes long",
			old:  layoutFor(t, std, base(30)), new: layoutFor(t, std, base(31)),
			want: []string{
				"the program changed: 34 → 35 insns", "b1: its instructions changed, 30 → 31 slots, 120 → 124 bytes",
				"b0 grew 4 bytes: its jump to b2 became long because b1 gained 4 bytes",
			},
			not: "other code",
		},
		{
			name: "a jump becomes short again",
			old:  layoutFor(t, std, base(31)), new: layoutFor(t, std, base(30)),
			want: []string{"b0 shrank 4 bytes: its jump to b2 became short because b1 lost 4 bytes"},
		},
		{
			name: "a block comes between",
			old:  layoutFor(t, std, base(30)),
			new:  layoutFor(t, std, base(30, over(ifGt, 1), add2)),
			want: []string{"b2 is new: insn 33..33, 4 bytes", "b0 grew 4 bytes: its jump to b3 became long because b1 gained 6 bytes and b2 is new (4 bytes)"},
		},
		{
			name: "only a constant",
			old:  layoutFor(t, std, base(3)), new: layoutFor(t, std, base(2, add2)),
			want: []string{"b1: its instructions changed, still 3 slots, still 12 bytes"},
			not:  "grew",
		},
		{
			name: "a branch is decided",
			old:  layoutFor(t, std, one(random, over(ifGt, 1), add1, neg, exit)),
			new:  layoutFor(t, std, one(random, and7, over(ifGt, 1), add1, zero, neg, exit)),
			want: []string{"the program changed"},
		},
		{
			name: "another profile",
			old:  layoutFor(t, std, base(3)), new: layoutFor(t, std+"-ibt", base(3)),
			want: []string{"compiled for linux-7.3-ibt, the golden file is for linux-7.3",
				"function f: 20 → 12 bytes before its first block"},
			not: "program changed",
		},
	} {
		causes := golden.Compare(c.old, c.new)
		text := fmt.Sprint(causes)
		for _, w := range c.want {
			if !slices.ContainsFunc(strings.Split(w, "|"), func(w string) bool { return strings.Contains(text, w) }) {
				t.Errorf("%s: no cause says %q:\n%s", c.name, w, lines(causes))
			}
		}
		if c.not != "" && strings.Contains(text, c.not) {
			t.Errorf("%s: a cause says %q:\n%s", c.name, c.not, lines(causes))
		}
	}
}

func lines(causes []golden.Cause) string {
	var b strings.Builder
	for _, c := range causes {
		fmt.Fprintf(&b, "  %s: %s\n", c.Kind, c.Text)
	}
	return b.String()
}

// TestCompareText edits a layout text and expects the edit to be named.
func TestCompareText(t *testing.T) {
	old, err := golden.Parse(small)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		edits []string // old, new, …
		want  string
		kind  golden.Kind
	}{
		{"entry", []string{"0  b2 b3:removed -", "0  b2 b3 -"}, "table T[1] leads to b3, was b3:removed in the golden file", golden.TableChanged},
		{"shorter table", []string{"3 entries", "2 entries", " -\n", "\n"}, "table T: 3 → 2 entries", golden.TableChanged},
		{"table renamed", []string{"table T  3", "table U  3"}, "table U is new: 3 entries", golden.TableChanged},
		{"branch", []string{"→ b2 | b1", "→ b3 | b1"}, "b0 leads to b3 instead of b2", golden.Successors},
		{"selection", []string{"2 of 2, table", "1 of 2, table"}, "b1: gotox r2 selects 1 of 2, table T[0..1], was 2 of 2, table T[0..1]", golden.Successors},
		{"target gone", []string{"→ b2 b3 (", "→ b2 ("}, "b1 no longer leads to b3", golden.Successors},
		{"dead", []string{"code +0x38..+0x3a  2  22222222", "removed  22222222"}, "b2 is removed: no execution reaches it any more (it had 2 bytes)", golden.Liveness},
		{"machine code only", []string{"8899aabbccddeeff", "0000000000000000"}, "same layout, other content: line 3", golden.Other},
		{"renamed", []string{"func f  code", "func g  code"}, "function g was called f", golden.FuncRenamed},
		{"compiler", []string{"+0x3a..+0x3c  2 ", "+0x3a..+0x3d  3 "}, "b3 grew 1 byte: the JIT makes different code for the same instructions", golden.CodeSize},
	} {
		text := strings.NewReplacer(c.edits...).Replace(small)
		got, err := golden.Parse(text)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		causes := golden.Compare(old, got)
		if !slices.ContainsFunc(causes, func(x golden.Cause) bool { return x.Kind == c.kind && strings.HasPrefix(x.Text, c.want) }) {
			t.Errorf("%s: no cause says %q:\n%s", c.name, c.want, lines(causes))
		}
	}
}
