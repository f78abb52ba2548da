package browser

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/internal/testing/rendertest"
	"github.com/bpfcfg/bpfcfg/render"
)

// marked is a program with every kind of mark.
func marked() *render.Scene {
	s := rendertest.Funcs()
	s.Title = "marked"
	s.Blocks[1].Mark, s.Blocks[1].Why = render.MarkChanged, "count(ctx) was count(NULL)"
	s.Blocks[1].Lines[0].Mark = render.MarkAdded
	s.Blocks[2].Mark = render.MarkMismatch
	for _, p := range s.Image.Pieces {
		if p.Kind == render.PieceBlock && p.Block == 4 {
			s.Image.Marks = append(s.Image.Marks, render.ByteMark{Kind: render.BytesMismatch, Offset: p.Offset, Len: 1})
		}
	}
	return s
}

// TestSearchFor compares what searches find with the scene.
func TestSearchFor(t *testing.T) {
	s := marked()
	b := open(t, page(t, s))
	blocks := func(ok func(*render.Block) bool) (out []string) {
		for i := range s.Blocks {
			if ok(&s.Blocks[i]) {
				out = append(out, fmt.Sprintf("b%d", i))
			}
		}
		return out
	}
	has := func(text string) []string {
		return blocks(func(b *render.Block) bool {
			return slices.ContainsFunc(b.Lines, func(l render.Line) bool {
				return strings.Contains(l.Text, text) || strings.Contains(l.Source, text)
			})
		})
	}
	var piece render.Piece
	for _, p := range s.Image.Pieces {
		if p.Kind == render.PieceBlock && p.Block == 3 {
			piece = p
		}
	}
	for _, c := range []struct {
		query string
		want  []string
	}{
		{"is:dead", blocks(func(b *render.Block) bool { return !b.Reachable })},
		{"is:entry", blocks(func(b *render.Block) bool { return b.Entry })},
		{"IS:EXIT", blocks(func(b *render.Block) bool { return b.Exit })},
		{"is:entry is:dead", blocks(func(b *render.Block) bool { return b.Entry && !b.Reachable })},
		{"is:indirect", blocks(func(b *render.Block) bool { return b.Status != "" })},
		{"is:unresolved", blocks(func(b *render.Block) bool { return b.Status == "unresolved" })},
		{"is:changed", []string{"b1"}},
		{"is:marked", []string{"b1", "b2"}},
		{"is:mismatch", []string{"b2", "b4"}}, // by its mark, by its bytes
		{"is:loop", nil},
		{"bpf_tail_call", has("bpf_tail_call")},
		{"map[jmp_table]", has("map[jmp_table]")},
		{"struct iphdr", has("struct iphdr")},
		{"is:exit r0 = 7", has("r0 = 7")},
		{fmt.Sprintf("insn:%d", s.Blocks[3].Lines[0].Slot), []string{"b3"}},
		{fmt.Sprintf("+0x%x", piece.Offset+piece.Len-1), []string{"b3"}},
		{"insn:99999", nil},
		{"+0xffffff", nil},
		{"no such text", nil},
		{"is:nonsense", nil},
		{"is:constructor", nil},
		{"insn:x", nil},
		{`\ ( [ * $&`, nil},
	} {
		b.search(c.query)
		got := eval[[]string](b, `[...document.querySelectorAll("#picture .hit")].map((e) => e.id)`)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s finds %v, want %v", c.query, got, c.want)
		}
		text := eval[string](b, `document.getElementById("count").textContent`)
		if unknown := strings.HasSuffix(text, ": unknown"); unknown != (strings.Contains(c.query, "nonsense") ||
			strings.Contains(c.query, "constructor") || c.query == "insn:x") {
			t.Errorf("%s: the page says %q", c.query, text)
		}
	}
	b.hash("#b1")
	want(b, panel+`.querySelector(".state").textContent`, "changed")
	want(b, panel+`.querySelector(".why").textContent`, "count(ctx) was count(NULL)")
	want(b, panel+`.querySelectorAll(".added").length`, 1)
	b.hash("#b4")
	want(b, panel+`.querySelector(".bad").textContent.endsWith("1 byte")`, true)
	want(b, `document.querySelectorAll("#picture .chosen").length`, 1)
	b.shot("marked")
}

// TestSearchLarge compares what a search finds in a program that is not in the
// document.
func TestSearchLarge(t *testing.T) {
	s := windowed()
	loops, text := 0, 0
	for _, blk := range s.Blocks {
		if blk.LoopDepth > 0 {
			loops++
		}
		if slices.ContainsFunc(blk.Lines, func(l render.Line) bool { return strings.Contains(l.Text, "bpf_map_lookup") }) {
			text++
		}
	}
	b := open(t, page(t, s))
	b.search("is:loop")
	want(b, `document.getElementById("count").textContent`, fmt.Sprintf("%d blocks", loops))
	b.search("bpf_map_lookup")
	want(b, `document.getElementById("count").textContent`, fmt.Sprintf("%d blocks", text))
	b.keys("\r\r\r")
	want(b, `document.getElementById("count").textContent`, fmt.Sprintf("3 of %d blocks", text))
	want(b, chosen+` !== ""`, true)
	// The block of the name comes before those that speak of it.
	b.search("b70")
	b.keys("\r")
	want(b, chosen, "b70")
}

// manyMarked is a program whose blocks all have a mark and no name.
func manyMarked(mark string) *render.Scene {
	s := rendertest.Random(700, 3)
	for i := range s.Blocks {
		s.Blocks[i].Mark = mark
	}
	return s
}
