package rules

import (
	"slices"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// callx returns an indirect call, address the load of a subprogram's address that
// is dist slots behind the next one, ldx a load of eight bytes.
func callx(reg bytecode.Reg) bytecode.Insn { return bytecode.Insn{Code: bytecode.CodeCallx, Dst: reg} }

func address(reg bytecode.Reg, dist int32) []bytecode.Insn {
	return []bytecode.Insn{{Code: bytecode.CodeLdImm64, Dst: reg, Src: bytecode.LdFunc, Imm: dist}, {}}
}

func ldx(dst, src bytecode.Reg) bytecode.Insn { return bytecode.Insn{Code: 0x79, Dst: dst, Src: src} }

// TestCallx holds programs and messages of the tests of indirect calls in trees
// after Linux 7.3 (tools/testing/selftests/bpf/progs/verifier_callx.c), in our own
// encoding. The callee is the last two instructions.
func TestCallx(t *testing.T) {
	next, err := Lookup("linux-next")
	if err != nil {
		t.Fatal(err)
	}
	arg := bytecode.Insn{Code: 0xb7, Dst: 1, Imm: 5}
	add1 := []bytecode.Insn{{Code: 0xbf, Dst: 0, Src: 1}, exit}
	tail := []bytecode.Insn{
		{Code: bytecode.CodeLdImm64, Dst: 2, Src: bytecode.LdMapFD}, {}, {Code: 0xb7, Dst: 3},
		{Code: bytecode.CodeCall, Imm: bytecode.HelperTailCall}, {Code: 0xb7}, exit,
	}
	self := []bytecode.Insn{callx(1), exit}
	main := func(callee []bytecode.Insn, insns ...bytecode.Insn) []bytecode.Insn {
		return slices.Concat([]bytecode.Insn{arg}, address(2, int32(len(insns))+2), insns, []bytecode.Insn{exit}, callee)
	}
	for _, c := range []struct {
		name   string
		insns  []bytecode.Insn
		global bool
		want   string
	}{
		{"basic", main(add1, callx(2)), false, ""},
		{"scalar", main(add1, callx(1)), false, "R1 has type scalar, expected func"},
		{"uninitialised", main(add1, callx(3)), false, "R3 !read_ok"},
		{"frame pointer", main(add1, callx(10)), false, "R10 has type fp, expected func"},
		{"arguments are lost", main(add1, callx(2), bytecode.Insn{Code: 0xbf, Src: 1}), false, "R1 !read_ok"},
		{"global", main(add1, callx(2)), true, "callback function not static"},
		{"source", main(add1, bytecode.Insn{Code: bytecode.CodeCallx, Dst: 2, Src: 1}), false, "BPF_CALL|BPF_X uses reserved fields"},
		{"offset", main(add1, bytecode.Insn{Code: bytecode.CodeCallx, Dst: 2, Off: 1}), false, "BPF_CALL|BPF_X uses reserved fields"},
		{"immediate", main(add1, bytecode.Insn{Code: bytecode.CodeCallx, Dst: 2, Imm: 1}), false, "BPF_CALL|BPF_X uses reserved fields"},
		{"JMP32", main(add1, bytecode.Insn{Code: 0x8e, Dst: 2}), false, "unknown opcode 8e"},
		{"tail call in callee", main(tail, callx(2)), false, "tail_calls are not allowed in functions called via callx"},
		{"recursion", main(self, bytecode.Insn{Code: 0xbf, Dst: 1, Src: 2}, callx(2)), false, "recursive call from callee() to callee()"},
	} {
		p := &bytecode.Program{Insns: c.insns, Maps: []bytecode.Map{{Name: "progs", Type: 3, MaxEntries: 1}}}
		start := bytecode.PC(slices.Index(c.insns, exit) + 1)
		p.Subprogs = []bytecode.Subprogram{{Name: "main", End: start}, {Name: "callee", Start: start, End: p.Len(), Global: c.global}}
		if len(c.insns)-int(start) == len(tail) {
			p.Refs = []bytecode.Ref{{PC: start, Kind: bytecode.RefMap}}
		}
		v, err := next.Judge(p)
		if err != nil || v.Accept != (c.want == "") || v.Message != c.want {
			t.Errorf("%s: %+v, %v; want %q", c.name, v, err, c.want)
		}
		if v := Static(p); v.Accept || !strings.HasPrefix(v.Message, "unknown opcode 8") {
			t.Errorf("%s: Linux 7.3 says %+v", c.name, v)
		}
	}
}

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
