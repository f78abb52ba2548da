package visible

import (
	"fmt"
	"io"
	"unicode/utf16"
	"unicode/utf8"
)

// JSON returns a JSON document in which every character that does not print as
// itself is written as \uXXXX, so that it is safe on a terminal: encoding/json
// escapes the first 32 characters only, and lets U+009B and the bidirectional
// controls through. The document means the same. It must be UTF-8, as
// encoding/json writes it; line breaks and tabs between values stay.
func JSON(doc []byte) []byte {
	from := 0 // first byte not yet copied
	var out []byte
	for i := 0; i < len(doc); {
		if c := doc[i]; c < 0x7f {
			i++
			continue
		}
		r, n := utf8.DecodeRune(doc[i:])
		if !printable(r) {
			out = append(out, doc[from:i]...)
			if a, b := utf16.EncodeRune(r); a != utf8.RuneError {
				out = fmt.Appendf(out, `\u%04x\u%04x`, a, b)
			} else {
				out = fmt.Appendf(out, `\u%04x`, r)
			}
			from = i + n
		}
		i += n
	}
	if out == nil {
		return doc
	}
	return append(out, doc[from:]...)
}

// JSONWriter returns a writer that applies JSON to whole documents: each Write
// is one, as a json.Encoder makes them.
func JSONWriter(w io.Writer) io.Writer { return jsonWriter{w} }

type jsonWriter struct{ w io.Writer }

// Write implements io.Writer.
func (j jsonWriter) Write(doc []byte) (int, error) {
	if _, err := j.w.Write(JSON(doc)); err != nil {
		return 0, err
	}
	return len(doc), nil
}
