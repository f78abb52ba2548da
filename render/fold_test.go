package render_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/internal/testing/rendertest"
	"github.com/bpfcfg/bpfcfg/render"
)

// census counts what folding must not lose.
type census struct{ blocks, insns, dead, unresolved int }

func count(s *render.Scene) (c census) {
	for _, b := range s.Blocks {
		if f := b.Folded; f != nil {
			c.blocks += f.Blocks
			c.insns += f.Insns
			c.dead += f.Dead
			c.unresolved += f.Unresolved
			continue
		}
		c.blocks++
		c.insns += len(b.Lines)
		if !b.Reachable {
			c.dead++
		}
		if b.Status != "" && b.Status != "exact" {
			c.unresolved++
		}
	}
	return c
}

// TestFold folds random programs as far as can be.
func TestFoldRandom(t *testing.T) {
	smaller := 0
	for seed := range uint64(40) {
		s := rendertest.Random(150, seed)
		for i := range s.Blocks {
			s.Blocks[i].Reachable = (i+int(seed))%17 != 0
			if i%23 == 5 {
				s.Blocks[i].Status = "unresolved"
				s.Edges = append(s.Edges, render.Edge{From: i, To: render.Outside, Kind: render.Indirect, Label: "unknown"})
			}
			if i%31 == 7 {
				s.Blocks[i].Mark = render.MarkChanged
			}
		}
		before := rendertest.Random(150, seed)
		out := render.Fold(s, 1)
		if err := out.Check(); err != nil {
			t.Fatal(err)
		}
		if got, want := count(out), count(s); got != want {
			t.Errorf("seed %d: %+v, want %+v", seed, got, want)
		}
		if len(out.Blocks) < len(s.Blocks) {
			smaller++
		}
		if len(s.Edges)-len(before.Edges) < 0 || len(s.Blocks) != len(before.Blocks) {
			t.Errorf("seed %d: the scene given has changed", seed)
		}
		if !reflect.DeepEqual(out, render.Fold(s, 1)) {
			t.Errorf("seed %d: a second folding differs", seed)
		}
		checkFolded(t, s, out)
		l, err := render.Place(out, render.PlaceOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if m := rendertest.Measure(out, l); m.Through != 0 {
			t.Errorf("seed %d: lines run through boxes", seed)
		}
	}
	if smaller < 30 {
		t.Errorf("only %d programs got smaller", smaller)
	}
}

// checkFolded checks that blocks with marks are not folded, that edges between unfolded blocks are
// kept, and that an edge into a box leads to the block that names the box.
func checkFolded(t *testing.T, s, out *render.Scene) {
	t.Helper()
	stay := map[string]int{} // by name
	named := map[string]bool{}
	for i, b := range out.Blocks {
		named[b.Name] = true
		if b.Folded == nil {
			stay[b.Name] = i
		}
	}
	have := map[string]int{}
	for _, e := range out.Edges {
		if e.To != render.Outside && out.Blocks[e.From].Folded == nil && out.Blocks[e.To].Folded == nil {
			have[fmt.Sprint(out.Blocks[e.From].Name, out.Blocks[e.To].Name, e.Kind, e.Label)]++
		}
	}
	for _, b := range s.Blocks {
		if _, ok := stay[b.Name]; b.Mark != "" && !ok {
			t.Errorf("%s has a mark and is folded", b.Name)
		}
	}
	for _, e := range s.Edges {
		if e.To == render.Outside {
			continue
		}
		_, from := stay[s.Blocks[e.From].Name]
		_, to := stay[s.Blocks[e.To].Name]
		if from && !named[s.Blocks[e.To].Name] {
			t.Errorf("%s leads to %s in the middle of a box", s.Blocks[e.From].Name, s.Blocks[e.To].Name)
		}
		k := fmt.Sprint(s.Blocks[e.From].Name, s.Blocks[e.To].Name, e.Kind, e.Label)
		if from && to && have[k] == 0 {
			t.Errorf("edge %s is gone", k)
		}
		have[k]--
	}
}

// TestFoldText checks what the text of a folded loop counts.
func TestFoldText(t *testing.T) {
	b := rendertest.New("fold")
	f := b.Func("main")
	b.Block(f, "r1 = 0")
	for i := range 4 {
		b.Block(f, fmt.Sprintf("r1 += %d", i), "if r1 > 7 goto +9")
	}
	b.Block(f, "exit")
	b.Dead(3, "r1 is small")
	for i := range 4 {
		b.Fall(i, i+1)
		b.Taken(i+1, 5, "r1 > 7")
	}
	b.Taken(4, 1, "")
	b.Loop(1, 2, 3, 4)
	s := b.Scene()
	for _, i := range []int{2, 4} {
		s.Blocks[i].Status, s.Blocks[i].Reason = "unresolved", "r4 is not known"
		s.Edges = append(s.Edges, render.Edge{From: i, To: render.Outside, Kind: render.Indirect, Label: "unknown"})
	}
	out := render.Fold(s, 3)
	if len(out.Blocks) != 3 || !reflect.DeepEqual(out.Blocks[1].Folded,
		&render.Folded{Kind: "loop", Blocks: 4, Insns: 8, Dead: 1, Unresolved: 2}) {
		t.Fatalf("%d blocks, %+v", len(out.Blocks), out.Blocks[1].Folded)
	}
	l, err := render.Place(out, render.PlaceOptions{})
	if err != nil {
		t.Fatal(err)
	}
	svg := string(render.SVG(out, l))
	for _, want := range []string{"loop of 4 blocks, 8 instructions", "1 of them unreachable", "2 targets not exact",
		"unresolved: r4 is not known", "indirect → unknown", "6 blocks are drawn as 3"} {
		if !strings.Contains(svg, want) {
			t.Errorf("no %q", want)
		}
	}
	if render.Fold(s, 6) != s {
		t.Error("a scene that is small enough is changed")
	}
}

// TestFoldRegions folds a row of branches that join again, which has neither
// chains nor loops, beside a block that many leave to, and its image: the boxes
// are few, each but that block is entered from one place, the bytes are covered
// as before, and jumps inside of boxes are gone.
func TestFoldRegions(t *testing.T) {
	const n, above = 1000, 100
	b := rendertest.New("regions")
	f := b.Func("main")
	for range n {
		b.Block(f, "r0 = 1", "if r0 > r1 goto +2")
		b.Block(f, "if r1 > r2 goto out")
	}
	out := b.Block(f, "exit")
	for i := range n {
		b.Fall(2*i, 2*i+1)
		b.Taken(2*i, 2*i+2, "")
		if i+1 < n {
			b.Fall(2*i+1, 2*i+2)
		}
		b.Taken(2*i+1, out, "")
	}
	s := b.Scene()
	s.Image = &render.Image{Len: 10 * len(s.Blocks)}
	s.Image.Funcs = []render.ImageFunc{{Func: f, Len: s.Image.Len}}
	for i := range s.Blocks {
		s.Image.Pieces = append(s.Image.Pieces, render.Piece{Kind: render.PieceBlock, Block: i, Offset: 10 * i, Len: 10})
	}
	for i, e := range s.Edges {
		if e.Kind == render.Taken {
			s.Image.Jumps = append(s.Image.Jumps, render.Jump{From: 10*e.From + 8, To: 10 * e.To, Kind: e.Kind, Edge: i})
		}
	}
	if err := s.Check(); err != nil {
		t.Fatal(err)
	}
	small := render.Fold(s, above)
	if err := small.Check(); err != nil {
		t.Fatal(err)
	}
	if len(small.Blocks) > above || count(small) != count(s) {
		t.Errorf("%d boxes, %+v; want %+v", len(small.Blocks), count(small), count(s))
	}
	end := 0
	for _, p := range small.Image.Pieces {
		if p.Offset != end {
			t.Errorf("bytes from %d on are missing", end)
		}
		end += p.Len
	}
	if end != s.Image.Len || len(small.Image.Pieces) != len(small.Blocks) {
		t.Errorf("%d pieces of %d boxes end at %d", len(small.Image.Pieces), len(small.Blocks), end)
	}
	for _, j := range small.Image.Jumps {
		if j.Edge < 0 {
			t.Errorf("the jump from %d to %d is inside of a box", j.From, j.To)
		}
	}
}

// TestFoldTwoWays: no part of a loop with two entries is folded.
func TestFoldTwoWays(t *testing.T) {
	b := rendertest.New("two ways")
	f := b.Func("main")
	for range 6 {
		b.Block(f, "r1 += 1", "if r1 > 7 goto +1")
	}
	b.Fall(0, 1)
	b.Taken(0, 2, "")
	b.Fall(1, 2)
	b.Fall(2, 3)
	b.Taken(2, 5, "") // no chains
	b.Fall(3, 4)
	b.Taken(3, 5, "")
	b.Taken(4, 1, "")
	b.Fall(4, 5)
	b.Loop(1, 2, 3, 4)
	s := b.Scene()
	for above := len(s.Blocks); above > 0; above-- {
		out := render.Fold(s, above)
		checkFolded(t, s, out)
		for _, blk := range out.Blocks {
			if blk.Folded != nil && blk.Folded.Kind == "loop" {
				t.Errorf("above %d: %s is a folded loop", above, blk.Name)
			}
		}
	}
}

// TestFoldCases: the 400 cases of a switch become twenty boxes of twenty, in order. A block that a
// branch leads to as well is not folded, and neither is a dead one.
func TestFoldCases(t *testing.T) {
	b := rendertest.New("cases")
	f := b.Func("cases")
	head := b.Block(f, "if r1 > 401 goto +9")
	jump := b.Block(f, "gotox r1")
	var targets []int
	for range 402 {
		targets = append(targets, b.Block(f, "r0 = 1", "exit"))
	}
	b.Fall(head, jump)
	b.Taken(head, targets[7], "")
	b.Switch("t", jump, targets...)
	s := b.Scene()
	for i := range s.Edges {
		s.Edges[i].Dead = s.Edges[i].To == targets[9]
	}
	s.Blocks[targets[9]].Reachable = false
	out, into := render.FoldInto(s, 100)
	if err := out.Check(); err != nil {
		t.Fatal(err)
	}
	if len(out.Blocks) != 4+20 {
		t.Errorf("%d boxes", len(out.Blocks))
	}
	for _, alone := range []int{head, jump, targets[7], targets[9]} {
		if out.Blocks[into[alone]].Folded != nil {
			t.Errorf("b%d is folded", alone)
		}
	}
	first := out.Blocks[into[targets[0]]].Folded
	if first == nil || first.Kind != "cases" || first.Blocks != 20 ||
		!strings.HasPrefix(first.Text, "20 cases: 0, 1, 2, 3, 4, 5, 6, 8, 10, ") {
		t.Errorf("%+v", first)
	}
	n := 0
	for _, e := range out.Edges {
		if e.From == into[jump] && e.To == into[targets[0]] {
			n++
			if !strings.HasPrefix(e.Label, "0, 1, 2, ") {
				t.Errorf("label %q", e.Label)
			}
		}
	}
	if n != 1 {
		t.Errorf("%d edges lead to the first box", n)
	}
}
