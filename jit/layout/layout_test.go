package layout_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/layout"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
)

// TestTiles states on the corpus that the pieces tile the image, and that each
// block begins where the code of its first slot that is left does.
func TestTiles(t *testing.T) {
	prof, err := jit.LookupProfile(jit.DefaultProfile)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range testenv.Glob(t, "corpus/out/*.o") {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		o, err := load.ELF(file, data)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range o.Programs {
			a, err := pipeline.Run(p, prof, rewrite.Options{})
			if err != nil || a.ImageErr != nil {
				t.Fatal(err, a.ImageErr)
			}
			tiles(t, filepath.Base(file)+" "+p.Name, a)
		}
	}
}

// tiles is TestTiles for one program.
func tiles(t *testing.T, name string, a *pipeline.Analysis) {
	t.Helper()
	l := layout.Of(a.Graph, a.Rewrite.Xlated, a.Rewrite.Program.Funcs, a.Image)
	end := 0
	for _, p := range l.Pieces {
		if p.Offset != end || p.Len < 0 {
			t.Errorf("%s: %s %v at +%#x, want +%#x", name, p.Kind, p.Block, p.Offset, end)
		}
		end = p.Offset + p.Len
	}
	if end != len(a.Image.Code) {
		t.Errorf("%s: pieces end at +%#x of %#x", name, end, len(a.Image.Code))
	}
	for b, blk := range a.Graph.Blocks {
		want := -1
		for pc := blk.Start; pc < blk.End && want < 0; pc++ {
			x := a.Rewrite.Xlated[pc]
			for f, fn := range a.Rewrite.Program.Funcs {
				if x >= fn.Start && x < fn.End {
					want = a.Image.Funcs[f].Offset + int(a.Image.Offsets[x])
				}
			}
		}
		if l.Code[b] != want {
			t.Errorf("%s: b%d begins at %d, want %d", name, b, l.Code[b], want)
		}
	}
}
