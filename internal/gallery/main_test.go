package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const root = "../.."

// TestDraw draws every program of the gallery and reads the pictures as XML.
func TestDraw(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root, "docs", "gallery.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range programs() {
		svg, blocks, err := p.draw(root)
		if err != nil || blocks == 0 {
			t.Errorf("%s %s: %d blocks, %v", p.object, p.program, blocks, err)
			continue
		}
		for d := xml.NewDecoder(bytes.NewReader(svg)); ; {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", p.object, err)
			}
		}
		if !strings.Contains(string(page), p.text) {
			t.Errorf("docs/gallery.md does not show %s: run go run ./internal/gallery", p.object)
		}
	}
}
