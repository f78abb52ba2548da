package succ

import (
	"os"
	"slices"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
)

// TestSuccessors compares successors with what the instruction itself says
// (RFC 9669 sections 4.3 and 4.4), and for indirect jumps with the table.
func TestSuccessors(t *testing.T) {
	seen := map[bytecode.FlowKind]int{}
	for _, path := range testenv.Glob(t, "corpus/out/*.o") {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		obj, err := load.ELF(path, data)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range obj.Programs {
			r, err := Resolve(p, Options{})
			if err != nil {
				t.Fatal(err)
			}
			for pc := range p.Len() {
				list, complete := r.Successors(pc)
				if !r.Graph.InsnAt(pc) {
					if complete || list != nil {
						t.Fatalf("%s: %s: %d is the middle of an instruction: %v", path, p.Name, pc, list)
					}
					continue
				}
				f := p.Flow(pc)
				seen[f.Kind]++
				var got []bytecode.PC
				for _, s := range list {
					if s.Kind != cfg.Callback && s.Kind != cfg.Exception {
						got = append(got, s.PC)
					}
				}
				slices.Sort(got)
				if unresolved(r, pc) {
					if complete {
						t.Errorf("%s: %s: %d is unresolved, and its successors are complete", path, p.Name, pc)
					}
					continue
				}
				if want := follow(p, r, pc, f); !slices.Equal(got, want) {
					t.Errorf("%s: %s: %d %s: %v, want %v", path, p.Name, pc, p.Text(pc), got, want)
				}
			}
		}
	}
	for _, k := range []bytecode.FlowKind{bytecode.FlowNext, bytecode.FlowGoto, bytecode.FlowCond, bytecode.FlowExit,
		bytecode.FlowCall, bytecode.FlowIndirect} {
		if seen[k] == 0 {
			t.Errorf("no instruction of flow %d in the corpus", k)
		}
	}
}

// unresolved reports whether there is an indirect jump without bounds at pc.
func unresolved(r *Result, pc bytecode.PC) bool {
	return slices.ContainsFunc(r.Indirect, func(in Indirect) bool { return in.PC == pc && in.Status == Unresolved })
}

// follow returns the successors that an instruction has by itself, sorted.
func follow(p *bytecode.Program, r *Result, pc bytecode.PC, f bytecode.Flow) []bytecode.PC {
	next := pc + p.Insns[pc].Slots()
	var out []bytecode.PC
	switch f.Kind {
	case bytecode.FlowExit:
	case bytecode.FlowGoto:
		out = append(out, f.Target)
	case bytecode.FlowCond:
		out = append(out, next, f.Target)
	case bytecode.FlowCall:
		out = append(out, next, f.Callee)
	case bytecode.FlowIndirect:
		for _, in := range r.Indirect {
			if in.PC == pc {
				out = append(out, in.Range...)
			}
		}
	default:
		out = append(out, next)
	}
	slices.Sort(out)
	return out
}

// TestSuccessorsFeasible lists the successors in a program whose branch is decided.
func TestSuccessorsFeasible(t *testing.T) {
	p := &bytecode.Program{
		Insns: []bytecode.Insn{
			{Code: 0xb7, Dst: 1, Imm: 5},         // r1 = 5
			{Code: 0xb7},                         // r0 = 0
			{Code: 0x15, Dst: 1, Off: 1, Imm: 6}, // if r1 == 6 goto +1
			{Code: 0x95},                         // exit
			{Code: 0x05, Off: 7},                 // goto +7, out of the program
		},
		Subprogs: []bytecode.Subprogram{{Name: "f", End: 5}},
	}
	r, err := Resolve(p, Options{})
	if err != nil {
		t.Fatal(err)
	}
	list, complete := r.Successors(2)
	want := []Successor{{PC: 3, Kind: cfg.FallThrough, Feasible: true}, {PC: 4, Kind: cfg.Taken}}
	if !complete || !slices.Equal(list, want) {
		t.Errorf("%v %v, want %v", list, complete, want)
	}
	if list, complete := r.Successors(4); complete || len(list) > 0 {
		t.Errorf("a jump out of the program: %v %v", list, complete)
	}
	if list, complete := r.Successors(5); complete || list != nil {
		t.Errorf("outside: %v %v", list, complete)
	}
}
