package render

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// payloads writes the data blocks of a page's program: elements with an id, which
// the script reads when it needs them. All but small ones are compressed by gzip, in
// base64, which every browser since 2023 unpacks by itself: a page has a fifth of
// the bytes, and the browser unpacks none that it does not show.
type payloads struct {
	strings.Builder
	program int
	texts   *texts // of the page
	facts   []int  // number in texts of each of the facts, 0 if not yet known
	packer  *packer
}

// packedFrom is the number of bytes from which a payload is compressed.
const packedFrom = 4000

// addBytes writes a payload named by kind and, from 0, number: the parts, one after the
// other.
func (p *payloads) addBytes(kind string, number int, parts ...[]byte) {
	fmt.Fprintf(p, "<script type=\"text/plain\" id=\"%s%d-%d\">", kind, p.program, number)
	p.Write(p.packer.pack(parts...))
	p.WriteString("</script>\n")
}

// packLevel is that of gzip: the best one makes a page smaller by a fiftieth, and takes
// three times as long.
const packLevel = 3

// addNumbers writes a payload of numbers, or one that ends in them.
func (p *payloads) addNumbers(kind string, number int, n numbers, head ...[]byte) {
	p.addBytes(kind, number, append(head, n.out)...)
	p.packer.spare = n.out
}

// numbers starts a list of numbers in the memory of the last list, which must be finished.
func (p *payloads) numbers() numbers { return numbers{p.packer.spare[:0]} }

// table returns an empty table in the memory of the last one, for n numbers.
func (p *payloads) table(n int) []int {
	p.packer.table = slices.Grow(p.packer.table[:0], n)
	return p.packer.table
}

// packer compresses the texts of a page, one after the other: its tables have a megabyte.
type packer struct {
	spare  []byte // of numbers that are written
	table  []int
	out    bytes.Buffer
	text   []byte // out in base64
	writer *gzip.Writer
}

// pack compresses the parts of a text. The answer is good until the next one.
func (k *packer) pack(parts ...[]byte) []byte {
	k.out.Reset()
	var err error
	if k.writer == nil {
		k.writer, err = gzip.NewWriterLevel(&k.out, packLevel)
	} else {
		k.writer.Reset(&k.out)
	}
	for _, part := range parts {
		if err == nil {
			_, err = k.writer.Write(part)
		}
	}
	if err == nil {
		err = k.writer.Close()
	}
	if err != nil {
		panic("bug: writing to memory fails: " + err.Error())
	}
	k.text = base64.StdEncoding.AppendEncode(k.text[:0], k.out.Bytes())
	return k.text
}

// addJSON writes a value. A short one is not compressed.
func (p *payloads) addJSON(kind string, number int, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if len(text) >= packedFrom {
		p.addBytes(kind, number, text)
		return nil
	}
	// JSON has no "<": it is escaped.
	fmt.Fprintf(p, "<script type=\"application/json\" id=\"%s%d-%d\">%s</script>\n", kind, p.program, number, text)
	return nil
}

// addProgram writes all payloads of a program. The drawing is among them unless the
// program is small and the first: then the caller puts it into the document.
func (p *payloads) addProgram(page Page, key string) error {
	s, l := page.Scene, page.Placement
	d := newPageData(s, l, key)
	d.Windowed, d.Chunk = windowed(s), pageChunk
	if d.Windowed {
		d.Far = newFarData(s, l)
		p.addDrawing(s, l)
	} else if p.program > 0 {
		p.addWhole(s, l)
	}
	var err error
	if d.Folds, err = p.addOverview(s, l); err != nil {
		return err
	}
	if err := p.addJSON("data", 0, d); err != nil {
		return err
	}
	p.addLines(s)
	if len(s.Code) > 0 {
		p.addCode(s)
	}
	for i := 0; i*pageChunk < len(s.Blocks); i++ {
		lo, hi := i*pageChunk, min(len(s.Blocks), (i+1)*pageChunk)
		if s.Facts != nil {
			p.addFacts(s, i, lo, hi)
		}
		if !slices.ContainsFunc(s.Blocks[lo:hi], func(b Block) bool { return b.Details != nil }) {
			continue
		}
		if err := p.addJSON("details", i, newPageDetails(s, lo, hi)); err != nil {
			return err
		}
	}
	return nil
}
