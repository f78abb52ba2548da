package browser

import (
	"fmt"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/internal/testing/progen"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
	"github.com/bpfcfg/bpfcfg/render"
	"github.com/bpfcfg/bpfcfg/render/picture"
)

// TestFacts compares what the details say of a block's start with what the analysis
// prints: the page puts each state together of what changes from one to the next.
func TestFacts(t *testing.T) {
	prof, err := jit.LookupProfile(jit.DefaultProfile)
	if err != nil {
		t.Fatal(err)
	}
	a, err := pipeline.Run(progen.RandomLoadable(5, 300), prof, rewrite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := picture.Scene(a, "facts.o")
	s.Groups = nil
	picture.AddDetails(s, a)
	l, err := render.Place(s, render.PlaceOptions{})
	if err != nil {
		t.Fatal(err)
	}
	b := open(t, render.Page{Scene: s, Placement: l})
	compared := 0
	for i := 0; i < len(s.Blocks) && compared < 12; i += 1 + len(s.Blocks)/25 {
		want := a.Succ.Facts.EntryText(cfg.BlockID(i))
		if len(want) == 0 {
			continue
		}
		b.hash(fmt.Sprintf("#b%d", i))
		compared++
		got := eval[string](b, panel+`.querySelectorAll("details").values().find((e) => e.querySelector("summary").textContent === "facts at the start")?.querySelector("pre").textContent ?? ""`)
		if got != strings.Join(want, "\n") {
			t.Errorf("b%d:\n%s, want\n%s", i, got, strings.Join(want, "\n"))
		}
	}
	if compared < 8 {
		t.Errorf("only %d blocks compared", compared)
	}
}
