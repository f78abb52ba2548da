package cfg

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// Instructions that the tests are written in.
var (
	nop  = bytecode.Insn{Code: 0xb7} // r0 = 0
	exit = bytecode.Insn{Code: bytecode.CodeExit}
	// leave is LLVM 24's unwind_exit.
	leave = bytecode.Insn{Code: bytecode.CodeExit, Src: 1}
	hi    = bytecode.Insn{} // second slot of a 64-bit immediate load
)

func ja(off int16) bytecode.Insn  { return bytecode.Insn{Code: bytecode.CodeGoto, Off: off} }
func jal(off int32) bytecode.Insn { return bytecode.Insn{Code: bytecode.CodeGotol, Imm: off} }
func jeq(off int16) bytecode.Insn { return bytecode.Insn{Code: 0x15, Off: off} }
func may(off int16) bytecode.Insn { return bytecode.Insn{Code: bytecode.CodeMayGoto, Off: off} }
func unwind(off int16) bytecode.Insn {
	return bytecode.Insn{Code: bytecode.CodeMayGoto, Src: 1, Off: off}
}
func gotox(r bytecode.Reg) bytecode.Insn { return bytecode.Insn{Code: bytecode.CodeGotox, Dst: r} }
func callx(r bytecode.Reg) bytecode.Insn { return bytecode.Insn{Code: bytecode.CodeCallx, Dst: r} }
func helper(n int32) bytecode.Insn       { return bytecode.Insn{Code: bytecode.CodeCall, Imm: n} }
func kfunc(id int32) bytecode.Insn {
	return bytecode.Insn{Code: bytecode.CodeCall, Src: bytecode.CallKfunc, Imm: id}
}
func call(off int32) bytecode.Insn {
	return bytecode.Insn{Code: bytecode.CodeCall, Src: bytecode.CallSubprogram, Imm: off}
}
func wide(src bytecode.Reg, imm int32) bytecode.Insn {
	return bytecode.Insn{Code: bytecode.CodeLdImm64, Src: src, Imm: imm}
}
func key(src bytecode.Reg, off int16) bytecode.Insn {
	return bytecode.Insn{Code: bytecode.CodeGoto, Src: src, Off: off}
}

// program makes a Program of instructions; subprograms start at 0 and starts.
func program(insns []bytecode.Insn, starts ...bytecode.PC) *bytecode.Program {
	p := &bytecode.Program{Name: "test", Insns: insns}
	starts = append([]bytecode.PC{0}, starts...)
	for i, s := range starts {
		end := p.Len()
		if i+1 < len(starts) {
			end = starts[i+1]
		}
		p.Subprogs = append(p.Subprogs, bytecode.Subprogram{Name: fmt.Sprintf("f%d", i), Start: s, End: end})
	}
	return p
}

// text returns the graph as one line per block: slots, then edges.
func text(g *Graph) string {
	var w strings.Builder
	for b, blk := range g.Blocks {
		fmt.Fprintf(&w, "%d-%d:", blk.Start, blk.End)
		for _, e := range g.Succs(BlockID(b)) {
			fmt.Fprintf(&w, " %v %d", e.Kind, g.Blocks[e.To].Start)
		}
		w.WriteString("\n")
	}
	for _, p := range g.Problems {
		fmt.Fprintf(&w, "%d %v: %s\n", p.PC, p.Kind, p.Text)
	}
	for _, t := range g.BadTargets {
		fmt.Fprintf(&w, "%d to %d: %s\n", t.PC, t.Target, t.Why)
	}
	return w.String()
}

// targets makes Targets of pairs.
func targets(pairs ...[]bytecode.PC) *Targets {
	t := &Targets{}
	for _, p := range pairs {
		t.Add(p[0], p[1:]...)
	}
	return t
}

type pcs = []bytecode.PC
type insns = []bytecode.Insn

func TestBuild(t *testing.T) {
	thrower := program(insns{call(1), exit, kfunc(7), nop, exit, exit}, 2, 5)
	thrower.Refs = []bytecode.Ref{{PC: 2, Kind: bytecode.RefKfunc, Name: "bpf_throw"}}
	handled := program(thrower.Insns, 2, 5)
	handled.Refs = thrower.Refs
	handled.Subprogs[2].Exception = true
	padded := program(insns{helper(1), call(5), nop, exit, helper(2), nop, exit, nop, exit}, 7)
	padded.Cleanups = []bytecode.Cleanup{{Start: 1, End: 3, Pad: 4}, {Start: 4, End: 5, Pad: 6}}
	mid := program(insns{helper(1), wide(0, 1), hi, exit})
	mid.Cleanups = []bytecode.Cleanup{{Start: 0, End: 1, Pad: 2}}
	caught := program(insns{kfunc(7), unwind(1), exit, nop, leave})
	caught.Refs = []bytecode.Ref{{PC: 0, Kind: bytecode.RefKfunc, Name: "bpf_throw"}}
	for _, tt := range []struct {
		name string
		p    *bytecode.Program
		t    *Targets
		want string
	}{
		{"straight", program(insns{nop, wide(0, 1), hi, nop, exit}), nil, "0-5:\n"},
		{"diamond", program(insns{jeq(2), nop, ja(1), nop, exit}), nil,
			"0-1: fall-through 1 taken 3\n1-3: goto 4\n3-4: fall-through 4\n4-5:\n"},
		{"parallel edges", program(insns{jeq(0), exit}), nil, "0-1: fall-through 1 taken 1\n1-2:\n"},
		{"self loop", program(insns{nop, jal(-1)}), nil, "0-1: fall-through 1\n1-2: goto 1\n"},
		{"dead code is tiled", program(insns{exit, nop, nop, exit}), nil, "0-1:\n1-4:\n"},
		{"may_goto and keys", program(insns{may(1), key(1, 1), key(3, 0), exit}), nil,
			"0-1: fall-through 1 taken 2\n1-2: fall-through 2 taken 3\n2-3: fall-through 3 taken 3\n3-4:\n"},
		{"call", program(insns{nop, call(2), nop, exit, nop, exit}, 4), nil,
			"0-2: return 2 call 4\n2-4:\n4-6:\n"},
		{"address load does not end a block", program(insns{wide(bytecode.LdFunc, 2), hi, exit, exit}, 3), nil,
			"0-3:\n3-4:\n"},
		{"helper does not end a block", program(insns{helper(1), exit}), nil, "0-2:\n"},
		{"callback", program(insns{helper(181), exit, exit, exit}, 2, 3), targets(pcs{0, 3, 2}),
			"0-1: fall-through 1 callback 2 callback 3\n1-2:\n2-3:\n3-4:\n"},
		{"tail call falls through", program(insns{helper(bytecode.HelperTailCall), exit}), nil, "0-2:\n"},
		{"gotox without targets", program(insns{gotox(1), nop, exit}), nil, "0-1:\n1-3:\n"},
		{"gotox", program(insns{gotox(1), nop, nop, exit}), targets(pcs{0, 3, 1, 3}),
			"0-1: indirect 1 indirect 3\n1-3: fall-through 3\n3-4:\n"},
		{"gotox into itself", program(insns{nop, nop, gotox(1)}), targets(pcs{2, 2, 1}),
			"0-1: fall-through 1\n1-2: fall-through 2\n2-3: indirect 1 indirect 2\n"},
		{"gotox into another subprogram", program(insns{gotox(1), nop, nop, exit}, 1), targets(pcs{0, 2}),
			"0-1: indirect 2\n1-2: fall-through 2\n2-4:\n"},
		{"callx", program(insns{callx(1), exit, exit, exit}, 2, 3), targets(pcs{0, 2, 3}),
			"0-1: return 1 call 2 call 3\n1-2:\n2-3:\n3-4:\n"},
		{"callx, nothing known", program(insns{callx(1), exit}), nil, "0-1: return 1\n1-2:\n"},
		{"recursion", program(insns{call(-1), exit}), nil, "0-1: return 1 call 0\n1-2:\n"},
		{"throw", thrower, nil, "0-1: return 1 call 2\n1-2:\n2-3:\n3-5:\n5-6:\n"},
		{"throw to a callback", handled, nil, "0-1: return 1 call 2\n1-2:\n2-3: exception 5\n3-5:\n5-6:\n"},

		{"landing pads", padded, nil,
			"0-2: return 2 call 7 unwind 4\n2-4:\n4-5: fall-through 5 unwind 6\n" +
				"5-6: fall-through 6\n6-7:\n7-9:\n"},
		{"a landing pad is no instruction", mid, nil,
			"0-1: fall-through 1\n1-4:\n0 jump-mid-ldimm64: jump into the middle of ldimm64 insn 1\n"},
		{"unwind_goto", caught, nil,
			"0-2: fall-through 2 unwind 3\n2-3:\n3-5:\n"},
		{"jumps out of range", program(insns{jeq(5), jeq(-3), ja(0), exit}, 3), nil,
			"0-1: fall-through 1\n1-2: fall-through 2\n2-3:\n3-4:\n" +
				"0 jump-out-of-range: jump out of range from insn 0 to 6\n" +
				"1 jump-out-of-range: jump out of range from insn 1 to -1\n" +
				"2 jump-out-of-range: jump out of range from insn 2 to 3\n"},
		{"jump into a wide load", program(insns{jeq(1), wide(0, 0), hi, exit}), nil,
			"0-1: fall-through 1\n1-4:\n0 jump-mid-ldimm64: jump into the middle of ldimm64 insn 1\n"},
		{"falls off", program(insns{nop, nop, call(-2), jeq(-1)}, 1), nil,
			"0-1:\n1-3: return 3 call 1\n3-4: taken 3\n" +
				"0 falls-off: last insn is not an exit or jmp\n3 falls-off: last insn is not an exit or jmp\n"},
		{"cut wide load", program(insns{wide(0, 0), exit, wide(0, 0)}, 1), nil,
			"0-1:\n1-2:\n2-3:\n0 cut-ldimm64: invalid bpf_ld_imm64 insn\n2 cut-ldimm64: invalid bpf_ld_imm64 insn\n"},
		{"bad callees", program(insns{call(0), wide(bytecode.LdFunc, 100), hi, call(-100), exit}), nil,
			"0-1: return 1\n1-4: return 4\n4-5:\n" +
				"0 bad-callee: call to invalid destination\n1 bad-callee: call to invalid destination\n" +
				"3 bad-callee: call to invalid destination\n"},
		{"bad targets", program(insns{gotox(1), wide(0, 0), hi, callx(1), exit, exit}, 5),
			targets(pcs{0, -1, 2, 4, 6}, pcs{3, 4, 5}, pcs{1, 1}, pcs{2, 1}, pcs{99, 1}),
			"0-1: indirect 4\n1-4: return 4 call 5\n4-5:\n5-6:\n" +
				"0 to -1: outside the program\n0 to 2: second slot of a 64-bit immediate load\n" +
				"0 to 6: outside the program\n" +
				"1 to 1: the instruction is no indirect jump, indirect call or helper call\n" +
				"2 to 1: no instruction leads there\n3 to 4: no subprogram starts there\n" +
				"99 to 1: no instruction leads there\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g, err := Build(tt.p, tt.t)
			if err != nil {
				t.Fatal(err)
			}
			if err := g.Check(); err != nil {
				t.Error(err)
			}
			if got := text(g); got != tt.want {
				t.Errorf("got\n%swant\n%s", got, tt.want)
			}
		})
	}
}

func TestBuildErrors(t *testing.T) {
	gap := program(insns{exit, exit}, 1)
	gap.Subprogs[1].End = 1
	overlap := program(insns{exit, exit}, 1)
	overlap.Subprogs[0].End = 2
	short := program(insns{exit, exit})
	short.Subprogs[0].End = 1
	long := program(insns{exit, exit})
	long.Subprogs[0].End = 3
	for name, tt := range map[string]struct {
		p    *bytecode.Program
		want error
	}{
		"empty":         {&bytecode.Program{}, ErrEmpty},
		"no subprogram": {&bytecode.Program{Insns: insns{exit}}, ErrSubprogs},
		"gap":           {gap, ErrSubprogs},
		"overlap":       {overlap, ErrSubprogs},
		"short":         {short, ErrSubprogs},
		"long":          {long, ErrSubprogs},
	} {
		g, err := Build(tt.p, nil)
		if !errors.Is(err, tt.want) || g != nil {
			t.Errorf("%s: got %v, %v", name, g, err)
		}
	}
}
