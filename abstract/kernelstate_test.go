package abstract

import (
	"bufio"
	"math"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/abstract/arc"
	"github.com/bpfcfg/bpfcfg/abstract/scalar"
	"github.com/bpfcfg/bpfcfg/abstract/tnum"
	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/record"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
)

// kernelValue is a register as the verifier's log prints it.
type kernelValue struct {
	kind string   // "scalar", "map_value", …
	off  scalar.S // the number or offset, as far as the log tells
	id   string   // of the numbers that are linked to it
}

var (
	fromLine = regexp.MustCompile(`^from \d+ to (\d+): (?:frame\d+: )?(R\d.*)$`)
	partText = regexp.MustCompile(`((?:[a-z0-9_]+=)+)(\([^)]*\)|[^,]*)`)
	idText   = regexp.MustCompile(`\bid=(\d+)`)
	regText  = regexp.MustCompile(`^R(\d+)=P?([a-z_0-9?-]*)(?:\((.*)\))?$`)
)

// parseState reads the registers of a line of the log (kernel/bpf/log.c
// print_verifier_state, Linux 7.3): R1=ctx() R2=scalar(umax=3,var_off=(0x0; 0x3)).
func parseState(t *testing.T, text string) map[int]kernelValue {
	regs := map[int]kernelValue{}
	for _, word := range fields(text) {
		m := regText.FindStringSubmatch(word)
		if m == nil {
			continue // a stack slot, or the like
		}
		r, _ := strconv.Atoi(m[1])
		regs[r] = parseValue(t, m[2], m[3])
	}
	return regs
}

// fields splits at blanks outside of parentheses.
func fields(s string) []string {
	var out []string
	depth, start := 0, 0
	for i, c := range s + " " {
		switch {
		case c == '(':
			depth++
		case c == ')':
			depth--
		case c == ' ' && depth == 0:
			out = append(out, s[start:i])
			start = i + 1
		}
	}
	return out
}

// parseValue reads what stands after "R1=".
func parseValue(t *testing.T, kind, args string) kernelValue {
	if n, ok := parseNumber(kind); ok {
		return kernelValue{kind: "scalar", off: scalar.Const(n)}
	}
	if off, ok := strings.CutPrefix(kind, "fp"); ok {
		n, _ := parseNumber(off)
		kind = "fp"
		if args == "" {
			return kernelValue{kind: kind, off: scalar.Const(n)}
		}
	}
	v := kernelValue{kind: kind, off: scalar.Unknown()}
	if m := idText.FindStringSubmatch(args); m != nil {
		v.id = m[1]
	}
	if kind != "scalar" && !strings.Contains(args, "min") && !strings.Contains(args, "max") && !strings.Contains(args, "var_off") {
		v.off = scalar.Const(0)
	}
	ends := map[string]uint64{"smin": 1 << 63, "smax": 1<<63 - 1, "umax": math.MaxUint64,
		"smin32": 1 << 31, "smax32": 1<<31 - 1, "umax32": math.MaxUint32}
	for _, m := range partText.FindAllStringSubmatch(args, -1) {
		for _, name := range strings.Split(strings.TrimSuffix(m[1], "="), "=") {
			n, _ := parseNumber(m[2])
			switch name {
			case "imm":
				v.off = scalar.Const(n)
			case "var_off":
				value, mask, _ := strings.Cut(strings.Trim(m[2], "()"), "; ")
				a, ok1 := parseNumber(value)
				b, ok2 := parseNumber(mask)
				if !ok1 || !ok2 {
					t.Fatalf("var_off %q", m[2])
				}
				v.off.Var = tnum.T{Value: a, Mask: b}
			default:
				ends[name] = n
			}
		}
	}
	// Both ends at a time: one end alone may leave two pieces, of which one arc cannot tell.
	v.off.R64 = v.off.R64.Meet(arcOf[uint64](ends, ""))
	v.off.R32 = v.off.R32.Meet(arcOf[uint32](ends, "32"))
	return v
}

// arcOf returns the numbers between signed and unsigned ends.
func arcOf[T arc.Word](ends map[string]uint64, width string) arc.Arc[T] {
	between := func(lo, hi string) arc.Arc[T] { return arc.URange(T(ends[lo+width]), T(ends[hi+width])) }
	return between("smin", "smax").Meet(between("umin", "umax"))
}

// parseNumber reads a number of the log, decimal or hexadecimal.
func parseNumber(s string) (uint64, bool) {
	if n, err := strconv.ParseInt(s, 0, 64); err == nil {
		return uint64(n), true
	}
	n, err := strconv.ParseUint(s, 0, 64)
	return n, err == nil
}

// fits reports whether our value covers the kernel's.
func (k kernelValue) fits(v *Value) bool {
	if v == nil {
		return true
	}
	return v.has(func(a *Alt) bool {
		switch {
		case a.Kind == Number && a.flags&maybePtr != 0 && a.Off == unknown, a.Kind == Other:
			return true
		case a.Kind == Number && a.flags&maybePtr != 0 && k.kind != "scalar": // no comparison but with null tells of it
			local := k.kind == "ctx" || k.kind == "fp"
			return (!local || a.flags&maybeLocal != 0) && (a.Off.Contains(0) || !strings.Contains(k.kind, "or_null"))
		case a.Kind == Ctx:
			return k.kind == "ctx"
		case typeName(a) != k.kind && !strings.HasPrefix(k.kind, kindNames[a.Kind]):
			return false
		}
		return k.off.Leq(a.Off) || includes(a.Off, k.off)
	})
}

// includes is Leq where the parts of a number rule out together what one part has more.
func includes(s, k scalar.S) bool {
	high, low := scalar.Unknown(), scalar.Unknown()
	high.R64, low.R32 = rest(s.R64), rest(s.R32)
	none := func(more scalar.S, full bool) bool { return full || scalar.Meet(k, more).Empty() }
	return s.Var.Includes(k.Var) && none(high, s.R64.IsFull()) && none(low, s.R32.IsFull())
}

// rest returns the words outside of an arc that is not full.
func rest[T arc.Word](a arc.Arc[T]) arc.Arc[T] {
	return arc.Arc[T]{Base: a.Last() + 1, Size: ^a.Size - 1}
}

// fitsHeld reports whether what our value covers beside its own numbers, because the
// verifier's meet of ranges that wrap is not monotone, covers the kernel's.
func (k kernelValue) fitsHeld(v *Value) bool {
	return v != nil && k.kind == "scalar" && v.has(func(a *Alt) bool { return a.Kind == Number && k.off.Leq(a.held()) })
}

// TestKernelStates compares facts with the states that Linux 7.3.4's verifier
// had where a path begins: each must be covered by one of ours. The log leaves
// out what it cannot print, such as ranges that wrap.
func TestKernelStates(t *testing.T) {
	states, programs, exact := 0, 0, 0
	for _, path := range testenv.Glob(t, "records/*.7.3.4.off.jsonl.gz") {
		rd, err := record.Open(path, record.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for rec, err := range rd.Records() {
			if err != nil {
				t.Fatal(err)
			}
			if rec.Job == nil || rec.Result == nil || rec.Result.Load == nil || !rec.Result.Load.OK || rec.Result.Load.Log == "" {
				continue
			}
			p, err := rec.Job.Program()
			if err != nil {
				continue
			}
			g, f := fixpoint(t, p)
			programs++
			sc := bufio.NewScanner(strings.NewReader(rec.Result.Load.Log))
			sc.Buffer(nil, 1<<24)
			for sc.Scan() {
				m := fromLine.FindStringSubmatch(sc.Text())
				if m == nil {
					continue
				}
				pc, _ := strconv.Atoi(m[1])
				b, ok := g.BlockAt(bytecode.PC(pc))
				if !ok || g.Blocks[b].Start != bytecode.PC(pc) {
					continue
				}
				states++
				same, ok := f.covers(b, parseState(t, m[2]))
				if same {
					exact++
				}
				if !ok {
					t.Errorf("%s: %s: at %d\nkernel %s\nours   %s", filepath.Base(path), rec.Job.Name, pc, m[2],
						strings.Join(f.EntryText(b), "\n       "))
				}
			}
		}
		rd.Close()
	}
	t.Logf("%d states of %d programs; %d have the same numbers in ours", states, programs, exact)
	if states == 0 {
		t.Error("no states")
	}
}

// covers reports whether a state of block b covers the kernel's, and whether one
// has the same numbers.
func (f *Facts) covers(b cfg.BlockID, regs map[int]kernelValue) (same, ok bool) {
	for _, s := range f.states[b] {
		fits, equal := true, true
		for r, k := range regs {
			v := s.regs[r]
			fits = fits && k.fits(v)
			equal = equal && (v == nil || !v.is(Number) || k.kind != "scalar" || v.Off.Leq(k.off))
		}
		ok = ok || fits
		same = same || fits && equal
	}
	return same, ok
}

// fixpoint is the loop of facts and targets.
func fixpoint(t *testing.T, p *bytecode.Program) (*cfg.Graph, *Facts) {
	t.Helper()
	return fixpointOf(t, p, Options{Rules: Verifier})
}

func fixpointOf(t *testing.T, p *bytecode.Program, opt Options) (*cfg.Graph, *Facts) {
	t.Helper()
	targets := &cfg.Targets{}
	for {
		g, err := cfg.Build(p, targets)
		if err != nil {
			t.Fatal(err)
		}
		f := Analyze(p, g, opt)
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
