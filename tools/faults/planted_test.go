package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPlanted checks that each planted fault still has its place in the source, which moves
// with every change of the analysis.
func TestPlanted(t *testing.T) {
	for _, p := range planted {
		text, err := os.ReadFile(filepath.Join("..", "..", p.file))
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(text), p.was); n != 1 {
			t.Errorf("%s: %q is there %d times, want once", p.file, p.was, n)
		}
	}
}
