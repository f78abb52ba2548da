package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const root = "../.."

// TestSmall draws the small programs, reads the pictures as XML, and compares
// them with those in the documents.
func TestSmall(t *testing.T) {
	for _, p := range small() {
		s, err := p.scene(root)
		if err != nil {
			t.Fatal(err)
		}
		svg, err := drawSVG(s)
		if err != nil {
			t.Fatal(err)
		}
		for d := xml.NewDecoder(bytes.NewReader(svg)); ; {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", p.title(), err)
			}
		}
		same(t, p.title()+".svg", svg)
	}
}

// TestLarge draws the large programs and compares the pictures.
func TestLarge(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	for _, p := range large() {
		s, err := p.scene(root)
		if err != nil {
			t.Fatal(err)
		}
		data, err := drawPNG(s)
		if err != nil {
			t.Fatal(err)
		}
		m, err := png.DecodeConfig(bytes.NewReader(data))
		if err != nil || m.Width > pngWidth || m.Height > pngHeight || m.Width < 200 {
			t.Errorf("%s is %d by %d pixels: %v", p.title(), m.Width, m.Height, err)
		}
		same(t, p.title()+".png", data)
	}
}

// same compares a picture with the one in the documents.
func same(t *testing.T, name string, want []byte) {
	t.Helper()
	have, err := os.ReadFile(filepath.Join(root, "docs", "gallery", name))
	if err != nil || !bytes.Equal(have, want) {
		t.Errorf("docs/gallery/%s is another picture (%v): run go -C tools run ./gallery", name, err)
	}
}

// TestDocument checks that the document shows every picture there is, and that
// none lies about unseen.
func TestDocument(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root, "docs", "gallery.md"))
	if err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(filepath.Join(root, "docs", "gallery"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !strings.Contains(string(page), "(gallery/"+f.Name()+")") {
			t.Errorf("docs/gallery.md does not show %s", f.Name())
		}
	}
	if want := len(small()) + len(large()) + len(shots()); len(files) != want {
		t.Errorf("docs/gallery holds %d files, the command writes %d", len(files), want)
	}
	for _, p := range append(small(), large()...) {
		if !strings.Contains(string(page), p.text) {
			t.Errorf("docs/gallery.md does not tell of %s", p.title())
		}
	}
}
