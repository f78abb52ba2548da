package rendertest_test

import (
	"os"
	"slices"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/internal/testing/rendertest"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
	"github.com/bpfcfg/bpfcfg/render"
	"github.com/bpfcfg/bpfcfg/render/picture"
)

// TestLayouts checks of real and random programs what a layout promises: boxes
// apart and inside their functions, lines off boxes, every edge drawn, named in
// its block or told elsewhere, areas around the blocks of a loop and no others.
func TestLayouts(t *testing.T) {
	holes := 0
	for _, s := range corpus(t) {
		l, err := render.Place(s.Scene, render.PlaceOptions{AllLines: true})
		if err != nil {
			t.Fatal(err)
		}
		if m := rendertest.Measure(s.Scene, l); m.Through != 0 {
			t.Errorf("%s: lines run through %d boxes", s.Name, m.Through)
		}
		checkBoxes(t, s, l)
		checkEdges(t, s, l)
		for _, loop := range l.Loops {
			holes += len(loop.Holes)
		}
		checkDepths(t, s, l)
	}
	if holes < 10 {
		t.Errorf("only %d blocks leave a loop from within", holes)
	}
}

func overlap(a, b render.Rect) bool {
	return a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H
}

func inside(a, b render.Rect) bool {
	return a.X >= b.X && a.Y >= b.Y && a.X+a.W <= b.X+b.W && a.Y+a.H <= b.Y+b.H
}

func checkBoxes(t *testing.T, s rendertest.Sample, l *render.Placement) {
	t.Helper()
	boxes := slices.Clone(l.Blocks)
	for _, h := range l.Hubs {
		boxes = append(boxes, h.Rect)
	}
	for i, a := range boxes {
		if i < len(s.Scene.Blocks) && !inside(a, l.Funcs[s.Scene.Blocks[i].Func]) {
			t.Errorf("%s: block %d is outside its function", s.Name, i)
		}
		for j := range i {
			if overlap(a, boxes[j]) {
				t.Errorf("%s: boxes %d and %d overlap", s.Name, i, j)
			}
		}
	}
	for i, a := range l.Funcs {
		for j := range i {
			if overlap(a, l.Funcs[j]) {
				t.Errorf("%s: functions %d and %d overlap", s.Name, i, j)
			}
		}
	}
}

// checkEdges checks that each edge within a function has a line or is named in
// its block.
func checkEdges(t *testing.T, s rendertest.Sample, l *render.Placement) {
	t.Helper()
	shown := slices.Clone(l.Given)
	for _, w := range l.Lines {
		shown = append(shown, w.Edges...)
	}
	slices.Sort(shown)
	for i, e := range s.Scene.Edges {
		if e.To == render.Outside || s.Scene.Blocks[e.From].Func != s.Scene.Blocks[e.To].Func {
			continue
		}
		switch e.Kind {
		case render.Call, render.Callback, render.TailCall, render.Exception: // named in their blocks
			continue
		}
		if _, ok := slices.BinarySearch(shown, i); !ok {
			t.Errorf("%s: edge %d is not shown", s.Name, i)
		}
	}
}

// checkDepths checks that a block lies in as many areas as there are loops
// around it. Hubs add loops of their own.
func checkDepths(t *testing.T, s rendertest.Sample, l *render.Placement) {
	t.Helper()
	if len(l.Hubs) > 0 {
		return
	}
	for b, r := range l.Blocks {
		spot := render.Rect{X: r.X + r.W/2, Y: r.Y + 1, W: 1, H: 1}
		headers := map[int]bool{}
		for _, loop := range l.Loops {
			hit := func(r render.Rect) bool { return inside(spot, r) }
			if slices.ContainsFunc(loop.Bands, hit) && !slices.ContainsFunc(loop.Holes, hit) {
				headers[loop.Header] = true
			}
		}
		if len(headers) != s.Scene.Blocks[b].LoopDepth {
			t.Errorf("%s: block %d is in %d areas and %d loops", s.Name, b, len(headers), s.Scene.Blocks[b].LoopDepth)
		}
	}
}

// TestThousandCases draws a switch of a thousand cases, by compares and by a table. Each
// picture is about as wide as high: machine code and table go on in columns.
func TestThousandCases(t *testing.T) {
	prof, err := jit.LookupProfile(jit.DefaultProfile)
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"out-plain", "out"} {
		data, err := os.ReadFile(testenv.Path(t, "corpus/"+dir+"/15_thousand_cases.o"))
		if err != nil {
			t.Fatal(err)
		}
		o, err := load.ELF(dir, data)
		if err != nil {
			t.Fatal(err)
		}
		a, err := pipeline.Run(o.Programs[0], prof, rewrite.Options{})
		if err != nil {
			t.Fatal(err)
		}
		s, _ := render.FoldGroups(picture.Scene(a, dir))
		l, err := render.Place(s, render.PlaceOptions{Columns: true})
		if err != nil {
			t.Fatal(err)
		}
		if most := 10_000; l.W > most || l.H > most {
			t.Errorf("%s: %d pixels wide, %d high, want at most %d", dir, l.W, l.H, most)
		}
		t.Logf("%s: %d by %d pixels", dir, l.W, l.H)
	}
}
