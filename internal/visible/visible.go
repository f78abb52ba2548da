// Package visible makes text from files safe to print.
//
// Names in an object file are whatever its author chose: they may hold terminal
// escape sequences, line breaks, bidirectional controls that reorder what a
// person reads, or bytes that are no UTF-8 at all.
//
//	visible.Text("a\x1b[31mb") // a\x1b[31mb with the escape character spelt out
//
// The result is still plain text: formats such as XML have characters of their
// own to escape on top.
package visible

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Text returns s with everything that a reader would not see, or see in the wrong
// place, written as an escape: control characters and line ends (\n, \x1b), invisible,
// bidirectional and combining characters and right-to-left letters (\u{202e}), bytes
// that are no UTF-8 (\xff). What is left has one or two cells for each character, in
// reading order, and is legal in XML.
func Text(s string) string {
	if clean(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case printable(r):
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\r':
			b.WriteString(`\r`)
		case r < 0x100:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			fmt.Fprintf(&b, `\u{%x}`, r)
		}
		i += n
	}
	return b.String()
}

// clean reports whether Text has nothing to do.
func clean(s string) bool {
	for _, r := range s {
		if !printable(r) {
			return false
		}
	}
	return true
}

// printable reports whether r shows as itself. Spaces other than U+0020 do not: a
// person cannot distinguish them; right-to-left letters would reorder their neighbours.
func printable(r rune) bool {
	if r < utf8.RuneSelf {
		return r >= ' ' && r != 0x7f
	}
	return r != utf8.RuneError && unicode.IsPrint(r) && !unicode.In(r, unicode.Mn, unicode.Me) && !rightToLeft(r)
}

// rightToLeft reports whether the character belongs to a block of right-to-left
// scripts (Unicode, DerivedBidiClass: classes R and AL).
func rightToLeft(r rune) bool {
	return r >= 0x590 && r <= 0x8ff || r >= 0xfb1d && r <= 0xfdff || r >= 0xfe70 && r <= 0xfeff ||
		r >= 0x10800 && r <= 0x10fff || r >= 0x1e800 && r <= 0x1efff
}

// FileName returns s as a name that is safe as one element of a file path: only
// letters, digits, '.', '_' and '-' remain, others become '_', a leading dot
// is replaced, and the length is limited to 100 bytes. Names of devices in
// Windows (CON, COM1.txt) get a '_' in front.
func FileName(s string) string {
	const limit = 100
	b := make([]byte, 0, min(len(s), limit))
	for i := 0; i < len(s) && len(b) < limit; i++ {
		c := s[i]
		ok := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' || c == '.'
		if !ok || c == '.' && len(b) == 0 {
			c = '_'
		}
		b = append(b, c)
	}
	if len(b) == 0 {
		return "_"
	}
	if name := string(b); !device(name) {
		return name
	}
	return "_" + string(b)
}

// device reports whether a file name stands for a device in Windows, where what
// follows the first dot does not count.
func device(name string) bool {
	stem, _, _ := strings.Cut(strings.ToLower(name), ".")
	switch stem {
	case "con", "prn", "aux", "nul":
		return true
	}
	numbered := strings.HasPrefix(stem, "com") || strings.HasPrefix(stem, "lpt")
	return numbered && len(stem) == 4 && stem[3] >= '0' && stem[3] <= '9'
}
