package hazard_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
	"github.com/bpfcfg/bpfcfg/succ/hazard"
	"github.com/bpfcfg/bpfcfg/succ/rules"
)

// dispatch is a program that jumps to either of two instructions by the lowest
// bit of the context's first word; the second is first.
func dispatch(second bytecode.Insn) *bytecode.Program {
	p := &bytecode.Program{
		Type: "syscall",
		Insns: []bytecode.Insn{
			{Code: 0x79, Dst: 2, Src: 1}, // r2 = *(u64 *)(r1 +0)
			{Code: 0x57, Dst: 2, Imm: 1}, // r2 &= 1
			{Code: 0x67, Dst: 2, Imm: 3}, // r2 <<= 3
			{Code: 0x18, Dst: 3, Src: 2}, // r3 = jt[…][0]+0
			{},                           //
			{Code: 0x0f, Dst: 3, Src: 2}, // r3 += r2
			{Code: 0x79, Dst: 4, Src: 3}, // r4 = *(u64 *)(r3 +0)
			{Code: 0xb7},                 // r0 = 0
			{Code: 0x0d, Dst: 4},         // gotox r4
			second,                       // 9
			{Code: 0xb7, Imm: 1},         // 10: r0 = 1
			{Code: bytecode.CodeExit},    //
		},
		Tables: []bytecode.JumpTable{{Name: "jt", Targets: []bytecode.PC{10, 9}}},
		Refs:   []bytecode.Ref{{PC: 3, Kind: bytecode.RefTable}},
	}
	p.Subprogs = []bytecode.Subprogram{{Name: "main", End: p.Len()}}
	return p
}

// find runs the whole line.
func find(t *testing.T, p *bytecode.Program, kernel, profile string) []hazard.Hazard {
	t.Helper()
	set, err := rules.Lookup(kernel)
	if err != nil {
		t.Fatal(err)
	}
	prof, err := jit.LookupProfile(profile)
	if err != nil {
		t.Fatal(err)
	}
	r, err := set.Resolve(p)
	if err != nil {
		t.Fatal(err)
	}
	x, err := rewrite.Predict(p, pipeline.Facts(p, r), prof, rewrite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return hazard.Find(p, r, x, set)
}

// A target that is a nop has the hazard on the kernels that delete nops, and no
// other; a target that does something has none.
func TestDeleted(t *testing.T) {
	nop, mov := bytecode.Insn{Code: bytecode.CodeGoto}, bytecode.Insn{Code: 0xb7, Dst: 5}
	for _, c := range []struct {
		second          bytecode.Insn
		kernel, profile string
		want            int
	}{
		{nop, "linux-7.3", "linux-7.3", 1},
		{nop, "linux-6.19", "linux-6.19", 1},
		{nop, "linux-next", "linux-7.3", 0},
		{nop, "linux-6.18", "linux-6.18", 0},
		{mov, "linux-7.3", "linux-7.3", 0},
		{mov, "linux-6.19", "linux-6.19", 0},
	} {
		found := find(t, dispatch(c.second), c.kernel, c.profile)
		if len(found) != c.want {
			t.Errorf("%v on %s: %+v, want %d", c.second, c.kernel, found, c.want)
			continue
		}
		for _, h := range found {
			want := fmt.Sprintf(`entry 1 of jt leads to "goto pc+0" at 9, which %s deletes: the jump goes to address 0`, c.kernel)
			if h.Kind != hazard.Deleted || h.PC != 8 || h.Target != 9 || !h.Selected || h.Text != want ||
				!slices.Equal(h.Path, []bytecode.PC{0, 8, 9}) || !slices.Equal(h.Entries, []int{1}) || h.Table != "jt" {
				t.Errorf("%+v", h)
			}
		}
	}
}

// Without a predicted program nothing is said of rewriting.
func TestNoPrediction(t *testing.T) {
	p := dispatch(bytecode.Insn{Code: bytecode.CodeGoto})
	r, err := rules.Linux73().Resolve(p)
	if err != nil {
		t.Fatal(err)
	}
	if found := hazard.Find(p, r, nil, rules.Linux73()); len(found) > 0 {
		t.Errorf("%+v", found)
	}
}
