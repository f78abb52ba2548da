package cfg

import (
	"math/rand/v2"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// Check must notice every kind of damage.
func TestCheckFinds(t *testing.T) {
	for _, tt := range []struct {
		name   string
		damage func(g *Graph)
	}{
		{"gap", func(g *Graph) { g.Blocks[1].Start++ }},
		{"overlap", func(g *Graph) { g.Blocks[0].End++ }},
		{"block over the end", func(g *Graph) { g.Blocks[len(g.Blocks)-1].End++ }},
		{"missing block", func(g *Graph) { g.Blocks = g.Blocks[:len(g.Blocks)-1] }},
		{"other subprogram", func(g *Graph) { g.Blocks[0].Sub++ }},
		{"wrong last", func(g *Graph) { g.Blocks[2].Last-- }},
		{"wrong block of a slot", func(g *Graph) { g.blockOf[0]++ }},
		{"wrong entry", func(g *Graph) { g.entries[1]-- }},
		{"no instruction", func(g *Graph) { g.insn[0] &^= 1 }},
		{"kind", func(g *Graph) { g.edges[0].Kind = Taken }},
		{"target", func(g *Graph) { g.edges[1].To = 1 }},
		{"source", func(g *Graph) { g.edges[1].From = 1 }},
		{"order", func(g *Graph) { g.edges[0], g.edges[1] = g.edges[1], g.edges[0]; g.index() }},
		{"lost edge", func(g *Graph) { g.edges = g.edges[1:]; g.index() }},
		{"edge from nowhere", func(g *Graph) {
			g.edges = append(g.edges, Edge{BlockID(len(g.Blocks) - 1), 0, Goto})
			g.index()
		}},
		{"repeated target", func(g *Graph) { g.edges = append(g.edges[:4:4], g.edges[3:]...); g.index() }},
		{"predecessor", func(g *Graph) { g.preds[0].Kind = Goto }},
		{"predecessor index", func(g *Graph) { g.predID[0], g.predID[1] = g.predID[1], g.predID[0] }},
	} {
		p := program(insns{jeq(1), nop, nop, gotox(1), call(1), exit, exit}, 6)
		g, err := Build(p, targets(pcs{3, 2, 4}))
		if err != nil || g.Check() != nil {
			t.Fatal(err, g.Check())
		}
		func() {
			defer func() {
				if r := recover(); r != nil {
					t.Errorf("%s: panic: %v", tt.name, r)
				}
			}()
			tt.damage(g)
			if g.Check() == nil {
				t.Errorf("%s: not found", tt.name)
			}
		}()
	}
}

func TestLookups(t *testing.T) {
	g, err := Build(program(insns{jeq(2), wide(0, 0), hi, call(1), exit, exit}, 5), nil)
	if err != nil {
		t.Fatal(err)
	}
	for pc, want := range map[bytecode.PC]BlockID{-1: NoBlock, 0: 0, 1: 1, 2: 1, 3: 2, 4: 3, 5: 4, 6: NoBlock} {
		if b, ok := g.BlockAt(pc); b != want || ok != (want != NoBlock) {
			t.Errorf("block at %d: %v, %v", pc, b, ok)
		}
		if got, want := g.InsnAt(pc), want != NoBlock && pc != 2; got != want {
			t.Errorf("instruction at %d: %v", pc, got)
		}
	}
	if lo, hi := g.SubBlocks(0); g.Entry(1) != 4 || lo != 0 || hi != 4 {
		t.Errorf("subprograms: %v, %v to %v", g.Entry(1), lo, hi)
	}
	if lo, hi := g.SubBlocks(1); lo != 4 || hi != 5 {
		t.Errorf("subprogram 1: %v to %v", lo, hi)
	}
	e := g.Edges()[1]
	if lo, hi := g.SuccIDs(0); lo != 0 || hi != 2 || e.String() != "b0 -taken-> b2" {
		t.Errorf("edges %d to %d of b0, %v", lo, hi, e)
	}
}

// FuzzBuild builds graphs of any instructions, with some of them as targets of
// the indirect ones: what is returned is a graph, and the algorithms take it.
func FuzzBuild(f *testing.F) {
	r := rand.New(rand.NewPCG(5, 5))
	for range 200 {
		data := make([]byte, 8*(1+r.IntN(24)))
		for i := range data {
			data[i] = byte(r.IntN(256))
		}
		for i := 0; i < len(data); i += 8 { // mostly control flow, mostly nearby
			codes := []byte{0x05, 0x06, 0x0d, 0x8d, 0x85, 0x95, 0x15, 0xe5, 0x18, 0xb7, 0x26}
			data[i] = codes[r.IntN(len(codes))]
			data[i+1] &= 0x37
			copy(data[i+2:], []byte{byte(r.IntN(9)) - 4, 0, byte(r.IntN(9)) - 4, 0, 0, 0})
			if data[i+2] > 128 {
				data[i+3] = 0xff
			}
		}
		f.Add(data, byte(r.IntN(8)))
	}
	f.Fuzz(func(t *testing.T, data []byte, cut byte) {
		p, tg := fuzzed(data, int(cut))
		g, err := Build(p, tg)
		if err != nil {
			if g != nil || p.Len() > 0 {
				t.Fatal(g, err)
			}
			return
		}
		if err := g.Check(); err != nil {
			t.Fatal(err)
		}
		if len(ReachableStatic(g)) != len(g.Blocks) {
			t.Fatal("reachability of some blocks is missing")
		}
		d, l := Dominators(g), Loops(g)
		for b := range BlockID(len(g.Blocks)) {
			if d.Reached(b) != (l.Num(b) >= 0) {
				t.Fatalf("%v is reached, or not", b)
			}
		}
		again, err := Build(p, tg.Clone())
		if err != nil || text(again) != text(g) {
			t.Fatal("two graphs of one program", err)
		}
	})
}

// fuzzed makes a program of bytes, with a subprogram at every cut-th slot and
// targets from the immediates.
func fuzzed(data []byte, cut int) (*bytecode.Program, *Targets) {
	var code insns
	var starts []bytecode.PC
	tg := &Targets{}
	for i := 0; i+8 <= len(data); i += 8 {
		d := data[i : i+8]
		pc := bytecode.PC(i / 8)
		code = append(code, bytecode.Insn{
			Code: d[0], Dst: bytecode.Reg(d[1] & 15), Src: bytecode.Reg(d[1] >> 4),
			Off: int16(d[2]) | int16(d[3])<<8,
			Imm: int32(d[4]) | int32(d[5])<<8 | int32(d[6])<<16 | int32(d[7])<<24,
		})
		if d[0] == bytecode.CodeGotox || d[0]&0x87 == 0x85 || d[5] == 1 {
			tg.Add(pc, bytecode.PC(d[4]), bytecode.PC(int8(d[6])), pc+1)
		}
		if cut > 0 && pc > 0 && int(pc)%cut == 0 {
			starts = append(starts, pc)
		}
	}
	if len(code) == 0 {
		return &bytecode.Program{}, tg
	}
	return program(code, starts...), tg
}
