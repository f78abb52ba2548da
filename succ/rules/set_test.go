package rules

import (
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// ldx returns a load of eight bytes.
func ldx(dst, src bytecode.Reg) bytecode.Insn { return bytecode.Insn{Code: 0x79, Dst: dst, Src: src} }

// jumper is a program that jumps through entry 0 of its first table; the table
// leads to its two last instructions. A second function follows.
func jumper(tables ...bytecode.JumpTable) *bytecode.Program {
	p := &bytecode.Program{
		Insns: []bytecode.Insn{
			{Code: bytecode.CodeLdImm64, Dst: 1, Src: bytecode.LdMapValue}, {}, ldx(1, 1),
			{Code: 0xb7, Dst: 2},
			{Code: bytecode.CodeGotox, Dst: 1}, mov0, exit, // 4, 5, 6
			mov0, exit, // 7
		},
		Tables: tables,
		Refs:   []bytecode.Ref{{PC: 0, Kind: bytecode.RefTable}},
	}
	p.Subprogs = []bytecode.Subprogram{{Name: "main", End: 7}, {Name: "other", Start: 7, End: 9}}
	return p
}

// TestSetsDiffer holds one program for each rule that kernels differ in. Of
// Linux 7.3 and 6.19 the recorded programs say the same; of others this is what
// is known from their sources.
func TestSetsDiffer(t *testing.T) {
	table := bytecode.JumpTable{Name: "jt", Targets: []bytecode.PC{5}}
	plain := jumper(table)
	plain.Insns, plain.Subprogs = plain.Insns[:7], []bytecode.Subprogram{{Name: "main", End: 7}}
	last := &bytecode.Program{
		Insns: []bytecode.Insn{
			jump(2), mov0, exit, {Code: bytecode.CodeLdImm64, Dst: 1, Src: bytecode.LdMapValue}, {}, ldx(1, 1),
			{Code: bytecode.CodeGotox, Dst: 1},
		},
		Tables:   []bytecode.JumpTable{{Targets: []bytecode.PC{1}}},
		Refs:     []bytecode.Ref{{PC: 3, Kind: bytecode.RefTable}},
		Subprogs: []bytecode.Subprogram{{End: 7}},
	}
	spans := jumper(bytecode.JumpTable{Name: "jt", Targets: []bytecode.PC{5, 7}})
	spans.Insns[5] = call(1)
	late := &bytecode.Program{
		Insns:    []bytecode.Insn{mov0, {Code: 0x15, Imm: 0, Off: 1}, {Code: 0xb7, Src: 1}, exit},
		Subprogs: []bytecode.Subprogram{{End: 4}},
	}
	for _, c := range []struct {
		name string
		p    *bytecode.Program
		want map[string]string
	}{
		{"a jump", plain, map[string]string{"linux-7.3": "", "linux-6.19": "", "linux-next": "", "linux-6.18": "unknown opcode 0d"}},
		{"jump is last", last, map[string]string{
			"linux-7.3": "", "linux-next": "", "linux-6.19": "jump out of range from insn 6 to 7",
			"linux-6.18": "jump out of range from insn 6 to 7",
		}},
		{"table spans functions", spans, map[string]string{
			"linux-7.3":  "jump table for insn 4 points outside of the subprog [0,7]",
			"linux-6.19": "jump table for insn 4 points outside of the subprog [0,7]",
			"linux-next": "jump table of subprog starting at 0 spans multiple subprogs",
			"linux-6.18": "unknown opcode 0d",
		}},
		{"reserved field where no path leads", late, map[string]string{
			"linux-7.3": "BPF_MOV uses reserved fields", "linux-next": "BPF_MOV uses reserved fields",
			"linux-6.19": "", "linux-6.18": "",
		}},
	} {
		for name, want := range c.want {
			s, err := Lookup(name)
			if err != nil {
				t.Fatal(err)
			}
			if v, err := s.Judge(c.p); err != nil || v.Message != want {
				t.Errorf("%s: %s: %+v, %v; want %q", c.name, name, v, err, want)
			}
		}
	}
}

// TestJumpEdges states the limit on edges of indirect jumps after Linux 7.3.
func TestJumpEdges(t *testing.T) {
	next, err := Lookup("linux-next")
	if err != nil {
		t.Fatal(err)
	}
	next.MaxJumpEdges = 3
	p := jumper(bytecode.JumpTable{Targets: []bytecode.PC{3, 5, 6}})
	p.Insns, p.Subprogs = p.Insns[:7], []bytecode.Subprogram{{Name: "main", End: 7}}
	if v := next.Static(p); !v.Accept {
		t.Errorf("at the limit: %+v", v)
	}
	next.MaxJumpEdges = 2
	if v := next.Static(p); v.Message != "number of indirect jump edges in the program exceeds 2" || v.Errno != "E2BIG" {
		t.Errorf("over the limit: %+v", v)
	}
}

func TestLookup(t *testing.T) {
	for name, want := range map[string]string{
		"": "linux-7.3", "linux-7.3": "linux-7.3", "linux-7.3.4": "linux-7.3", "linux-6.19.14": "linux-6.19", "linux-next": "linux-next",
		"linux-7.30": "linux-7.30",
	} {
		if s, err := Lookup(name); err != nil || s.Name != want {
			t.Errorf("%q: %q, %v", name, s.Name, err)
		}
	}
	for _, name := range []string{"linux-7", "linux-5.0", "7.3", "windows"} {
		if _, err := Lookup(name); err == nil || !strings.Contains(err.Error(), "linux-6.1 or newer") {
			t.Errorf("%q: %v", name, err)
		}
	}
}
