package main

import (
	"fmt"

	"github.com/bpfcfg/bpfcfg/internal/diff"
	"github.com/bpfcfg/bpfcfg/internal/input"
	"github.com/bpfcfg/bpfcfg/internal/layers"
	"github.com/bpfcfg/bpfcfg/internal/union"
)

// pictureOptions returns what pictures show besides the difference.
func (c *diffCmd) pictureOptions(std streams, r *diff.Report) (union.Options, error) {
	opt := union.Options{Title: fmt.Sprintf("%s → %s", shortName(r.Old), shortName(r.New))}
	for side, file := range []string{c.OverlayOld, c.Overlay} {
		if file == "" {
			continue
		}
		data, err := input.Read(file, std.in)
		if err != nil {
			return opt, inputError(err)
		}
		opt.Visits[side] = &layers.Visits{File: file, Data: data}
	}
	return opt, nil
}

// drawnProgram returns the one program that differs, or the only one.
func drawnProgram(r *diff.Report) (*diff.Program, error) {
	var differ []*diff.Program
	var names []string
	for i := range r.Programs {
		if p := &r.Programs[i]; !p.Same || len(r.Programs) == 1 {
			differ = append(differ, p)
			names = append(names, p.Name)
		}
	}
	switch {
	case len(differ) == 0:
		return nil, usagef("no program differs: choose one of the %d with --prog to draw it", len(r.Programs))
	case len(differ) > 1:
		return nil, usagef("%d programs differ and a picture shows one: choose one with --prog (%s), or use --format html",
			len(differ), input.Names(names))
	}
	return differ[0], nil
}
