package main

import (
	"fmt"
	"io"
	"os"
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

// coloured reports whether w is a terminal and the user did not ask for no
// colour (https://no-color.org).
func coloured(w io.Writer) bool {
	return os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && terminal(w) != nil
}

// console is standard error: messages, and on a terminal a last line that
// says how far long work has come. A message takes that line's place.
type console struct {
	w   io.Writer
	now func() time.Time

	mu      sync.Mutex
	live    bool      // w is a terminal that can take a line away
	started time.Time // of the work at hand
	drawn   time.Time // when the line was last written
	shown   bool      // the line is there
}

// newConsole returns the console on w.
func newConsole(w io.Writer) *console {
	return &console{w: w, now: time.Now, live: terminal(w) != nil && os.Getenv("TERM") != "dumb"}
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
	patience = 300 * time.Millisecond
	interval = 100 * time.Millisecond
)

// step tells how far the work has come.
func (c *console) step(line string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.live {
		return
	}
	now := c.now()
	if c.started.IsZero() {
		c.started = now
	}
	if now.Sub(c.started) < patience || now.Sub(c.drawn) < interval {
		return
	}
	c.drawn, c.shown = now, true
	fmt.Fprintf(c.w, "\r\x1b[K%s", clipLine(line, terminalWidth(c.w)-1))
}

// clear takes the line away: the work is done.
func (c *console) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.erase()
	c.started = time.Time{}
}

func (c *console) erase() {
	if c.shown {
		fmt.Fprint(c.w, "\r\x1b[K")
		c.shown = false
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
		c.step(fmt.Sprintf("%d of %d  %s", done+1, of, visible.Text(what)))
	}
}

// progressDone takes the progress line away.
func progressDone(w io.Writer) {
	if c, ok := w.(*console); ok {
		c.clear()
	}
}

// sink is standard output. It keeps the first error of writing, so that those
// who print need not ask each time, and a full disk is never a success.
type sink struct {
	w   io.Writer
	err error
}

// Write writes, or fails as it did before.
func (s *sink) Write(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	n, err := s.w.Write(p)
	s.err = err
	return n, err
}
