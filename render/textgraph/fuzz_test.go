package textgraph

import (
	"math/rand/v2"
	"strings"
	"testing"
	"unicode"

	"github.com/bpfcfg/bpfcfg/internal/testing/rendertest"
)

// FuzzWrite draws random graphs in any width: every line leads where an edge does,
// and none is wider than asked for. Then one whose names and texts are the fuzzer's:
// it ends, is as narrow, and holds no character that does more than to print itself.
func FuzzWrite(f *testing.F) {
	f.Add(uint64(1), uint8(100), false, "r0 = 0")
	f.Add(uint64(2), uint8(0), true, "\x1b[2J\u202e界界界界 \xff\n")
	f.Add(uint64(3), uint8(255), false, "e\u0301\u200d\U0001f469\u200d\U0001f4bb\t\u00ad")
	f.Fuzz(func(t *testing.T, seed uint64, width uint8, ascii bool, words string) {
		opt := Options{Width: minWidth + int(width), ASCII: ascii}
		readBack(t, randomScene(rand.New(rand.NewPCG(seed, 11))), opt)
		s := rendertest.Hostile(words)
		for i := range s.Blocks {
			for j := range s.Blocks[i].Lines {
				s.Blocks[i].Lines[j].Text += words
			}
		}
		for i := range s.Edges {
			s.Edges[i].Label = words
		}
		s.Funcs[0].Name = words
		if err := s.Check(); err != nil {
			t.Fatal(err)
		}
		picture := text(t, s, opt)
		for line := range strings.Lines(picture) {
			if n := (&drawing{}).columns(strings.TrimSuffix(line, "\n")); n > opt.Width {
				t.Errorf("%d columns, more than %d: %q", n, opt.Width, line)
			}
		}
		for _, r := range picture {
			if r != '\n' && unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || ascii && r > unicode.MaxASCII {
				t.Fatalf("%U in %q", r, picture)
			}
		}
		if text(t, s, opt) != picture {
			t.Error("a second drawing differs")
		}
	})
}
