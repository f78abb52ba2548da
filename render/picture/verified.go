package picture

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/verify"
	"github.com/bpfcfg/bpfcfg/jit/x86/disasm"
	"github.com/bpfcfg/bpfcfg/render"
)

// maxWhy bounds how many mismatches a block lists.
const maxWhy = 4

// AddVerified adds what was proven of the analysis's image to its scene, in the words of the proof,
// or a mark on each block and on the bytes that do not agree, and the mismatches as text: edges
// that the kernel loses are among them. It is separate from Scene because the caller decides
// whether the image is checked.
func AddVerified(s *render.Scene, a *pipeline.Analysis, r *verify.Proof) {
	if s.Image == nil {
		return
	}
	if r.Refused != "" && s.Refused == "" {
		s.Refused = "by " + r.Kernel + ": " + r.Refused
	}
	if r.Unknown > len(a.Rewrite.Unpredicted) {
		s.Unsure = append(s.Unsure, fmt.Sprintf("%d places known only to the kernel", r.Unknown))
	}
	if r.Proven() {
		addChecked(s, r.String())
		return
	}
	for _, m := range slices.Concat(r.Mismatches, r.Lost) {
		s.Mismatches = append(s.Mismatches, m.String())
		if b, ok := blockOf(s, a, m); ok {
			markBlock(&s.Blocks[b], m.Text)
		}
		if m.Offset >= 0 && m.Offset < s.Image.Len {
			n := 1
			if in, err := disasm.Decode(a.Image.Code, m.Offset); err == nil {
				n = in.Len
			}
			markBytes(s.Image, m.Offset, min(n, s.Image.Len-m.Offset), m.Text)
		}
	}
	sortMarks(s.Image)
}

// addChecked adds a part that was found to agree.
func addChecked(s *render.Scene, what string) {
	if s.Checked != "" {
		s.Checked += ", "
	}
	s.Checked += what
}

// blockOf returns the block that a mismatch is about.
func blockOf(s *render.Scene, a *pipeline.Analysis, m verify.Mismatch) (int, bool) {
	if m.Source >= 0 {
		b, ok := a.Graph.BlockAt(m.Source)
		return int(b), ok && b != cfg.NoBlock
	}
	if m.PC >= 0 && int(m.PC) < len(a.Rewrite.Original) {
		if o := a.Rewrite.Original[m.PC]; o >= 0 {
			b, ok := a.Graph.BlockAt(o)
			return int(b), ok && b != cfg.NoBlock
		}
	}
	return blockAtByte(s.Image, m.Offset)
}

// blockAtByte returns the block that the byte of an image belongs to.
func blockAtByte(img *render.Image, off int) (int, bool) {
	i := sort.Search(len(img.Pieces), func(i int) bool { p := img.Pieces[i]; return p.Offset+p.Len > off })
	if off < 0 || i == len(img.Pieces) || img.Pieces[i].Kind != render.PieceBlock {
		return 0, false
	}
	return img.Pieces[i].Block, true
}

// markBlock marks a block and says why, with the first few reasons.
func markBlock(b *render.Block, why string) {
	b.Mark = render.MarkMismatch
	switch n := strings.Count(b.Why, "; "); {
	case b.Why == "":
		b.Why = why
	case n+1 < maxWhy && !strings.Contains(b.Why, why):
		b.Why += "; " + why
	}
}

func markBytes(img *render.Image, off, n int, text string) {
	img.Marks = append(img.Marks, render.ByteMark{Kind: render.BytesMismatch, Offset: off, Len: n, Text: text})
}

func sortMarks(img *render.Image) {
	slices.SortStableFunc(img.Marks, func(a, b render.ByteMark) int { return cmp.Compare(a.Offset, b.Offset) })
}

// AddSame says in the scene that a comparison found no difference, in words
// that follow the statement of the proof.
func AddSame(s *render.Scene, what string) {
	if s.Image != nil {
		addChecked(s, what)
	}
}

// AddKernelCode compares the analysis's image with the bytes that a kernel made of the same
// program, marks those that differ outside of relocation sites and their blocks, and adds the texts
// that a comparison found to the mismatches. If the lengths differ, only the first difference is
// marked, because the code after it has moved.
func AddKernelCode(s *render.Scene, a *pipeline.Analysis, kernel []byte, texts ...string) {
	if s.Image == nil {
		return
	}
	s.Mismatches = append(s.Mismatches, texts...)
	n := 0 // kernels do not show functions that the verifier adds
	for i, f := range a.Image.Funcs {
		if !a.Rewrite.Program.Funcs[i].Hidden {
			n = f.Offset + f.Len
		}
	}
	if len(kernel) == 0 {
		return
	}
	ours, theirs := bytes.Clone(a.Image.Code[:n]), bytes.Clone(kernel)
	for _, r := range a.Image.Relocs {
		for i := r.Offset; i < r.Offset+r.Size; i++ {
			if i < len(ours) && i < len(theirs) {
				ours[i], theirs[i] = 0, 0
			}
		}
	}
	for i := 0; i < min(n, len(theirs)); i++ {
		if ours[i] == theirs[i] {
			continue
		}
		from := i
		for i++; i < min(n, len(theirs)) && ours[i] != theirs[i]; i++ {
		}
		why := fmt.Sprintf("+%#x: % x here, % x in the kernel's code", from, clipBytes(a.Image.Code[from:i]),
			clipBytes(kernel[from:i]))
		if b, ok := blockAtByte(s.Image, from); ok {
			markBlock(&s.Blocks[b], why)
		}
		markBytes(s.Image, from, i-from, why)
		if n != len(kernel) {
			break
		}
	}
	sortMarks(s.Image)
}

func clipBytes(b []byte) []byte { return b[:min(len(b), 12)] }
