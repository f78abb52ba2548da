package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/bpfcfg/bpfcfg/internal/check"
	"github.com/bpfcfg/bpfcfg/internal/visible"
)

// explainFinding describes a kind of finding, or all.
func explainFinding(w io.Writer, id string) error {
	if id == "all" {
		for i, info := range check.Catalogue() {
			if i > 0 {
				fmt.Fprintln(w)
			}
			explainOne(w, info)
		}
		return nil
	}
	info := check.ID(id).Info()
	if info.ID == "" {
		var ids []string
		for _, i := range check.Catalogue() {
			ids = append(ids, string(i.ID))
		}
		return usagef("unknown finding %s: want one of %s, or all", visible.Text(id), strings.Join(ids, ", "))
	}
	explainOne(w, info)
	return nil
}

// explainOne prints a description.
func explainOne(w io.Writer, i check.Info) {
	fmt.Fprintf(w, "%s (%s): %s\n\n%s\n", i.ID, i.Level, i.Title, wrap(i.What, "  "))
	if i.Example != "" {
		fmt.Fprintf(w, "\n  Example:\n")
		for line := range strings.Lines(i.Example) {
			fmt.Fprintf(w, "    %s\n", strings.TrimRight(line, "\n"))
		}
	}
	fmt.Fprintf(w, "\n%s\n", wrap("To fix: "+i.Fix+".", "  "))
}

// wrap breaks a text into lines of at most 80 characters.
func wrap(text, indent string) string {
	const width = 80
	var b strings.Builder
	n := 0
	for _, word := range strings.Fields(text) {
		switch {
		case n == 0:
			b.WriteString(indent)
			n = len(indent)
		case n+1+len(word) > width:
			b.WriteString("\n" + indent)
			n = len(indent)
		default:
			b.WriteByte(' ')
			n++
		}
		b.WriteString(word)
		n += len(word)
	}
	return b.String()
}
