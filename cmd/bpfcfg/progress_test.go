package main

import (
	"bytes"
	"fmt"
	"testing"
	"time"
)

// TestProgress writes the progress line to a stand-in for a terminal.
func TestProgress(t *testing.T) {
	var b bytes.Buffer
	c := &console{w: &b, live: true}
	for i := range 1000 {
		progress(c, i, 1000, "prog\x1b[31m")
	}
	if b.Len() > 0 {
		t.Errorf("short work shows %q", b.String())
	}
	c.tick()
	c.tick() // the same line
	const line = "\r\x1b[K1000 of 1000  prog\\x1b[31m"
	if b.String() != line {
		t.Errorf("line %q, want %q", b.String(), line)
	}
	b.Reset()
	fmt.Fprintln(c, "a message")
	if want := "\r\x1b[Ka message\n"; b.String() != want {
		t.Errorf("%q, want %q", b.String(), want)
	}
	b.Reset()
	c.tick()
	out := &sink{w: &b, console: c}
	fmt.Fprintln(out, "text")
	if want := line + "\r\x1b[Ktext\n"; b.String() != want {
		t.Errorf("%q, want %q", b.String(), want)
	}
	b.Reset()
	c.clear()
	c.tick() // a late one
	if b.Len() > 0 {
		t.Errorf("after the work: %q", b.String())
	}
	progress(c, 0, 1, "one")
	c.started = time.Now().Add(-5 * time.Second)
	c.tick()
	if want := "\r\x1b[Kanalysing one  5 s"; b.String() != want {
		t.Errorf("%q, want %q", b.String(), want)
	}
	c.clear()
}

// TestNoProgress checks that no progress is shown without a terminal.
func TestNoProgress(t *testing.T) {
	var b bytes.Buffer
	c := newConsole(&b)
	progress(c, 0, 2, "x")
	c.tick()
	c.clear()
	if b.Len() > 0 || c.timer != nil {
		t.Errorf("printed %q", b.String())
	}
}
