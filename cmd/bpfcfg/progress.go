package main

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/term"

	"github.com/bpfcfg/bpfcfg/internal/visible"
)

// progress shows how far long work has come, on a terminal only.
func progress(w io.Writer, done, of int, what string) {
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		fmt.Fprintf(w, "\r\x1b[K%d of %d  %s", done+1, of, visible.Text(what))
	}
}

// progressDone takes the progress line away.
func progressDone(w io.Writer) {
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		fmt.Fprint(w, "\r\x1b[K")
	}
}
