package render

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
)

// payloads writes the data blocks of a page's program: elements with an id,
// which the script reads when it needs them. Packed ones are text compressed by
// gzip, in base64, which every browser since 2023 unpacks by itself: a page of
// 10,000 blocks has a fifth of the bytes, and the browser reads none that it
// does not show.
type payloads struct {
	strings.Builder
	program int
	packed  bool
}

// add writes a payload named by kind and, from 0, number.
func (p *payloads) add(kind string, number int, text []byte) {
	if !p.packed {
		// Plain ones are JSON, which has no "<": it is escaped.
		fmt.Fprintf(p, "<script type=\"application/json\" id=\"%s%d-%d\">%s</script>\n", kind, p.program, number, text)
		return
	}
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	_, err := w.Write(text)
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		panic("bug: writing to memory fails: " + err.Error())
	}
	fmt.Fprintf(p, "<script type=\"text/plain\" id=\"%s%d-%d\">%s</script>\n", kind, p.program, number,
		base64.StdEncoding.EncodeToString(z.Bytes()))
}

// addJSON writes a value.
func (p *payloads) addJSON(kind string, number int, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	p.add(kind, number, text)
	return nil
}

// addLines writes texts without line ends, n to a payload.
func (p *payloads) addLines(kind string, texts []string, n int) {
	for i := 0; i*n < len(texts); i++ {
		p.add(kind, i, []byte(strings.Join(texts[i*n:min(len(texts), (i+1)*n)], "\n")))
	}
}

// addProgram writes all payloads of a program. The drawing is among them when
// the program is windowed; else the caller puts it into the document.
func (p *payloads) addProgram(page Page, key string) error {
	s, l := page.Scene, page.Layout
	d := newPageData(s, l, key)
	d.Windowed = windowed(s)
	p.packed = d.Windowed
	chunk := max(1, len(s.Blocks))
	if d.Windowed {
		d.Far = newFarData(s, l)
		chunk = d.Far.Chunk
		parts := newFarParts(s, l)
		if err := p.addJSON("frame", 0, []string{parts.under, parts.over}); err != nil {
			return err
		}
		p.addLines("draw", parts.blocks, chunk)
		p.addLines("table", parts.tables, chunk)
	}
	if err := p.addJSON("data", 0, d); err != nil {
		return err
	}
	if err := p.addJSON("lines", 0, newPageLines(s)); err != nil {
		return err
	}
	for i := 0; i*chunk < len(s.Blocks); i++ {
		lo, hi := i*chunk, min(len(s.Blocks), (i+1)*chunk)
		if err := p.addJSON("details", i, newPageDetails(s, lo, hi)); err != nil {
			return err
		}
	}
	return nil
}
