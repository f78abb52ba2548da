package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/bpfcfg/bpfcfg/internal/visible"
)

// terminal returns the file behind a stream when it is a terminal, else nil.
func terminal(w io.Writer) *os.File {
	switch s := w.(type) {
	case *sink:
		return terminal(s.w)
	case *console:
		return terminal(s.w)
	case *os.File:
		if term.IsTerminal(int(s.Fd())) {
			return s
		}
	}
	return nil
}

// coloured reports whether text on w has colours: by --color, else if w is a terminal and the user
// did not disable colours (https://no-color.org).
func coloured(w io.Writer) bool {
	if s, ok := w.(*sink); ok && (s.colour == "always" || s.colour == "never") {
		return s.colour == "always"
	}
	return os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && terminal(w) != nil
}

// console is standard error: messages, and on a terminal a last line with the progress of
// long work. A message replaces that line.
type console struct {
	w    io.Writer
	live bool // w is a terminal that can erase a line

	mu      sync.Mutex
	line    string    // to be shown; "" without work
	started time.Time // when there was a line first
	shown   string    // on the terminal
	timer   *time.Timer
}

// newConsole returns the console on w.
func newConsole(w io.Writer) *console {
	return &console{w: w, live: terminal(w) != nil && os.Getenv("TERM") != "dumb"}
}

// Write writes a message.
func (c *console) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.erase()
	return c.w.Write(p)
}

// The line appears when work takes longer than patience, and changes at most
// once in each interval: terminals over a network are slow.
const (
	patience = 500 * time.Millisecond
	interval = 100 * time.Millisecond
)

// step reports the progress of the work. It returns at once.
func (c *console) step(line string) {
	if !c.live {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.line = line
	if c.timer == nil {
		c.started = time.Now()
		c.timer = time.AfterFunc(patience, c.tick)
	}
}

// tick writes the line, and again as long as the work goes on.
func (c *console) tick() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timer == nil {
		return
	}
	c.timer.Reset(interval)
	line := c.line
	if s := time.Since(c.started) / time.Second; s >= 3 {
		line += fmt.Sprintf("  %d s", s)
	}
	if line != c.shown {
		fmt.Fprintf(c.w, "\r\x1b[K%s", clipLine(line, terminalWidth(c.w)-1))
		c.shown = line
	}
}

// clear erases the line when the work is done.
func (c *console) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timer != nil {
		c.timer.Stop()
		c.timer = nil
	}
	c.erase()
}

func (c *console) erase() {
	if c.shown != "" {
		fmt.Fprint(c.w, "\r\x1b[K")
		c.shown = ""
	}
}

// clipLine cuts a line to a number of characters.
func clipLine(s string, most int) string {
	n := 0
	for i := range s {
		if n++; n > most {
			return s[:i]
		}
	}
	return s
}

// terminalWidth returns the columns of a terminal, 80 when it does not say.
func terminalWidth(w io.Writer) int {
	if f := terminal(w); f != nil {
		if cols, _, err := term.GetSize(int(f.Fd())); err == nil && cols > 0 {
			return cols
		}
	}
	return 80
}

// progress shows how far long work has come, on a terminal only.
func progress(w io.Writer, done, of int, what string) {
	if c, ok := w.(*console); ok {
		line := "analysing " + visible.Text(what)
		if of > 1 {
			line = fmt.Sprintf("%d of %d  %s", done+1, of, visible.Text(what))
		}
		c.step(line)
	}
}

// progressDone erases the progress line.
func progressDone(w io.Writer) {
	if c, ok := w.(*console); ok {
		c.clear()
	}
}

// sink is standard output. It keeps the first error of writing, so that callers need
// not check each write, and a full disk is never a success.
type sink struct {
	colour string // of --color
	w      io.Writer
	err    error
	lines  *visible.Wrapper // breaks long lines on a terminal; nil if no line is to be broken
	// console shares the terminal: its line is erased before output.
	console *console
}

// Write writes, or fails as it did before.
func (s *sink) Write(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	s.console.clear()
	if s.lines != nil {
		_, s.err = s.lines.Write(p)
		return len(p), s.err
	}
	n, err := s.w.Write(p)
	s.err = err
	return n, err
}

// wrap breaks the lines that are written from now on, on a terminal.
func (s *sink) wrap() {
	if terminal(s.w) != nil {
		s.lines = visible.NewWrapper(s.w, textWidth(s.w, os.Getenv))
	}
}

// flush writes the rest of the last line.
func (s *sink) flush() {
	if s.lines != nil && s.err == nil {
		s.err = s.lines.Flush()
	}
}

// maxWidth is the most columns that a user may ask for.
const maxWidth = 10_000

// textWidth returns the columns of a terminal: from COLUMNS, else from the terminal; 0 if w is no
// terminal and there is no COLUMNS.
func textWidth(w io.Writer, env func(string) string) int {
	if n, err := strconv.Atoi(env("COLUMNS")); err == nil && n > 0 && n <= maxWidth {
		return n
	}
	if terminal(w) == nil {
		return 0
	}
	return terminalWidth(w)
}

// writeError returns why standard output can no longer be written, nil if it can.
func writeError(w io.Writer) error {
	if s, ok := w.(*sink); ok {
		return s.err
	}
	return nil
}

// progressText shows the current work on a terminal.
func progressText(w io.Writer, text string) {
	if c, ok := w.(*console); ok {
		c.step(visible.Text(text))
	}
}
