package abstract_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/abstract"
	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/testing/progen"
)

// Opcodes (RFC 9669 sections 4 and 5).
const (
	mov, mov32, movX, movX32 = 0xb7, 0xb4, 0xbf, 0xbc
	add, addX, sub           = 0x07, 0x0f, 0x17
	and, lsh, rsh, mul, mod  = 0x57, 0x67, 0x77, 0x27, 0x97
	ldx, ldx4, stx, st       = 0x79, 0x61, 0x7b, 0x7a
	jeq, jne, jgt, jgt32     = 0x15, 0x55, 0x25, 0x26
	jsgt, jslt, jset         = 0x65, 0xc5, 0x45
	gotox, exit              = bytecode.CodeGotox, bytecode.CodeExit
)

// analyze computes facts with all targets of the tables as leaders.
func analyze(t testing.TB, p *bytecode.Program, rules abstract.Rules) (*cfg.Graph, *abstract.Facts) {
	t.Helper()
	return analyzeWith(t, p, abstract.Options{Rules: rules})
}

// analyzeWith is analyze with all options.
func analyzeWith(t testing.TB, p *bytecode.Program, opt abstract.Options) (*cfg.Graph, *abstract.Facts) {
	t.Helper()
	targets := &cfg.Targets{}
	for {
		g, err := cfg.Build(p, targets)
		if err != nil {
			t.Fatal(err)
		}
		f := abstract.Analyze(p, g, opt)
		grew := false
		for _, d := range f.Indirect() {
			grew = targets.Add(d.PC, d.Targets...) || grew
		}
		for _, pc := range f.Callbacks() {
			for _, sub := range f.CalledBack(pc) {
				grew = targets.Add(pc, p.Subprogs[sub].Start) || grew
			}
		}
		if !grew {
			return g, f
		}
	}
}

// TestIndexRanges checks the byte offsets that an index gives. The ranges are
// those that Linux 7.3's own cnum.c, tnum.c and transfer functions compute for
// the sequences.
func TestIndexRanges(t *testing.T) {
	tests := []struct {
		name     string
		index    func(a *progen.Asm) // r2 from r2, "out" is where others go
		min, max uint64
		bits     string
	}{
		{"bound and shift", func(a *progen.Asm) {
			a.If(jgt, 2, 0, 4, "out")
			a.Emit(lsh, 2, 0, 0, 3)
		}, 0, 32, "(0x0; 0x38)"},
		{"bound and multiply", func(a *progen.Asm) {
			a.If(jgt, 2, 0, 4, "out")
			a.Emit(mul, 2, 0, 0, 8)
		}, 0, 32, "(0x0; 0x38)"},
		{"mask and shift", func(a *progen.Asm) {
			a.Emit(and, 2, 0, 0, 255)
			a.Emit(lsh, 2, 0, 0, 3)
		}, 0, 2040, "(0x0; 0x7f8)"},
		{"32-bit bound, two shifts", func(a *progen.Asm) {
			a.If(jgt32, 2, 0, 4, "out")
			a.Emit(lsh, 2, 0, 0, 32)
			a.Emit(rsh, 2, 0, 0, 29)
		}, 0, 32, "(0x0; 0x38)"},
		{"32-bit bound and move", func(a *progen.Asm) {
			a.If(jgt32, 2, 0, 4, "out")
			a.Emit(movX32, 2, 2, 0, 0)
			a.Emit(lsh, 2, 0, 0, 3)
		}, 0, 32, "(0x0; 0x38)"},
		{"offset and bound", func(a *progen.Asm) {
			a.Emit(sub, 2, 0, 0, 10)
			a.If(jgt, 2, 0, 5, "out")
			a.Emit(lsh, 2, 0, 0, 3)
		}, 0, 40, "(0x0; 0x38)"},
		{"signed bounds", func(a *progen.Asm) {
			a.If(jsgt, 2, 0, 4, "out")
			a.If(jslt, 2, 0, 0, "out")
			a.Emit(lsh, 2, 0, 0, 3)
		}, 0, 32, "(0x0; 0x38)"},
		{"remainder", func(a *progen.Asm) {
			a.Emit(mod, 2, 0, 0, 6)
			a.Emit(mul, 2, 0, 0, 8)
		}, 0, 40, "(0x0; 0x38)"},
		{"range forgotten by a bit test", func(a *progen.Asm) {
			a.Emit(and, 2, 0, 0, 7)
			a.If(jgt, 2, 0, 5, "out")
			a.If(jset, 2, 0, 1, "out")
			a.Emit(lsh, 2, 0, 0, 3)
		}, 0, 48, "(0x0; 0x30)"},
	}
	for _, tt := range tests {
		var a progen.Asm
		a.Emit(ldx, 2, 1, 0, 0)
		tt.index(&a)
		targets := slices.Repeat([]string{"case", "out"}, 128)
		a.Table(3, targets...)
		a.Emit(addX, 3, 2, 0, 0)
		a.Emit(ldx, 4, 3, 0, 0)
		a.Emit(gotox, 4, 0, 0, 0)
		a.Label("case")
		a.Emit(mov, 0, 0, 0, 1)
		a.Label("out")
		a.Emit(mov, 0, 0, 0, 0)
		a.Emit(exit, 0, 0, 0, 0)
		_, f := analyze(t, a.Program("p"), abstract.Verifier)
		acc := f.Indirect()[0].Accesses
		if len(acc) != 1 {
			t.Errorf("%s: %+v", tt.name, acc)
			continue
		}
		if off := acc[0].Off; off.Umin() != tt.min || off.Umax() != tt.max || off.Var.String() != tt.bits {
			t.Errorf("%s: bytes [%d,%d] %v, want [%d,%d] %s", tt.name, off.Umin(), off.Umax(), off.Var, tt.min, tt.max, tt.bits)
		}
	}
}

// reached lists the labels, given with their slots, whose slots are reached.
func reached(p *bytecode.Program, f *abstract.Facts) string {
	var b strings.Builder
	for pc := bytecode.PC(0); pc < p.Len(); pc += p.Insns[pc].Slots() {
		if f.Reached(pc) {
			b.WriteByte('+')
		} else {
			b.WriteByte('-')
		}
	}
	return b.String()
}

// TestReached checks which instructions are reached, one sign for each.
func TestReached(t *testing.T) {
	const perhaps = ": a kernel may have forgotten in another round what it knows" // so nothing is certainly dead
	tests := []struct {
		name  string
		build func(a *progen.Asm)
		want  string
	}{
		{"decided branch", func(a *progen.Asm) {
			a.Emit(mov, 2, 0, 0, 5)
			a.If(jgt, 2, 0, 3, "out")
			a.Emit(mov, 0, 0, 0, 1)
			a.Label("out")
			a.Emit(mov, 0, 0, 0, 0)
			a.Emit(exit, 0, 0, 0, 0)
		}, "++-++"},
		{"copy refined with the original", func(a *progen.Asm) {
			a.Emit(ldx, 2, 1, 0, 0)
			a.Emit(movX, 3, 2, 0, 0)
			a.Emit(add, 3, 0, 0, 2)
			a.If(jgt, 2, 0, 3, "out")
			a.If(jgt, 3, 0, 5, "dead")
			a.Label("out")
			a.Emit(mov, 0, 0, 0, 0)
			a.Emit(exit, 0, 0, 0, 0)
			a.Label("dead")
			a.Emit(mov, 0, 0, 0, 1)
			a.Emit(exit, 0, 0, 0, 0)
		}, "+++++++--"},
		{"spilled copy", func(a *progen.Asm) {
			a.Emit(ldx, 2, 1, 0, 0)
			a.Emit(stx, 10, 2, -8, 0)
			a.If(jgt, 2, 0, 3, "out")
			a.Emit(ldx, 3, 10, -8, 0)
			a.If(jgt, 3, 0, 3, "dead")
			a.Label("out")
			a.Emit(mov, 0, 0, 0, 0)
			a.Emit(exit, 0, 0, 0, 0)
			a.Label("dead")
			a.Emit(mov, 0, 0, 0, 1)
			a.Emit(exit, 0, 0, 0, 0)
		}, "+++++++--"},
		{"behind bpf_throw", func(a *progen.Asm) {
			a.Emit(mov, 1, 0, 0, 0)
			a.Kfunc("bpf_throw")
			a.Emit(mov, 0, 0, 0, 0)
			a.Emit(exit, 0, 0, 0, 0)
		}, "++--"},
		{"exception callback", func(a *progen.Asm) {
			a.Func("main", false)
			a.Emit(mov, 1, 0, 0, 0)
			a.Kfunc("bpf_throw")
			a.Emit(exit, 0, 0, 0, 0)
			a.Func("handler", true, "scalar")
			a.Exception()
			a.Emit(mov, 0, 0, 0, 0)
			a.Emit(exit, 0, 0, 0, 0)
		}, "++-++"},
		{"subprogram that nothing calls", func(a *progen.Asm) {
			a.Func("main", false)
			a.Emit(mov, 0, 0, 0, 0)
			a.Emit(exit, 0, 0, 0, 0)
			a.Func("f", false)
			a.Emit(mov, 0, 0, 0, 0)
			a.Emit(exit, 0, 0, 0, 0)
		}, "++--"},
		{"contexts of a call kept apart", func(a *progen.Asm) {
			a.Func("main", false)
			a.Emit(mov, 1, 0, 0, 1)
			a.Call("f")
			a.If(jne, 0, 0, 2, "dead")
			a.Emit(mov, 1, 0, 0, 5)
			a.Call("f")
			a.If(jne, 0, 0, 6, "dead")
			a.Emit(exit, 0, 0, 0, 0)
			a.Label("dead")
			a.Emit(exit, 0, 0, 0, 0)
			a.Func("f", false)
			a.Emit(movX, 0, 1, 0, 0)
			a.Emit(add, 0, 0, 0, 1)
			a.Emit(exit, 0, 0, 0, 0)
		}, "+++++++-+++"},
		{"callee writes to the caller's stack", func(a *progen.Asm) {
			a.Func("main", false)
			a.Emit(st, 10, 0, -8, 1)
			a.Emit(movX, 1, 10, 0, 0)
			a.Emit(add, 1, 0, 0, -8)
			a.Call("f")
			a.Emit(ldx, 0, 10, -8, 0)
			a.If(jeq, 0, 0, 1, "dead")
			a.Emit(exit, 0, 0, 0, 0)
			a.Label("dead")
			a.Emit(exit, 0, 0, 0, 0)
			a.Func("f", false)
			a.Emit(st, 1, 0, 0, 2)
			a.Emit(mov, 0, 0, 0, 0)
			a.Emit(exit, 0, 0, 0, 0)
		}, "+++++++-+++"},
		{"callback may run or not" + perhaps, func(a *progen.Asm) {
			a.Func("main", false)
			a.Emit(st, 10, 0, -8, 1)
			a.Emit(mov, 1, 0, 0, 3)
			a.FuncAddr(2, "f")
			a.Emit(movX, 3, 10, 0, 0)
			a.Emit(add, 3, 0, 0, -8)
			a.Emit(mov, 4, 0, 0, 0)
			a.Helper(181)
			a.Emit(ldx, 0, 10, -8, 0)
			a.If(jeq, 0, 0, 1, "no")
			a.If(jeq, 0, 0, 2, "yes")
			a.Emit(exit, 0, 0, 0, 0)
			a.Label("no")
			a.Emit(exit, 0, 0, 0, 0)
			a.Label("yes")
			a.Emit(exit, 0, 0, 0, 0)
			a.Func("f", false)
			a.Emit(st, 2, 0, 0, 2)
			a.Emit(mov, 0, 0, 0, 0)
			a.Emit(exit, 0, 0, 0, 0)
		}, "++++++++++-+++++"},
		{"recursion", func(a *progen.Asm) {
			a.Func("main", false)
			a.Emit(mov, 1, 0, 0, 1)
			a.Call("f")
			a.Emit(exit, 0, 0, 0, 0)
			a.Func("f", false)
			a.If(jeq, 1, 0, 7, "seven")
			a.Emit(mov, 1, 0, 0, 7)
			a.Call("f")
			a.Emit(exit, 0, 0, 0, 0)
			a.Label("seven")
			a.Emit(mov, 0, 0, 0, 7)
			a.Emit(exit, 0, 0, 0, 0)
		}, "+++++++++"},
		{"jump to anywhere without a table", func(a *progen.Asm) {
			a.Emit(ldx, 2, 1, 0, 0)
			a.Emit(gotox, 2, 0, 0, 0)
			a.Emit(mov, 0, 0, 0, 0)
			a.Emit(exit, 0, 0, 0, 0)
		}, "++++"},
		{"jump to anywhere with a table", func(a *progen.Asm) {
			a.Emit(ldx, 2, 1, 0, 0)
			a.Table(3, "in")
			a.Emit(gotox, 2, 0, 0, 0)
			a.Emit(mov, 0, 0, 0, 0)
			a.Label("in")
			a.Emit(mov, 0, 0, 0, 0)
			a.Emit(exit, 0, 0, 0, 0)
		}, "+++-++"},
	}
	for _, tt := range tests {
		var a progen.Asm
		tt.build(&a)
		p := a.Program("p")
		for _, rules := range []abstract.Rules{abstract.Executions, abstract.Verifier} {
			g, f := analyze(t, p, rules)
			want := tt.want
			if rules == abstract.Verifier && strings.HasSuffix(tt.name, perhaps) {
				want = strings.ReplaceAll(want, "-", "+")
			}
			if got := reached(p, f); got != want {
				t.Errorf("%s (rules %d): got %s, want %s\n%s", tt.name, rules, got, want, listing(p, g, f))
			}
		}
	}
}

// listing prints a program with its facts.
func listing(p *bytecode.Program, g *cfg.Graph, f *abstract.Facts) string {
	var b strings.Builder
	for id, blk := range g.Blocks {
		for _, l := range f.EntryText(cfg.BlockID(id)) {
			fmt.Fprintf(&b, "          ; %s\n", l)
		}
		for pc := blk.Start; pc < blk.End; pc++ {
			if g.InsnAt(pc) {
				fmt.Fprintf(&b, "%8d: %s\n", pc, p.Text(pc))
			}
		}
	}
	return b.String()
}

// TestNullCheck checks that a null check reaches copies, and that a pointer
// that may be null is a fault to load from.
func TestNullCheck(t *testing.T) {
	for _, checked := range []bool{true, false} {
		var a progen.Asm
		m := a.Map(bytecode.Map{Name: "m", Type: 2, KeySize: 4, ValueSize: 8, MaxEntries: 1})
		a.MapAddr(1, m)
		a.Emit(st, 10, 0, -8, 1) // no key of the map
		a.Emit(movX, 2, 10, 0, 0)
		a.Emit(add, 2, 0, 0, -8)
		a.Helper(1)
		a.Emit(movX, 6, 0, 0, 0)
		if checked {
			a.If(jeq, 6, 0, 0, "out")
		}
		a.Emit(ldx, 3, 0, 0, 0)
		a.Label("out")
		a.Emit(mov, 0, 0, 0, 0)
		a.Emit(exit, 0, 0, 0, 0)
		_, f := analyze(t, a.Program("p"), abstract.Verifier)
		got := f.Faults()
		if checked && len(got) > 0 {
			t.Errorf("faults %+v", got)
		}
		if !checked && (len(got) != 1 || got[0].Kind != abstract.NullMemory || got[0].Reg != 0 || !got[0].Proven) {
			t.Errorf("faults %+v, want a load from r0, which may be null", got)
		}
	}
}

// TestManyTables checks that addresses from more tables than fit into one state
// stay apart: one table for each label, as clang makes of &&label.
func TestManyTables(t *testing.T) {
	var a progen.Asm
	var labels []string
	for i := range 40 {
		l, next := fmt.Sprint("l", i), fmt.Sprint("n", i)
		labels = append(labels, l)
		a.Emit(ldx4, 2, 1, int16(4*(i%16)), 0)
		if i > 0 {
			a.If(jeq, 2, 0, int32(i), next)
		}
		a.Table(3, l)
		a.Emit(ldx, 4, 3, 0, 0)
		a.Label(next)
	}
	a.Emit(gotox, 4, 0, 0, 0)
	for i, l := range labels {
		a.Label(l)
		a.Emit(mov, 0, 0, 0, int32(i))
		a.Emit(exit, 0, 0, 0, 0)
	}
	_, f := analyze(t, a.Program("p"), abstract.Verifier)
	d := f.Indirect()[0]
	if d.Unresolved != "" || len(d.Targets) != 40 || len(d.Accesses) != 40 {
		t.Errorf("%d targets by %d accesses, %q", len(d.Targets), len(d.Accesses), d.Unresolved)
	}
	for _, acc := range d.Accesses {
		if acc.Loose {
			t.Errorf("%+v is loose", acc)
		}
	}
}

// TestStackTable checks that addresses which were copied to the stack can be
// followed when they are loaded from there at a variable offset, as clang -O0
// has it; the kernel loses them.
func TestStackTable(t *testing.T) {
	var a progen.Asm
	a.Emit(movX, 6, 1, 0, 0)
	for i, l := range []string{"x", "y", "z", "x"} {
		a.Table(3, l)
		a.Emit(ldx, 3, 3, 0, 0)
		a.Emit(stx, 10, 3, int16(-32+8*i), 0)
	}
	a.Emit(ldx, 2, 6, 0, 0)
	a.Emit(and, 2, 0, 0, 3)
	a.Emit(lsh, 2, 0, 0, 3)
	a.Emit(movX, 3, 10, 0, 0)
	a.Emit(add, 3, 0, 0, -32)
	a.Emit(addX, 3, 2, 0, 0)
	a.Emit(ldx, 4, 3, 0, 0)
	a.Emit(gotox, 4, 0, 0, 0)
	for _, l := range []string{"x", "y", "z"} {
		a.Label(l)
		a.Emit(mov, 0, 0, 0, 0)
		a.Emit(exit, 0, 0, 0, 0)
	}
	_, f := analyze(t, a.Program("p"), abstract.Executions)
	if d := f.Indirect()[0]; d.Unresolved != "" || len(d.Targets) != 3 {
		t.Errorf("%+v", d)
	}
}

// TestStackDepth checks the depth of each subprogram's frame, in bytes: of the
// caller's also what the callee touches.
func TestStackDepth(t *testing.T) {
	var a progen.Asm
	a.Func("main", false)
	a.Emit(stx, 10, 1, -16, 0)
	a.Emit(movX, 1, 10, 0, 0)
	a.Emit(add, 1, 0, 0, -16)
	a.Call("f")
	a.Emit(exit, 0, 0, 0, 0)
	a.Func("f", false)
	a.Emit(0x72, 10, 0, -3, 0) // one byte
	a.Emit(st, 1, 0, -24, 0)   // 40 below the caller's top
	a.Emit(mov, 0, 0, 0, 0)
	a.Emit(exit, 0, 0, 0, 0)
	_, f := analyze(t, a.Program("p"), abstract.Verifier)
	if f.StackDepth(0) != 40 || f.StackDepth(1) != 8 {
		t.Errorf("got %d and %d, want 40 and 8", f.StackDepth(0), f.StackDepth(1))
	}
}
