package soundness

import (
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/testing/interp"
	"github.com/bpfcfg/bpfcfg/succ"
)

// TestWatcher checks that contradictions are seen: the facts are those of one
// program, and another is executed, which differs in one instruction.
func TestWatcher(t *testing.T) {
	const exit = bytecode.CodeExit
	table := []bytecode.JumpTable{{Name: "jt", Targets: []bytecode.PC{5, 7}}}
	jump := []bytecode.Insn{
		{Code: 0xb7, Dst: 2, Imm: 0}, // r2 = 0
		{Code: 0x18, Dst: 3, Src: 2}, // r3 = the table
		{},
		{Code: 0x79, Dst: 3, Src: 3}, // r3 = *(u64 *)(r3 +0)
		{Code: bytecode.CodeGotox, Dst: 3},
		{Code: 0xb7}, {Code: exit},
		{Code: 0xb7}, {Code: exit},
	}
	for _, c := range []struct {
		name   string
		insns  []bytecode.Insn
		at     int           // where the programs differ
		other  bytecode.Insn // what is executed
		tables []bytecode.JumpTable
		want   string
	}{
		{"register", []bytecode.Insn{
			{Code: 0xb7, Dst: 0, Imm: 1},               // r0 = 1
			{Code: 0x05},                               // goto +0
			{Code: 0x07, Dst: 0, Imm: 2}, {Code: exit}, // r0 += 2
		}, 0, bytecode.Insn{Code: 0xb7, Dst: 0, Imm: 3}, nil, "admit no such moment"},
		{"edge", []bytecode.Insn{
			{Code: 0xb7, Dst: 0, Imm: 1},         // r0 = 1
			{Code: 0x15, Dst: 0, Imm: 1, Off: 1}, // if r0 == 1 goto +1
			{Code: 0xb7, Dst: 0, Imm: 2},         // r0 = 2
			{Code: exit},
		}, 1, bytecode.Insn{Code: 0x15, Dst: 0, Imm: 5, Off: 1}, nil, "facts exclude it"},
		{"target", jump, 3, bytecode.Insn{Code: 0x79, Dst: 3, Src: 3, Off: 8}, table, "not among its exact targets"},
	} {
		p := &bytecode.Program{Name: c.name, Type: "syscall", Insns: c.insns, Tables: c.tables}
		p.Subprogs = []bytecode.Subprogram{{Name: c.name, End: p.Len()}}
		if c.tables != nil {
			p.Refs = []bytecode.Ref{{PC: 1, Kind: bytecode.RefTable}}
		}
		r, err := succ.Resolve(p, succ.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, differs := range []bool{false, true} {
			q := *p
			q.Insns = append([]bytecode.Insn(nil), p.Insns...)
			want := ""
			if differs {
				q.Insns[c.at], want = c.other, c.want
			}
			w := watch(r)
			vm, err := interp.New(&q, interp.Config{OnStep: w.step, OnEdge: w.edge})
			if err != nil {
				t.Fatal(err)
			}
			w.vm = vm
			if _, err := vm.Run(interp.Input{Ctx: make([]byte, 8)}); err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			if !strings.Contains(w.why, want) || want == "" && w.why != "" {
				t.Errorf("%s, changed %v: the watcher says %q, want %q", c.name, differs, w.why, want)
			}
		}
	}
}
