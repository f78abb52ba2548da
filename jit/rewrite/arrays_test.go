package rewrite

import (
	"slices"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/jit"
)

// withTable adds an instruction array with all slots of the program.
func withTable(p *bytecode.Program) *bytecode.Program {
	var table bytecode.JumpTable
	for pc := range p.Insns {
		table.Targets = append(table.Targets, bytecode.PC(pc))
	}
	p.Tables = []bytecode.JumpTable{table}
	return p
}

// Expected entries are those of the kernel's selftest prog_tests/bpf_insn_array.c
// (Linux 7.3).
func TestInsnArrays(t *testing.T) {
	goto0 := bytecode.Insn{Code: bytecode.CodeGoto}
	jiffies := helperCall(118)
	call := bytecode.Insn{Code: bytecode.CodeCall, Src: bytecode.CallSubprogram, Imm: 1}
	for _, c := range []struct {
		name  string
		insns []bytecode.Insn
		funcs []bytecode.PC
		opt   Options
		want  []bytecode.PC
	}{
		{"one to one", []bytecode.Insn{movK(0, 4), movK(0, 3), movK(0, 2), movK(0, 1), exit()}, nil,
			Options{}, []bytecode.PC{0, 1, 2, 3, 4}},
		{"insertions", []bytecode.Insn{movK(0, 1), jiffies, movK(0, 2), jiffies, movK(0, 3), exit()}, nil,
			Options{}, []bytecode.PC{0, 1, 4, 5, 8, 9}},
		{"deletions", []bytecode.Insn{movK(0, 1), goto0, movK(0, 2), goto0, movK(0, 3), exit()}, nil,
			Options{}, []bytecode.PC{0, -1, 1, -1, 2, 3}},
		{"deletions with functions",
			[]bytecode.Insn{goto0, jiffies, goto0, movK(0, 1), call, exit(), goto0, jiffies, goto0, movK(0, 2), exit()},
			[]bytecode.PC{6}, Options{}, []bytecode.PC{-1, 0, -1, 3, 4, 5, -1, 6, -1, 9, 10}},
		{"blinding", []bytecode.Insn{movK(0, 4), movK(0, 3), movK(0, 2), movK(0, 1), exit()}, nil,
			Options{Blind: true}, []bytecode.PC{0, 3, 6, 9, 12}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := withTable(program(c.insns...))
			for _, start := range c.funcs {
				p.Subprogs[0].End = start
				p.Subprogs = append(p.Subprogs, bytecode.Subprogram{Start: start, End: p.Len()})
			}
			res := predict(t, p, known(p), c.opt)
			if got := res.Program.Tables[0]; !slices.Equal(got, c.want) {
				t.Errorf("got %v\nwant %v", got, c.want)
			}
			if !slices.Equal(res.Xlated, c.want) {
				t.Errorf("source slots: got %v\nwant %v", res.Xlated, c.want)
			}
		})
	}
}

// Up to Linux 7.3, a target that is a no-op is deleted although a gotox leads
// there, and one at the start of a function leads to what initialises the loop
// counter. Later kernels mend both.
func TestTargetQuirks(t *testing.T) {
	p := program(
		bytecode.Insn{Code: bytecode.CodeMayGoto, Off: 1},
		bytecode.Insn{Code: bytecode.CodeGotox, Dst: 1},
		bytecode.Insn{Code: bytecode.CodeGoto},
		exit())
	p.Tables = []bytecode.JumpTable{{Targets: []bytecode.PC{0, 2, 3}}}
	f := known(p)
	f.IndirectTarget = truths(true, false, true, false)
	for _, c := range []struct {
		version string
		want    []bytecode.PC
		marked  []bytecode.PC
	}{
		{"6.19", []bytecode.PC{0, jit.Deleted, 10}, []bytecode.PC{0}},
		{"7.3", []bytecode.PC{0, jit.Deleted, 10}, []bytecode.PC{0}},
		{"next", []bytecode.PC{2, 10, 11}, []bytecode.PC{2, 10}},
	} {
		prof, err := jit.LookupProfile("linux-7.3")
		if err != nil {
			t.Fatal(err)
		}
		prof.Version = c.version
		res, err := Predict(p, f, prof, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got := res.Program.Tables[0]; !slices.Equal(got, c.want) {
			t.Errorf("Linux %s: got %v, want %v", c.version, got, c.want)
		}
		var marked []bytecode.PC
		for pc, is := range res.Program.IndirectTarget {
			if is {
				marked = append(marked, bytecode.PC(pc))
			}
		}
		if !slices.Equal(marked, c.marked) {
			t.Errorf("Linux %s: marked %v, want %v", c.version, marked, c.marked)
		}
	}
}

// A jump to a subprogram's start passes over the loop counter's set-up, a call
// does not, and a gotox in front gets a distance that means nothing.
func TestCounterOfSubprogram(t *testing.T) {
	p := program(
		bytecode.Insn{Code: bytecode.CodeCall, Src: bytecode.CallSubprogram, Imm: 1},
		bytecode.Insn{Code: bytecode.CodeGotox, Dst: 1},
		bytecode.Insn{Code: bytecode.CodeMayGoto, Off: 1},
		bytecode.Insn{Code: bytecode.CodeGoto, Off: -2},
		exit())
	p.Subprogs = []bytecode.Subprogram{{End: 2}, {Start: 2, End: 5}}
	p.Tables = []bytecode.JumpTable{{Targets: []bytecode.PC{0}}}
	res := predict(t, p, known(p), Options{})
	in := res.Program.Insns
	if in[0].Imm != 1 {
		t.Errorf("call goes to slot %d, want 2", 1+in[0].Imm)
	}
	if in[1].Off != 2 {
		t.Errorf("offset of gotox is %d, want 2", in[1].Off)
	}
	back := slices.Index(in, bytecode.Insn{Code: bytecode.CodeGoto, Off: -8})
	if back != 11 {
		t.Errorf("jump back is not at slot 11: %v", in)
	}
	if f := res.Program.Funcs; len(f) != 2 || f[1].Start != 2 || f[1].StackDepth != 16 || f[0].StackDepth != 0 {
		t.Errorf("functions %+v", f)
	}
	want := []bytecode.PC{0, 1, -1, -1, 2, 2, 2, 2, 2, 2, 2, 3, 4}
	if !slices.Equal(res.Original, want) {
		t.Errorf("originals %v, want %v", res.Original, want)
	}
}
