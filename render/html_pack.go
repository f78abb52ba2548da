package render

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
)

// payloads writes the data blocks of a page's program: elements with an id, which
// the script reads when it needs them. All but small ones are compressed by gzip, in
// base64, which every browser since 2023 unpacks by itself: a page has a fifth of
// the bytes, and the browser unpacks none that it does not show.
type payloads struct {
	strings.Builder
	program int
}

// packedFrom is the number of bytes from which a payload is compressed.
const packedFrom = 4000

// add writes a payload named by kind and, from 0, number. Text that is not JSON is
// always compressed: it may hold what ends a script.
func (p *payloads) add(kind string, number int, text []byte, isJSON bool) {
	if isJSON && len(text) < packedFrom {
		// JSON has no "<": it is escaped.
		fmt.Fprintf(p, "<script type=\"application/json\" id=\"%s%d-%d\">%s</script>\n", kind, p.program, number, text)
		return
	}
	fmt.Fprintf(p, "<script type=\"text/plain\" id=\"%s%d-%d\">%s</script>\n", kind, p.program, number, pack(text))
}

// pack compresses a text.
func pack(text []byte) string {
	var z bytes.Buffer
	w, err := gzip.NewWriterLevel(&z, gzip.BestCompression)
	if err == nil {
		_, err = w.Write(text)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		panic("bug: writing to memory fails: " + err.Error())
	}
	return base64.StdEncoding.EncodeToString(z.Bytes())
}

// addJSON writes a value.
func (p *payloads) addJSON(kind string, number int, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	p.add(kind, number, text, true)
	return nil
}

// addLines writes texts without line ends, n to a payload.
func (p *payloads) addLines(kind string, texts []string, n int) {
	for i := 0; i*n < len(texts); i++ {
		p.add(kind, i, []byte(strings.Join(texts[i*n:min(len(texts), (i+1)*n)], "\n")), false)
	}
}

// addProgram writes all payloads of a program. The drawing is among them unless the
// program is small and the first: then the caller puts it into the document.
func (p *payloads) addProgram(page Page, key string) error {
	s, l := page.Scene, page.Layout
	d := newPageData(s, l, key)
	d.Windowed, d.Chunk = windowed(s), pageChunk
	chunk := d.Chunk
	if d.Windowed {
		d.Far = newFarData(s, l)
		parts := newFarParts(s, l)
		if err := p.addJSON("frame", 0, []string{parts.under, parts.over}); err != nil {
			return err
		}
		p.addLines("draw", parts.blocks, chunk)
		p.addLines("table", parts.tables, chunk)
	}
	if !d.Windowed && p.program > 0 {
		p.add("svg", 0, pageSVG(s, l), false)
	}
	if err := p.addJSON("data", 0, d); err != nil {
		return err
	}
	if err := p.addJSON("lines", 0, newPageLines(s)); err != nil {
		return err
	}
	if len(s.Code) > 0 {
		if err := p.addJSON("code", 0, newPageCode(s)); err != nil {
			return err
		}
	}
	for i := 0; i*chunk < len(s.Blocks); i++ {
		lo, hi := i*chunk, min(len(s.Blocks), (i+1)*chunk)
		if err := p.addJSON("details", i, newPageDetails(s, lo, hi)); err != nil {
			return err
		}
	}
	return nil
}
