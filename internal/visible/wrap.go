package visible

import (
	"bytes"
	"io"
	"strings"
	"unicode/utf8"
)

// minWidth is the narrowest terminal that lines are broken for.
const minWidth = 20

// Wrapper breaks lines of text that are longer than a terminal is wide, at blanks. Continuation
// lines begin at the last column of the line if that is in its first half, else a little further in
// than the line. Words are not broken, nor are the escape sequences of colours, which have no
// width.
type Wrapper struct {
	w     io.Writer
	width int
	line  []byte // not complete yet
}

// NewWrapper returns a Wrapper for a terminal of so many columns.
func NewWrapper(w io.Writer, columns int) *Wrapper {
	return &Wrapper{w: w, width: max(columns, minWidth)}
}

// Write takes text; lines are written when they are complete.
func (t *Wrapper) Write(p []byte) (int, error) {
	t.line = append(t.line, p...)
	for {
		line, rest, ok := bytes.Cut(t.line, []byte("\n"))
		if !ok {
			return len(p), nil
		}
		if _, err := io.WriteString(t.w, breakLine(string(line), t.width)+"\n"); err != nil {
			return 0, err
		}
		t.line = rest
	}
}

// Flush writes the last line, which has no end.
func (t *Wrapper) Flush() error {
	line := t.line
	t.line = nil
	_, err := io.WriteString(t.w, breakLine(string(line), t.width))
	return err
}

// breakLine returns a line as several.
func breakLine(line string, width int) string {
	if columns(line) <= width {
		return line
	}
	hang := strings.Repeat(" ", hanging(line, width))
	var out strings.Builder
	at, words := 0, 0 // columns and words of the present line
	for i, word := range strings.SplitAfter(line, " ") {
		n := columns(strings.TrimRight(word, " "))
		if i > 0 && words > 0 && at+n > width {
			out.WriteString("\n" + hang)
			at, words = len(hang), 0
		}
		out.WriteString(word)
		at += columns(word)
		if n > 0 {
			words++
		}
	}
	lines := strings.Split(out.String(), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n")
}

// hanging returns the indentation of continuation lines: the last column in the first half of the
// line that two blanks precede.
func hanging(line string, width int) int {
	indent := len(line) - len(strings.TrimLeft(line, " "))
	hang := min(indent+2, width/2)
	for at := indent; ; {
		i := strings.Index(line[at:], "  ")
		if i < 0 {
			return hang
		}
		at += i
		at += len(line[at:]) - len(strings.TrimLeft(line[at:], " "))
		if n := columns(line[:at]); n <= width/2 {
			hang = n
		}
	}
}

// columns returns how many columns text takes: a character takes one, an escape sequence
// of colours none.
func columns(s string) int {
	n := 0
	for s != "" {
		if strings.HasPrefix(s, "\x1b[") {
			end := strings.IndexByte(s, 'm')
			if end < 0 {
				return n
			}
			s = s[end+1:]
			continue
		}
		_, size := utf8.DecodeRuneInString(s)
		s = s[size:]
		n++
	}
	return n
}
