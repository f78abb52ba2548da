package pdf

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"image"
	"image/png"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/image/font/sfnt"

	"github.com/bpfcfg/bpfcfg/internal/testing/rendertest"
	"github.com/bpfcfg/bpfcfg/render"
	"github.com/bpfcfg/bpfcfg/render/display"
	"github.com/bpfcfg/bpfcfg/render/raster"
	"github.com/bpfcfg/bpfcfg/render/typeface"
)

func drawing(t *testing.T, s *render.Scene) *display.Drawing {
	t.Helper()
	l, err := render.Place(s, render.PlaceOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return render.Paint(s, l, display.Light)
}

func write(t *testing.T, d *display.Drawing) []byte {
	t.Helper()
	var b bytes.Buffer
	if _, err := Write(&b, d); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestStructure reads the file as a reader does: from the end to the table of
// objects, each of which must begin where the table says; streams must unpack.
func TestStructure(t *testing.T) {
	for _, s := range rendertest.Samples() {
		structure(t, s.Name, write(t, drawing(t, s.Scene)))
	}
}

// structure reads a file, and returns its unpacked streams.
func structure(t *testing.T, name string, data []byte) (streams [][]byte) {
	t.Helper()
	m := regexp.MustCompile(`startxref\n(\d+)\n%%EOF\n$`).FindSubmatch(data)
	if m == nil {
		t.Fatalf("%s: no end", name)
	}
	at, _ := strconv.Atoi(string(m[1]))
	lines := strings.Split(string(data[at:]), "\n")
	var n int
	if _, err := fmt.Sscanf(lines[1], "0 %d", &n); err != nil || lines[0] != "xref" || n < 6 {
		t.Fatalf("%s: table %q", name, lines[:2])
	}
	for i := 1; i < n; i++ {
		off, err := strconv.Atoi(lines[2+i][:10])
		if want := fmt.Sprintf("%d 0 obj\n", i); err != nil || !bytes.HasPrefix(data[off:], []byte(want)) {
			t.Fatalf("%s: object %d is not at %q", name, i, lines[2+i])
		}
		if len(lines[2+i]) != 19 { // 20 with the line's end
			t.Fatalf("%s: entry %q", name, lines[2+i])
		}
		streams = append(streams, unpack(t, data[off:]))
	}
	return streams
}

// unpack returns the stream of an object, nil when it has none.
func unpack(t *testing.T, object []byte) []byte {
	t.Helper()
	object, _, _ = bytes.Cut(object, []byte("\nendobj\n"))
	_, packed, ok := bytes.Cut(object, []byte("/FlateDecode/Length "))
	if !ok {
		return nil
	}
	length, packed, _ := bytes.Cut(packed, []byte(">>stream\n"))
	n, err := strconv.Atoi(string(length))
	if err != nil {
		t.Fatal(err)
	}
	z, err := zlib.NewReader(bytes.NewReader(packed[:n]))
	if err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestSubset reads the cut-down fonts with a decoder that is not ours: letters in
// use have the outlines that they had, others none.
func TestSubset(t *testing.T) {
	for _, style := range []struct{ bold, italic bool }{{}, {bold: true}, {italic: true}} {
		face := typeface.New(style.bold, style.italic)
		whole, err := sfnt.Parse(face.Data())
		if err != nil {
			t.Fatal(err)
		}
		var glyphs []int
		for _, r := range "aé→Ǻ" { // é and Ǻ are composite
			glyphs = append(glyphs, face.Glyph(r).Index)
		}
		data := subset(face.Data(), glyphs)
		if len(data) > len(face.Data())/3 {
			t.Errorf("%d of %d bytes are left", len(data), len(face.Data()))
		}
		// The decoder wants tables that PDF readers do not.
		tables := map[string][]byte{}
		for _, file := range [][]byte{face.Data(), data} {
			for i := range int(file[5]) {
				rec := file[12+16*i:]
				off, n := be32(rec[8:]), be32(rec[12:])
				tables[string(rec[:4])] = file[off : off+n]
			}
		}
		part, err := sfnt.Parse(sfntFile(tables, []string{
			"OS/2", "cmap", "cvt ", "fpgm", "glyf", "head", "hhea", "hmtx", "loca", "maxp", "name", "post", "prep"}))
		if err != nil {
			t.Fatal(err)
		}
		var a, b sfnt.Buffer
		for _, g := range glyphs {
			want, err1 := whole.LoadGlyph(&a, sfnt.GlyphIndex(g), 2048<<6, nil)
			got, err2 := part.LoadGlyph(&b, sfnt.GlyphIndex(g), 2048<<6, nil)
			if err1 != nil || err2 != nil || fmt.Sprint(want) != fmt.Sprint(got) || len(want) == 0 {
				t.Errorf("glyph %d: %v, %v, outlines differ", g, err1, err2)
			}
		}
		if got, err := part.LoadGlyph(&b, sfnt.GlyphIndex(face.Glyph('z').Index), 2048<<6, nil); err != nil || len(got) > 0 {
			t.Errorf("z has %d steps, %v; nobody uses it", len(got), err)
		}
	}
}

func be32(b []byte) uint32 {
	return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
}

// TestAgainstRaster compares what Ghostscript makes of the file with our PNG of
// the same drawing: averages over squares of 8 pixels.
func TestAgainstRaster(t *testing.T) {
	if _, err := exec.LookPath("gs"); err != nil {
		t.Skip("gs (Ghostscript) is not installed: nothing to compare with")
	}
	scene := rendertest.Loops()
	scene.Blocks[1].Reachable = false // for a hatched one
	d := drawing(t, scene)
	dir := t.TempDir()
	in, out := filepath.Join(dir, "x.pdf"), filepath.Join(dir, "x.png")
	if err := os.WriteFile(in, write(t, d), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("gs", "-q", "-dSAFER", "-dNOPAUSE", "-dBATCH", "-sDEVICE=png16m", "-r96", "-dTextAlphaBits=4",
		"-dGraphicsAlphaBits=4", "-sOutputFile="+out, in)
	if text, err := cmd.CombinedOutput(); err != nil || len(text) > 0 {
		t.Fatalf("gs: %v\n%s", err, text)
	}
	var b bytes.Buffer
	if _, err := raster.PNG(t.Context(), &b, d, raster.Options{}); err != nil {
		t.Fatal(err)
	}
	ours, err := png.Decode(&b)
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	theirs, err := png.Decode(file)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := ours.Bounds(), theirs.Bounds(); a != b {
		t.Fatalf("size %v, Ghostscript has %v", a, b)
	}
	mean, most, where := compare(ours, theirs)
	t.Logf("mean difference %.3f, most %.1f at %v", mean, most, where)
	if mean > 1.5 || most > 45 {
		t.Errorf("mean difference %.2f of 255, at most %.1f around %v", mean, most, where)
	}
}

// compare returns the mean and the greatest difference of the green of squares.
func compare(a, b image.Image) (mean, most float64, where image.Point) {
	const side = 8
	n := 0
	for y := 0; y+side <= a.Bounds().Dy(); y += side {
		for x := 0; x+side <= a.Bounds().Dx(); x += side {
			sum := 0.0
			for i := range side * side {
				_, g, _, _ := a.At(x+i%side, y+i/side).RGBA()
				_, h, _, _ := b.At(x+i%side, y+i/side).RGBA()
				sum += float64(g) - float64(h)
			}
			d := math.Abs(sum) / 257 / side / side
			mean += d
			n++
			if d > most {
				most, where = d, image.Pt(x, y)
			}
		}
	}
	return mean / float64(n), most, where
}

// TestTextIsText extracts the text with Ghostscript.
func TestTextIsText(t *testing.T) {
	if _, err := exec.LookPath("gs"); err != nil {
		t.Skip("gs (Ghostscript) is not installed: nothing reads the text")
	}
	d := drawing(t, rendertest.Three())
	cmd := exec.Command("gs", "-q", "-dSAFER", "-dNOPAUSE", "-dBATCH", "-sDEVICE=txtwrite", "-sOutputFile=-", "-")
	cmd.Stdin = bytes.NewReader(write(t, d))
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, it := range d.Items {
		if it.Text == nil {
			continue
		}
		for _, r := range it.Text.Runs {
			for word := range strings.FieldsSeq(r.Text) {
				if word != "✓" && !strings.Contains(string(out), word) {
					t.Errorf("%q cannot be found", word)
				}
			}
		}
	}
}

// TestLarge checks that a page keeps within the longest side.
func TestLarge(t *testing.T) {
	data := write(t, &display.Drawing{W: 100, H: 40000})
	if !bytes.Contains(data, []byte("MediaBox[0 0 36 14400]/UserUnit 2.0833")) { // 40000·0.75/14400
		t.Errorf("the page is not cut down: %s", regexp.MustCompile(`/MediaBox[^>]*`).Find(data))
	}
}
