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

// Text returns s with every character that does not print as itself on one
// line written as an escape: control and format characters (which include the
// bidirectional controls), line and paragraph separators, other invisible
// characters, and bytes that are not UTF-8. Printable text, including spaces
// and combining marks, is returned unchanged.
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
		case r < 0x80:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
		i += n
	}
	return b.String()
}

// clean reports whether Text has nothing to do.
func clean(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if !printable(r) {
			return false
		}
	}
	return true
}

// printable reports whether r prints as itself. Spaces other than U+0020 are
// not: a person cannot tell them apart.
func printable(r rune) bool { return r == ' ' || unicode.IsPrint(r) }

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
