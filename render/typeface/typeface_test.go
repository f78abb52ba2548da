package typeface

import (
	"go/scanner"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSigns demands a glyph in every font for each character that our own code
// writes into pictures: all that stand in literals of the packages that make
// them.
func TestSigns(t *testing.T) {
	signs := map[rune]string{}
	for _, dir := range []string{"..", "../picture", "../../succ", "../../abstract", "../../cfg/bytecode", "../../jit"} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no files in %s: %v", dir, err)
		}
		for _, file := range files {
			if !strings.HasSuffix(file, "_test.go") {
				literals(t, file, signs)
			}
		}
	}
	if len(signs) < 3 {
		t.Fatalf("only %d signs found", len(signs))
	}
	for _, style := range []struct{ bold, italic bool }{{}, {bold: true}, {italic: true}} {
		f := New(style.bold, style.italic)
		for r, file := range signs {
			if !f.Glyph(r).Known {
				t.Errorf("%c (%U) of %s is not in the font %+v and not in signs.go", r, r, file, style)
			}
		}
	}
}

// literals collects the characters beyond ASCII in the literals of a file.
func literals(t *testing.T, file string, signs map[rune]string) {
	src, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	fset := token.NewFileSet()
	var s scanner.Scanner
	s.Init(fset.AddFile(file, fset.Base(), len(src)), src, nil, 0)
	for {
		_, tok, lit := s.Scan()
		if tok == token.EOF {
			return
		}
		if tok == token.STRING || tok == token.CHAR {
			for _, r := range lit {
				if r > 0x7e {
					signs[r] = file
				}
			}
		}
	}
}

// TestMissing checks that what the font lacks has a frame as wide as its place.
func TestMissing(t *testing.T) {
	f := New(false, false)
	for _, c := range []struct {
		r     rune
		cells int
	}{{'漢', 2}, {'ש', 1}, {'😀', 2}} {
		g := f.Glyph(c.r)
		lo, hi := g.Path.Bounds()
		if g.Known || g.Cells != c.cells || lo.X < 0 || hi.X > Advance*float64(c.cells) || hi.X < 0.4*float64(c.cells) {
			t.Errorf("%c: index %d, %d cells, from %v to %v", c.r, g.Index, g.Cells, lo, hi)
		}
	}
	if g := f.Glyph('A'); !g.Known || len(g.Path.Ops) < 4 {
		t.Errorf("A: %+v", g)
	}
	if g := f.Glyph(' '); !g.Known || len(g.Path.Ops) != 0 { // nothing that could be closed
		t.Errorf("blank: %+v", g)
	}
}
