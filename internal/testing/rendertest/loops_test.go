package rendertest_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/testing/progen"
	"github.com/bpfcfg/bpfcfg/internal/testing/rendertest"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
	"github.com/bpfcfg/bpfcfg/render"
	"github.com/bpfcfg/bpfcfg/render/picture"
)

// tangle is a program of random conditional jumps: most have irreducible loops.
func tangle(seed uint64) *bytecode.Program {
	const n = 14
	r := rand.New(rand.NewPCG(seed, 1))
	var a progen.Asm
	a.Func("tangle", true)
	for i := range n {
		a.Label(fmt.Sprint(i))
		a.If(0x15, 1, 0, int32(i), fmt.Sprint(r.IntN(n))) // if r1 == i
	}
	a.Emit(0xb7, 0, 0, 0, 0) // r0 = 0
	a.Emit(bytecode.CodeExit, 0, 0, 0, 0)
	return a.Program("tangle")
}

// TestLoopHeaders checks that the areas of a picture are those of the loops
// that package cfg finds, irreducible ones included.
func TestLoopHeaders(t *testing.T) {
	prof, err := jit.LookupProfile(jit.DefaultProfile)
	if err != nil {
		t.Fatal(err)
	}
	scenes := corpus(t)
	for seed := range uint64(40) {
		a, err := pipeline.Run(tangle(seed), prof, rewrite.Options{})
		if err != nil {
			t.Fatal(err)
		}
		name := fmt.Sprintf("tangle %d", seed)
		scenes = append(scenes, rendertest.Sample{Name: name, Scene: picture.Scene(a, name)})
	}
	irreducible := 0
	for _, s := range scenes {
		l, err := render.Place(s.Scene, render.PlaceOptions{AllLines: true})
		if err != nil {
			t.Fatal(err)
		}
		var got, want []int
		for _, loop := range l.Loops {
			if loop.Header >= 0 { // -1: a hub
				got = append(got, loop.Header)
			}
		}
		for b := range s.Scene.Blocks {
			if s.Scene.Blocks[b].LoopHeader {
				want = append(want, b)
			}
		}
		slices.Sort(got)
		got = slices.Compact(got)
		if len(l.Hubs) == 0 && !slices.Equal(got, want) {
			t.Errorf("%s: areas of %v, loops of %v", s.Name, got, want)
		}
		for _, e := range s.Scene.Edges {
			if e.To != render.Outside && e.Kind == render.FallThrough && e.Back {
				irreducible++ // only irreducible loops are closed by falling through
			}
		}
	}
	if irreducible < 5 {
		t.Errorf("only %d loops closed by falling through", irreducible)
	}
}
