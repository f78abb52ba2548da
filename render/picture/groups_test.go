package picture

import (
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/internal/testing/progen"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
	"github.com/bpfcfg/bpfcfg/render"
)

func analysed(t *testing.T, p *bytecode.Program) *pipeline.Analysis {
	t.Helper()
	prof, err := jit.LookupProfile(jit.DefaultProfile)
	if err != nil {
		t.Fatal(err)
	}
	a, err := pipeline.Run(p, prof, rewrite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// compareOps are the compares of JMP by the number of their operation (RFC 9669,
// section 4.3).
var compareOps = map[uint8]func(a, b uint64) bool{
	0x10: func(a, b uint64) bool { return a == b }, 0x20: func(a, b uint64) bool { return a > b },
	0x30: func(a, b uint64) bool { return a >= b }, 0x50: func(a, b uint64) bool { return a != b },
	0x60: func(a, b uint64) bool { return int64(a) > int64(b) }, 0x70: func(a, b uint64) bool { return int64(a) >= int64(b) },
	0xa0: func(a, b uint64) bool { return a < b }, 0xb0: func(a, b uint64) bool { return a <= b },
	0xc0: func(a, b uint64) bool { return int64(a) < int64(b) }, 0xd0: func(a, b uint64) bool { return int64(a) <= int64(b) },
}

// compareTree makes a program that searches r2 by compares of random kinds, as compilers
// do for a switch, from lo to hi. Each leaf goes to one of the ends, which return their
// number.
func compareTree(rnd *rand.Rand, lo, hi int32, ends int, class uint8) *bytecode.Program {
	var a progen.Asm
	a.Emit(0x79, 2, 1, 0, 0)
	order := []uint8{0x60, 0x70, 0xc0, 0xd0} // signed, since lo is negative
	if lo >= 0 {
		order = append(order, 0x20, 0x30, 0xa0, 0xb0)
	}
	n := 0
	type part struct {
		label  string
		lo, hi int32
	}
	for work := []part{{"root", lo, hi}}; len(work) > 0; {
		p := work[len(work)-1]
		work = work[:len(work)-1]
		a.Label(p.label)
		for p.lo < p.hi {
			n++
			label := "n" + strconv.Itoa(n)
			mid := p.lo + (p.hi-p.lo)/2
			op := order[rnd.IntN(len(order))]
			k, above := mid, part{label, mid + 1, p.hi}
			if op&0x10 == 0x10 != (op > 0x80) { // "greater or equal", "less": the constant is of the upper part
				k = mid + 1
			}
			rest := part{"", p.lo, mid}
			if op > 0x80 {
				rest.lo, rest.hi, above.lo, above.hi = mid+1, p.hi, p.lo, mid
			}
			a.If(op|class, 2, 0, k, label)
			work = append(work, above)
			p.lo, p.hi = rest.lo, rest.hi
		}
		if rnd.IntN(2) == 0 {
			a.If([]uint8{0x10, 0x50}[rnd.IntN(2)]|class, 2, 0, p.lo, "e"+strconv.Itoa(rnd.IntN(ends)))
		}
		a.Jump("e" + strconv.Itoa(rnd.IntN(ends)))
	}
	for i := range ends {
		a.Label("e" + strconv.Itoa(i))
		a.Emit(0xb7, 0, 0, 0, int32(i))
		a.Emit(bytecode.CodeExit, 0, 0, 0, 0)
	}
	return a.Program("tree")
}

// walk follows compares from the block of a scene for a value of r2, by the meaning of
// the operations alone, and returns the edge that leaves the group.
func walk(s *render.Scene, p *bytecode.Program, a *pipeline.Analysis, g *render.Group, v uint64) int {
	for b := g.Blocks[0]; ; {
		in := p.Insns[a.Graph.Blocks[b].Last]
		x, k := v, uint64(int64(in.Imm))
		if in.Code&7 == 6 { // JMP32: sign extended, order stays
			x, k = uint64(int64(int32(uint32(v)))), uint64(int64(in.Imm))
			if op := in.Code & 0xf0; op < 0x60 || op == 0xa0 || op == 0xb0 {
				x, k = x&0xffffffff, k&0xffffffff
			}
		}
		kind := render.FallThrough
		if compareOps[in.Code&0xf0](x, k) {
			kind = render.Taken
		}
		i := slices.IndexFunc(s.Edges, func(e render.Edge) bool { return e.From == b && e.Kind == kind })
		if _, out := g.Labels[i]; out {
			return i
		}
		b = s.Edges[i].To
	}
}

// holds reports whether a label names a value.
func holds(label string, v int64) bool {
	for _, part := range strings.Split(label, ", ") {
		lo, hi, is := strings.Cut(part, "–")
		if !is {
			hi = lo
		}
		a, err1 := strconv.ParseInt(lo, 10, 64)
		b, err2 := strconv.ParseInt(hi, 10, 64)
		if err1 == nil && err2 == nil && a <= v && v <= b {
			return true
		}
	}
	return false
}

// TestCompareLabels runs values through random trees of compares: the edge by which each
// leaves has a label that names it, or "other", and no other block's label names it.
func TestCompareLabels(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 5))
	named := 0
	for i := range 20 {
		class := []uint8{5, 6}[i%2]
		lo := []int32{-60, 0}[i/2%2]
		a := analysed(t, compareTree(rnd, lo, lo+100, 40, class))
		edges := render.Scene{Edges: Scene(a, "").Edges}
		for _, g := range compareGroups(a, edges.Edges) {
			for v := int64(-70); v <= 110; v++ {
				out := walk(&edges, a.Program, a, &g, uint64(v))
				label := g.Labels[out]
				named += len(label)
				if !holds(label, v) && label != "other" {
					t.Errorf("tree %d: %d leaves by an edge with the label %q", i, v, label)
				}
				for e, other := range g.Labels {
					if edges.Edges[e].To != edges.Edges[out].To && holds(other, v) {
						t.Errorf("tree %d: %d is in the label %q of another block", i, v, other)
					}
				}
			}
		}
	}
	if named == 0 {
		t.Error("no tree is a group")
	}
}

// TestThousandCases draws the switch of a thousand cases that a compiler made compares
// of: as rows of cases, not wider than a person scrolls.
func TestThousandCases(t *testing.T) {
	data, err := os.ReadFile(testenv.Path(t, "corpus/out-plain/15_thousand_cases.o"))
	if err != nil {
		t.Fatal(err)
	}
	o, err := load.ELF("plain.o", data)
	if err != nil {
		t.Fatal(err)
	}
	s, into := render.FoldGroups(Scene(analysed(t, o.Programs[0]), "plain.o"))
	l, err := render.Place(s, render.PlaceOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if l.W >= 10_000 {
		t.Errorf("the picture is %d pixels wide", l.W)
	}
	box := s.Blocks[into[0]]
	if box.Folded == nil || box.Folded.Blocks < 1000 {
		t.Errorf("the compares are not one box: %+v", box.Folded)
	}
	values := map[string]bool{}
	for _, e := range s.Edges {
		if e.From == into[0] && !e.Dead {
			values[e.Label] = true
		}
	}
	// The sample's source has the cases 0 to 999.
	for v := range 1000 {
		if !values[strconv.Itoa(v)] {
			t.Fatalf("no edge has the value %d", v)
		}
	}
}

// rounds returns a program of an unrolled loop of n rounds, of which the first begins in
// the program's first block and the last ends otherwise; with another operation in one
// of its rounds when odd is not negative.
func rounds(n, odd int) *bytecode.Program {
	var a progen.Asm
	a.Emit(0x79, 2, 1, 0, 0)
	a.Emit(0xb7, 0, 0, 0, 0)
	for i := range n {
		x, y := "x"+strconv.Itoa(i), "y"+strconv.Itoa(i)
		a.If(0x15, 2, 0, int32(i), "out")
		a.If(0x25, 2, 0, int32(2*i), x)
		a.Emit(0x07, 0, 0, 0, int32(i))
		if i == odd {
			a.Emit(0x47, 0, 0, 0, 1)
		}
		a.Label(x)
		a.If(0x35, 2, 0, int32(3*i), y)
		a.Emit(0x07, 0, 0, 0, 7)
		a.Label(y)
		a.Emit(0x0f, 0, 2, 0, 0)
	}
	a.Label("out")
	a.Emit(bytecode.CodeExit, 0, 0, 0, 0)
	return a.Program("rounds")
}

// TestRounds checks that rounds of an unrolled loop that are alike are one box, and
// that one which is not is seen.
func TestRounds(t *testing.T) {
	for _, c := range []struct {
		odd    int
		groups []string
	}{
		{-1, []string{"rounds 2–19, like"}},
		{9, []string{"rounds 2–9, like", "rounds 2–10, like"}},
		{19, []string{"rounds 2–19, like"}},
	} {
		s := Scene(analysed(t, rounds(20, c.odd)), "")
		var texts []string
		for _, g := range s.Groups {
			texts = append(texts, g.Text)
		}
		if len(texts) != len(c.groups) {
			t.Errorf("odd round %d: groups %q, want %q", c.odd, texts, c.groups)
			continue
		}
		for i := range texts {
			if !strings.HasPrefix(texts[i], c.groups[i]) {
				t.Errorf("odd round %d: group %q, want %q", c.odd, texts[i], c.groups[i])
			}
		}
		f, _ := render.FoldGroups(s)
		if c.odd < 0 && len(f.Blocks) > len(s.Blocks)/7 {
			t.Errorf("%d of %d blocks are left", len(f.Blocks), len(s.Blocks))
		}
	}
}
