package picture

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
	"github.com/bpfcfg/bpfcfg/jit/x86/disasm"
	"github.com/bpfcfg/bpfcfg/render"
)

// compiled returns the programs of the corpus that have an image.
func compiled(t *testing.T) []*pipeline.Analysis {
	t.Helper()
	prof, err := jit.LookupProfile(jit.DefaultProfile)
	if err != nil {
		t.Fatal(err)
	}
	var out []*pipeline.Analysis
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
			if err == nil && a.ImageErr == nil && len(a.Image.Code) < 5000 {
				out = append(out, a)
			}
		}
	}
	return out
}

// damaged returns the analysis with a copy of its image, to be changed.
func damaged(a *pipeline.Analysis) *pipeline.Analysis {
	b, img := *a, *a.Image
	img.Code = bytes.Clone(a.Image.Code)
	img.Tables = nil
	for _, t := range a.Image.Tables {
		img.Tables = append(img.Tables, append([]int32(nil), t...))
	}
	b.Image = &img
	return &b
}

// checked returns the scene of an analysis with the findings of jit/verify.
func checked(a *pipeline.Analysis) *render.Scene {
	s := Scene(a, "test")
	AddVerified(s, a, a.Verify())
	return s
}

// TestVerified draws correct images, which the picture says, and the same images with a jump that
// goes one byte too far: the picture marks the block and the bytes of the jump.
func TestVerified(t *testing.T) {
	rnd := rand.New(rand.NewPCG(4, 2))
	tried, stamps := 0, map[string]int{}
	defer func() { t.Log(stamps) }()
	for _, a := range compiled(t) {
		s := checked(a)
		if s.Checked == "" && s.Refused == "" || len(s.Mismatches) > 0 || marked(s) > 0 {
			t.Errorf("%s: checked %q, mismatches %v", a.Program.Name, s.Checked, s.Mismatches)
		}
		stamp := "✓ control flow of the source = machine code, for linux-7.3"
		if len(a.Rewrite.Unpredicted) > 0 || len(s.Unsure) > 0 {
			stamp = "≈ agrees: control flow"
		}
		if s.Refused != "" {
			stamp = "⊘ refused"
		}
		stamps[stamp]++
		if svg := draw(t, s); !strings.Contains(svg, stamp) || strings.Contains(svg, "✓") != (stamp[:3] == "✓") {
			t.Errorf("%s: the picture does not say %q, or has ✓", a.Program.Name, stamp)
		}
		var jumps []int // offsets of distances
		for i, p := range s.Image.Pieces {
			jumps = append(jumps, shortJumps(a, s, i, p)...)
		}
		for range min(3, len(jumps)) {
			at := jumps[rnd.IntN(len(jumps))]
			b := damaged(a)
			b.Image.Code[at] ^= 1
			s := checked(b)
			tried++
			if s.Checked != "" || len(s.Mismatches) == 0 {
				t.Errorf("%s: damage at +%#x: checked %q, %d mismatches", a.Program.Name, at, s.Checked, len(s.Mismatches))
				continue
			}
			block, _ := blockAtByte(s.Image, at)
			if blk := s.Blocks[block]; blk.Mark != render.MarkMismatch || blk.Why == "" {
				t.Errorf("%s: damage at +%#x: %s is marked %q, %q", a.Program.Name, at, blk.Name, blk.Mark, blk.Why)
			}
			if !covers(s.Image.Marks, at) {
				t.Errorf("%s: no byte mark on +%#x: %v", a.Program.Name, at, s.Image.Marks)
			}
			svg := draw(t, s)
			for _, want := range []string{"≠ mismatch", `class="wrong"`, "does not agree", "bytes that differ"} {
				if !strings.Contains(svg, want) {
					t.Errorf("%s: damage at +%#x: no %q in the picture", a.Program.Name, at, want)
				}
			}
			if strings.Contains(svg, "✓") {
				t.Errorf("%s: damage at +%#x: said to be verified", a.Program.Name, at)
			}
		}
	}
	if tried < 30 {
		t.Errorf("only %d damages tried", tried)
	}
}

// shortJumps returns the offsets of the distances of two-byte jumps in a piece.
func shortJumps(a *pipeline.Analysis, s *render.Scene, i int, p render.Piece) []int {
	var out []int
	for off := p.Offset; p.Kind == render.PieceBlock && off < p.Offset+p.Len; {
		in, err := disasm.Decode(a.Image.Code, off)
		if err != nil {
			return out
		}
		// The last of a piece: others may be inside of what one instruction became.
		if _, is := in.Target(); is && in.Len == 2 && off+2 == p.Offset+p.Len && i+1 < len(s.Image.Pieces) {
			out = append(out, off+1)
		}
		off += in.Len
	}
	return out
}

func marked(s *render.Scene) int {
	n := 0
	for _, b := range s.Blocks {
		if b.Mark != "" {
			n++
		}
	}
	for _, m := range s.Image.Marks {
		if m.Kind == render.BytesMismatch {
			n++
		}
	}
	return n
}

func covers(marks []render.ByteMark, at int) bool {
	for _, m := range marks {
		if m.Kind == render.BytesMismatch && m.Offset <= at && at < m.Offset+m.Len {
			return true
		}
	}
	return false
}

func draw(t *testing.T, s *render.Scene) string {
	t.Helper()
	l, err := render.Place(s, render.PlaceOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return string(render.SVG(s, l))
}

// TestDamagedTable changes table entries to wrong addresses: the block of the target and its first
// bytes are marked.
func TestDamagedTable(t *testing.T) {
	tried := 0
	for _, a := range compiled(t) {
		for i, tab := range a.Image.Tables {
			if len(tab) == 0 || a.Rewrite.Program.Tables[i][0] == jit.Deleted {
				continue
			}
			b := damaged(a)
			b.Image.Tables[i][0] += 2
			s := checked(b)
			tried++
			if len(s.Mismatches) == 0 || s.Blocks[s.Tables[i].Entries[0].Block].Mark != render.MarkMismatch {
				t.Errorf("%s: table %d: %v", a.Program.Name, i, s.Mismatches)
			}
		}
	}
	if tried == 0 {
		t.Error("no table was damaged")
	}
}

// TestKernelCode compares images with a kernel's bytes: the same, another byte,
// fewer bytes, and a byte that is an address.
func TestKernelCode(t *testing.T) {
	for _, a := range compiled(t) {
		n := len(a.Image.Code)
		s := Scene(a, "test")
		AddKernelCode(s, a, a.Image.Code)
		if marked(s) > 0 {
			t.Errorf("%s: the same bytes are marked", a.Program.Name)
		}
		for _, r := range a.Image.Relocs {
			other := bytes.Clone(a.Image.Code)
			other[r.Offset] ^= 0xff
			AddKernelCode(s, a, other)
			if marked(s) > 0 {
				t.Fatalf("%s: an address is marked", a.Program.Name)
			}
		}
		at := s.Image.Pieces[len(s.Image.Pieces)-1].Offset
		other := bytes.Clone(a.Image.Code)
		other[at] ^= 0x80
		AddKernelCode(s, a, other, "what differs")
		block, ok := blockAtByte(s.Image, at)
		if !covers(s.Image.Marks, at) || ok && s.Blocks[block].Mark != render.MarkMismatch || len(s.Mismatches) != 1 {
			t.Errorf("%s: +%#x is not marked", a.Program.Name, at)
		}
		s = Scene(a, "test")
		AddKernelCode(s, a, other[:n-1])
		if marked(s) != 2 { // one place of bytes, one block
			t.Errorf("%s: %d marks for code of another length", a.Program.Name, marked(s))
		}
	}
}
