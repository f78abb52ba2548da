package picture

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
)

// TestDetails checks for every program of the corpus that the machine code of
// each piece of the strip is listed from its first byte, all of it decoded.
func TestDetails(t *testing.T) {
	prof, err := jit.LookupProfile(jit.DefaultProfile)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range testenv.Glob(t, "corpus/out/*.o") {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		o, err := load.ELF(filepath.Base(path), data)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range o.Programs {
			a, err := pipeline.Run(p, prof, rewrite.Options{})
			if err != nil || a.ImageErr != nil {
				continue
			}
			s := Scene(a, path)
			AddDetails(s, a)
			text := make([]string, len(s.Blocks))
			for _, c := range s.Code {
				for _, x := range c.X86 {
					if c.Block >= 0 {
						text[c.Block] += fmt.Sprintf("  +0x%04x  %s\n", x.Offset, x.Text)
					}
				}
			}
			for i := range s.Blocks {
				if strings.Contains(text[i], "not decoded") {
					t.Errorf("%s: %s: b%d: %s", path, p.Name, i, text[i])
				}
			}
			for _, piece := range s.Image.Pieces {
				if piece.Block < 0 || piece.Len == 0 {
					continue
				}
				if at := fmt.Sprintf("  +0x%04x  ", piece.Offset); !strings.Contains(text[piece.Block], at) {
					t.Errorf("%s: %s: b%d does not list %s", path, p.Name, piece.Block, at)
				}
			}
		}
	}
}
