package render

import (
	"strings"

	"golang.org/x/text/width"

	"github.com/bpfcfg/bpfcfg/internal/visible"
)

// xmlText returns visible text with the characters that XML gives a meaning
// escaped, for content and for attributes in double quotes. All text of a
// drawing passes through here.
func xmlText(s string) string { return xmlEscaper.Replace(visible.Text(s)) }

var xmlEscaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&#39;")

// columns returns how many cells the text takes in a monospaced font.
func columns(s string) int {
	n := 0
	for _, r := range s {
		n += Cells(r)
	}
	return n
}

// Cells returns how many cells of a monospaced font a character of visible text
// takes: two for wide ones (Unicode Standard Annex 11), one for all others.
func Cells(r rune) int {
	if r < 0x1100 {
		return 1
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// clip cuts visible text to a number of cells, marking the cut with "…".
func clip(s string, cols int) (out string, cut bool) {
	if len(s) <= cols || columns(s) <= cols {
		return s, false
	}
	n := 0
	for i, r := range s {
		if n += Cells(r); n > cols-1 {
			return s[:i] + "…", true
		}
	}
	return s, false
}
