// Package pdf writes drawings as PDF files of one page (ISO 32000-1): vector
// graphics, and text that can be selected and searched.
//
//	d := render.Paint(scene, layout, display.Light)
//	stats, err := pdf.Write(w, d)
//
// The fonts of package typeface are in the file, cut down to the letters that it has. There are no
// links, no outline and no tags for screen readers; an HTML page has all of these.
package pdf

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"

	"github.com/bpfcfg/bpfcfg/render/display"
)

// Stats holds remarkable properties of a file.
type Stats struct {
	Missing []rune // characters drawn as frames with their numbers, each once
}

// Sizes in points, 1/72 inch. A pixel is 1/96 inch, as in CSS.
const (
	pixel = 0.75
	// maxSide is the longest side of a page (ISO 32000-1, annex C). Beyond it the
	// page states a larger unit, and readers that ignore the unit show it smaller.
	maxSide = 14400
)

// Write writes a drawing as a PDF file. It fails when w does.
func Write(w io.Writer, d *display.Drawing) (Stats, error) {
	scale := min(pixel, maxSide/d.W, maxSide/d.H)
	wide, high := d.W*scale, d.H*scale
	f := &file{}
	f.add("<</Type/Catalog/Pages 2 0 R/ViewerPreferences<</DisplayDocTitle true>>>>") // 1
	f.add("<</Type/Pages/Count 1/Kids[3 0 R]>>")                                      // 2
	page := f.reserve()                                                               // 3
	info := f.add("<</Title" + textString(d.Title) + "/Producer(bpfcfg)>>")
	c := newContent(d, scale, high)
	c.paint()
	body := f.stream("", c.Bytes())
	user := ""
	if scale < pixel {
		user = "/UserUnit " + num(pixel/scale)
	}
	f.set(page, fmt.Sprintf("<</Type/Page/Parent 2 0 R/MediaBox[0 0 %s %s]%s/Contents %d 0 R/Resources<<%s>>"+
		"/Group<</S/Transparency/CS/DeviceRGB>>>>", num(wide), num(high), user, body, c.resources(f)))
	return Stats{c.missing()}, f.write(w, info)
}

// num writes a number with at most four decimals.
func num(f float64) string {
	s := strconv.FormatFloat(f, 'f', 4, 64)
	s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	if s == "-0" {
		return "0"
	}
	return s
}

// textString writes a text for readers, in UTF-16.
func textString(s string) string { return "<FEFF" + utf16Hex(s) + ">" }

func utf16Hex(s string) string {
	var b strings.Builder
	for _, u := range utf16.Encode([]rune(s)) {
		fmt.Fprintf(&b, "%04X", u)
	}
	return b.String()
}

// file is the objects of a PDF file.
type file struct{ objects [][]byte }

// add adds an object and returns its number.
func (f *file) add(body string) int {
	f.objects = append(f.objects, []byte(body))
	return len(f.objects)
}

// reserve returns the number of an object that set makes.
func (f *file) reserve() int           { return f.add("null") }
func (f *file) set(n int, body string) { f.objects[n-1] = []byte(body) }

// stream adds compressed data with more entries of its dictionary.
func (f *file) stream(entries string, data []byte) int {
	var z bytes.Buffer
	zw := zlib.NewWriter(&z)
	_, _ = zw.Write(data) // into memory
	zw.Close()
	head := fmt.Sprintf("<<%s/Filter/FlateDecode/Length %d>>stream\n", entries, z.Len())
	f.objects = append(f.objects, slices.Concat([]byte(head), z.Bytes(), []byte("\nendstream")))
	return len(f.objects)
}

// write writes the objects with the table of where they are.
func (f *file) write(w io.Writer, info int) error {
	var b bytes.Buffer
	b.WriteString("%PDF-1.6\n%\xe2\xe3\xcf\xd3\n")
	offsets := make([]int, len(f.objects))
	for i, o := range f.objects {
		offsets[i] = b.Len()
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	table := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(f.objects)+1)
	for _, o := range offsets {
		fmt.Fprintf(&b, "%010d 00000 n \n", o)
	}
	fmt.Fprintf(&b, "trailer\n<</Size %d/Root 1 0 R/Info %d 0 R>>\nstartxref\n%d\n%%%%EOF\n",
		len(f.objects)+1, info, table)
	_, err := w.Write(b.Bytes())
	return err
}
