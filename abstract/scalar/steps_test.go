package scalar

import (
	"fmt"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/abstract/arc"
	"github.com/bpfcfg/bpfcfg/abstract/tnum"
)

// rules is a rule set to run steps with.
type rules struct {
	alu    func(op Op, is32 bool, dst, src S) S
	refine func(c Cond, is32 bool, a, b S) S
}

var (
	kernelRules = rules{KernelALU, func(c Cond, is32 bool, a, b S) S {
		a, _ = KernelRefine(c, is32, a, b)
		return a
	}}
	ownRules = rules{ALU, func(c Cond, is32 bool, a, b S) S {
		a, _, _ = Refine(c, is32, a, b)
		return a
	}}
)

// run applies steps, separated by "; ", to one register r (w for its low half)
// whose start is s:
//
//	r <<= 3    w s/= -3    w = w    r = (s8) r    an operation with a constant
//	w >>= w2                                      with a variable 0 to 31
//	if r > 4                                      the taken edge
//	not r > 4                                     the fall-through
func (rs rules) run(t *testing.T, s S, steps string) S {
	t.Helper()
	for step := range strings.SplitSeq(steps, "; ") {
		f := strings.Fields(step)
		taken, branch := false, false
		if f[0] == "if" || f[0] == "not" {
			taken, branch = f[0] == "if", true
			f = f[1:]
		}
		is32 := f[0] == "w"
		src, sym := operandText(t, s, f[len(f)-1]), f[1]
		if len(f) == 4 {
			sym += f[2]
		}
		if branch {
			c := condByName(t, sym)
			if !taken {
				c = c.Negate()
			}
			s = rs.refine(c, is32, s, src)
			continue
		}
		s = rs.alu(opByName(t, sym), is32, s, src)
	}
	return s
}

func operandText(t *testing.T, s S, text string) S {
	t.Helper()
	switch text {
	case "r", "w":
		return s
	case "w2":
		return Range(0, 31)
	}
	v, ok := parseNumber(text)
	if !ok {
		t.Fatalf("operand %q", text)
	}
	return Const(v)
}

func opByName(t *testing.T, sym string) Op {
	t.Helper()
	op, ok := map[string]Op{
		"+=": Add, "-=": Sub, "*=": Mul, "/=": Div, "s/=": SDiv, "%=": Mod, "s%=": SMod, "|=": Or, "&=": And,
		"<<=": Lsh, ">>=": Rsh, "s>>=": Arsh, "^=": Xor, "=": Mov,
		"=(s8)": MovSX8, "=(s16)": MovSX16, "=(s32)": MovSX32,
	}[sym]
	if !ok {
		t.Fatalf("operation %q", sym)
	}
	return op
}

func condByName(t *testing.T, sym string) Cond {
	t.Helper()
	for c := range condsCount {
		if c.String() == sym {
			return c
		}
	}
	t.Fatalf("condition %q", sym)
	return 0
}

// TestWorkedExamples: values computed with kernel/bpf/cnum.c, tnum.c and the
// transfer functions of verifier.c of Linux 7.3.4, built in user space.
func TestWorkedExamples(t *testing.T) {
	const top = ^uint64(0)
	full, full32 := arc.Full[uint64](), arc.Full[uint32]()
	for _, c := range []struct {
		steps string
		want  S
	}{
		{"not r > 4", S{tnum.T{Mask: 7}, arc.U64{Size: 4}, arc.U32{Size: 4}}},
		{"if r > 4", S{tnum.Unknown(), arc.U64{Base: 5, Size: top - 5}, full32}},
		{"not r > 4; r <<= 3", S{tnum.T{Mask: 0x38}, arc.U64{Size: 32}, arc.U32{Size: 32}}},
		{"not r > 4; r *= 8", S{tnum.T{Mask: 0x38}, arc.U64{Size: 32}, arc.U32{Size: 32}}},
		{"r &= 255; r <<= 3", S{tnum.T{Mask: 0x7f8}, arc.U64{Size: 2040}, arc.U32{Size: 0x7f8}}},
		{"not w > 4", S{tnum.T{Mask: 0xffffffff00000007}, arc.U64{Size: 0xffffffff00000004}, arc.U32{Size: 4}}},
		{"not w > 4; r <<= 32; r >>= 29", S{tnum.T{Mask: 0x38}, arc.U64{Size: 32}, arc.U32{Size: 32}}},
		{"not w > 4; w = w; r <<= 3", S{tnum.T{Mask: 0x38}, arc.U64{Size: 32}, arc.U32{Size: 32}}},
		{"r -= 10; not r > 5", S{tnum.T{Mask: 7}, arc.U64{Size: 5}, arc.U32{Size: 5}}},
		{"not r s> 4", S{tnum.Unknown(), arc.U64{Base: 1 << 63, Size: 1<<63 + 4}, full32}},
		{"not r s> 4; not r s< 0", S{tnum.T{Mask: 7}, arc.U64{Size: 4}, arc.U32{Size: 4}}},
		{"r &= 3; not r == 0", S{tnum.T{Mask: 3}, arc.U64{Base: 1, Size: 2}, arc.U32{Base: 1, Size: 2}}},
		{"r &= 3; not r == 0; not r == 3", S{tnum.T{Mask: 3}, arc.U64{Base: 1, Size: 1}, arc.U32{Base: 1, Size: 1}}},
		{"r &= 3; not r == 0; not r == 3; not r == 1", Const(2)},
		{"r %= 6", S{tnum.T{Mask: 7}, arc.U64{Size: 5}, arc.U32{Size: 5}}},
		{"r %= 6; r *= 8", S{tnum.T{Mask: 0x38}, arc.U64{Size: 40}, arc.U32{Size: 40}}},
		{"r &= 7; not r > 5; not r & 1", S{tnum.T{Mask: 6}, arc.U64{Size: 6}, arc.U32{Size: 6}}},
		{"w >>= w2", S{tnum.Unknown(), full, full32}},
	} {
		if got := kernelRules.run(t, Unknown(), c.steps); got != c.want {
			t.Errorf("%s: %v, want %v", c.steps, got, c.want)
		}
		if got := ownRules.run(t, Unknown(), c.steps); !got.Leq(c.want) {
			t.Errorf("%s: ours %v is not in %v", c.steps, got, c.want)
		}
	}
	index := kernelRules.run(t, Unknown(), "not r > 4; r <<= 3")
	if got := KernelPtrOffset(Const(0), index, false); got != index {
		t.Errorf("table + index: %v", got)
	}
	want := S{tnum.T{Mask: 0x38}, arc.U64{Base: 8, Size: 32}, arc.U32{Base: 8, Size: 32}}
	if got := KernelPtrOffset(Const(8), index, false); got != want {
		t.Errorf("table + 8 + index: %v, want %v", got, want)
	}
	if got := KernelPtrOffset(KernelPtrOffset(Const(8), index, false), Const(8), true); got != index {
		t.Errorf("table + 8 + index - 8: %v", got)
	}
}

// TestSelftestStates: states that the kernel's own tests expect in the log
// (tools/testing/selftests/bpf/progs/verifier_div_mod_bounds.c and
// verifier_bounds.c, Linux 7), of an unknown register.
func TestSelftestStates(t *testing.T) {
	const (
		low  = "smin=0,smax=umax=0xffffffff,"
		any  = ",var_off=(0x0; 0xffffffff)"
		two  = "smin=umin=smin32=umin32=2,smax=umax=smax32=umax32=3,var_off=(0x2; 0x1)"
		rest = "smin=smin32=0,smax=umax=smax32=umax32=2,var_off=(0x0; 0x3)"
		odd  = "smin=umin=smin32=umin32=1,smax=umax=smax32=umax32=9,var_off=(0x1; 0x8)"
		neg  = "smin=umin=umin32=0xfffffffd,smax=umax=umax32=0xfffffffe,smin32=-3,smax32=-2,var_off=(0xfffffffc; 0x3)"
		far  = "smin=smin32=-3,smax=smax32=-2,umin=0xfffffffffffffffd,umax=0xfffffffffffffffe," +
			"umin32=0xfffffffd,umax32=0xfffffffe,var_off=(0xfffffffffffffffc; 0x3)"
	)
	for _, c := range []struct{ steps, want string }{
		{"w = w; w &= 8; w |= 1; w /= 3", "smin=smin32=0,smax=umax=smax32=umax32=3,var_off=(0x0; 0x3)"},
		{"r &= 8; r |= 1; r /= 3", "smin=smin32=0,smax=umax=smax32=umax32=3,var_off=(0x0; 0x3)"},
		{"w &= 8; w |= 1; w /= 0", "0"},
		{"r &= 8; r |= 1; r s/= 0", "0"},
		{"w = w; not w s< 8; not w s> 10; w s/= 3", two},
		{"w = w; not w s> -8; not w s< -10; w s/= 3", neg},
		{"w = w; not w s< -8; not w s> 10; w s/= 3", low + "smin32=-2,smax32=3" + any},
		{"w = w; not w s< 8; not w s> 10; w s/= -3", neg},
		{"w = w; not w s> -8; not w s< -10; w s/= -3", two},
		{"w = w; not w s< -8; not w s> 10; w s/= -3", low + "smin32=-3,smax32=2" + any},
		{"w = w; not w s> 0x8000000a; w s/= -1", "smin=0,smax=umax=0xffffffff" + any},
		{"w = 0x80000000; w s/= -1", "0x80000000"},
		{"not r s< 8; not r s> 10; r s/= 3", two},
		{"not r s> -8; not r s< -10; r s/= 3", far},
		{"not r s< -8; not r s> 10; r s/= 3", "smin=smin32=-2,smax=smax32=3"},
		{"not r s< 8; not r s> 10; r s/= -3", far},
		{"not r s> -8; not r s< -10; r s/= -3", two},
		{"not r s< -8; not r s> 10; r s/= -3", "smin=smin32=-3,smax=smax32=2"},
		{"not r s> 0x800000000000000a; r s/= -1", ""},
		{"r = 0x8000000000000000; r s/= -1", "0x8000000000000000"},
		{"w = w; w &= 8; w |= 1; w %= 3", rest},
		{"w = w; w &= 8; w |= 1; w %= 10", odd},
		{"w = w; w &= 8; w |= 1; w %= 0", odd},
		{"r &= 8; r |= 1; r %= 3", rest},
		{"r &= 8; r |= 1; r %= 10", odd},
		{"r &= 8; r |= 1; r %= 0", odd},
		{"w = w; not w s< 8; not w s> 10; w s%= 3", rest},
		{"w = w; not w s> -8; not w s< -10; w s%= 3", low + "smin32=-2,smax32=0" + any},
		{"w = w; not w s< -8; not w s> 10; w s%= 3", low + "smin32=-2,smax32=2" + any},
		{"w = w; not w s< -8; not w s> 10; w s%= 11", low + "smin32=-8,smax32=10" + any},
		{"w = w; not w s< 8; not w s> 10; w s%= -3", rest},
		{"w = w; not w s< -8; not w s> 10; w s%= -3", low + "smin32=-2,smax32=2" + any},
		{"w = w; not w s< -8; not w s> 10; w s%= 0", low + "smin32=-8,smax32=10" + any},
		{"w = w; not w s> 0x8000000a; w s%= -1", "0"},
		{"not r s< 8; not r s> 10; r s%= 3", rest},
		{"not r s> -8; not r s< -10; r s%= 3", "smin=smin32=-2,smax=smax32=0"},
		{"not r s< -8; not r s> 10; r s%= 3", "smin=smin32=-2,smax=smax32=2"},
		{"not r s< -8; not r s> 10; r s%= -11", "smin=smin32=-8,smax=smax32=10"},
		{"not r s< -8; not r s> 10; r s%= 0", "smin=smin32=-8,smax=smax32=10"},
		{"not r s> 0x800000000000000a; r s%= -1", "0"},
		{"r = 0x8000000000000000; r s%= -1", "0"},
	} {
		text := c.want
		if !strings.HasPrefix(text, "0") {
			text = fmt.Sprintf("scalar(%s)", text)
		}
		want, ok := parseScalar(text)
		if !ok {
			t.Fatalf("%s", text)
		}
		if got := printOf(kernelRules.run(t, Unknown(), c.steps)); got != want.bounds {
			t.Errorf("%s: %+v, the kernel has %+v", c.steps, got, want.bounds)
		}
	}
}

// TestOwnRules: what the kernel gives up and we do not.
func TestOwnRules(t *testing.T) {
	for _, c := range []struct {
		steps string
		want  S
	}{
		{"w >>= w2", Range(0, 1<<32-1)},                                       // kernel: wholly unknown
		{"r &= 7; not r > 5; not r & 1", Meet(Range(0, 4), bitSet(0, 6))},     // kernel: up to 6
		{"r &= 7; not r > 5; r <<= 3", Meet(Range(0, 40), bitSet(0, 0x38))},   //
		{"r &= 0xf8; not r > 20", Meet(Range(0, 16), bitSet(0, 0x18))},        // kernel: up to 20
		{"r &= 8; r |= 2; not r == 10", Const(2)},                             //
		{"r &= 15; r %= 8", Meet(Range(0, 7), bitSet(0, 7))},                  //
		{"r &= 0xf0; r /= 16", Range(0, 15)},                                  //
		{"r &= 3; r += 5; r /= 0", Const(0)},                                  //
		{"r &= 3; r += 8; r &= 7", Range(0, 3)},                               // kernel: 0 to 7, by range alone
		{"r &= 3; r <<= 4; r |= 5", Meet(Range(5, 0x35), bitSet(0x05, 0x30))}, //
		{"r &= 3; r -= 5; r *= -8", Meet(Range(16, 40), bitSet(0, 0x38))},     //
		{"not r > 300; not r < 290; r = (s8) r", Range(34, 44)},
		{"not w > 9; not w < 5; r &= 0xffffffff", Range(5, 9)}, // kernel: 0 to 9
		{"not w > 9; not w < 5; r &= 15", Range(5, 9)},
		{"not w > 9; not w < 5; r <<= 40; r >>= 40", Range(5, 9)},
		{"not w s> 9; not w s< -5; r <<= 32; r s>>= 32", SRange(-5, 9)},
		{"not w s> 9; not w s< -5; r = (s32) r", SRange(-5, 9)},
		{"not w s> 9; not w s< -5; r = (s8) r", SRange(-5, 9)},
		//
	} {
		if got := ownRules.run(t, Unknown(), c.steps); got != c.want {
			t.Errorf("%s: %v, want %v", c.steps, got, c.want)
		}
	}
	five := Const(5)
	variable := Range(2, 9)
	for _, c := range []struct {
		op   Op
		want S
	}{
		{Div, Range(0, 2)}, {SDiv, Range(0, 2)}, {Mod, Range(0, 5)}, {SMod, Range(0, 5)},
		{Lsh, Meet(Range(20, 5<<9), bitSet(0, 0xffc))}, {Rsh, Range(0, 1)}, {Arsh, Range(0, 1)},
	} {
		if got := ALU(c.op, false, five, variable); !got.Leq(c.want) {
			t.Errorf("5 %v 2..9: %v, want %v", c.op, got, c.want)
		}
		if got := KernelALU(c.op, false, five, variable); got != Unknown() {
			t.Errorf("5 %v 2..9: the kernel knows %v", c.op, got)
		}
	}
}

func bitSet(value, mask uint64) S { return Bits(tnum.T{Value: value, Mask: mask}) }
