package render

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/width"
)

// Visible returns the text with everything that a reader would not see, or see
// in the wrong place, written as an escape: control characters and line ends
// (\n, \x1b), invisible, bidirectional and combining characters (\u{202e}),
// bytes that are no UTF-8 (\xff). What is left has one or two cells for each
// character, in reading order, and is legal in XML.
func Visible(s string) string {
	plain := true
	for _, r := range s {
		plain = plain && seen(r)
	}
	if plain {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			b.WriteString(`\x` + hex(rune(s[i]), 2))
		case seen(r):
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\r':
			b.WriteString(`\r`)
		case r < 0x100:
			b.WriteString(`\x` + hex(r, 2))
		default:
			b.WriteString(`\u{` + hex(r, 1) + `}`)
		}
		i += n
	}
	return b.String()
}

// seen reports whether the character shows as itself. Right-to-left letters do
// but would reorder their neighbours.
func seen(r rune) bool {
	if r < utf8.RuneSelf {
		return r >= ' ' && r != 0x7f
	}
	return r != utf8.RuneError && unicode.IsPrint(r) && !unicode.In(r, unicode.Mn, unicode.Me) && !rightToLeft(r)
}

// rightToLeft reports whether the character belongs to a block of
// right-to-left scripts (Unicode, DerivedBidiClass: classes R and AL).
func rightToLeft(r rune) bool {
	return r >= 0x590 && r <= 0x8ff || r >= 0xfb1d && r <= 0xfdff || r >= 0xfe70 && r <= 0xfeff ||
		r >= 0x10800 && r <= 0x10fff || r >= 0x1e800 && r <= 0x1efff
}

func hex(r rune, digits int) string {
	h := strconv.FormatInt(int64(r), 16)
	return strings.Repeat("0", max(0, digits-len(h))) + h
}

// xmlText returns Visible text with the characters that XML gives a meaning
// escaped, for content and for attributes in double quotes. All text of a
// drawing passes through here.
func xmlText(s string) string { return xmlEscaper.Replace(Visible(s)) }

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
