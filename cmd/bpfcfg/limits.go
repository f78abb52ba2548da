package main

import (
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/internal/visible"
)

// limitFlags are for pipelines that read files of strangers: less than what the
// package load allows anyway.
type limitFlags struct {
	MaxFile  int `help:"Refuse input files larger than this (default and maximum: 256 MiB)." placeholder:"MIB"`
	MaxInsns int `help:"Refuse programs with more slots than this (default and maximum: 1000000)." placeholder:"SLOTS"`
}

// limits returns what the flags say.
func (f *limitFlags) limits() (load.Limits, error) {
	const most = load.MaxFile >> 20
	switch {
	case f.MaxFile < 0 || f.MaxFile > most:
		return load.Limits{}, usagef("--max-file %d: give 1 to %d MiB", f.MaxFile, most)
	case f.MaxInsns < 0 || f.MaxInsns > load.MaxInsns:
		return load.Limits{}, usagef("--max-insns %d: give 1 to %d slots", f.MaxInsns, load.MaxInsns)
	}
	return load.Limits{File: f.MaxFile << 20, Insns: f.MaxInsns}, nil
}

// readWithin is readInput for a file that may be no larger than the limits say.
// A regular file that is larger is not even read.
func readWithin(file string, stdin io.Reader, l load.Limits) ([]byte, error) {
	if err := fits(file, l); err != nil {
		return nil, err
	}
	return readInput(file, stdin)
}

// fits reports that a file is larger than the limits say. What is no regular
// file has no size.
func fits(file string, l load.Limits) error {
	st, err := os.Stat(file)
	if l.File == 0 || err != nil || !st.Mode().IsRegular() || st.Size() <= int64(l.File) {
		return nil
	}
	return fmt.Errorf("%s: %d bytes, larger than --max-file %d: %w", file, st.Size(), l.File>>20, load.ErrTooLarge)
}

// keepWithin counts programs that are longer than the limits say as failed: those
// of records and of the kernel are made before their length is known.
func (s *source) keepWithin(l load.Limits) {
	if l.Insns == 0 {
		return
	}
	s.programs = slices.DeleteFunc(s.programs, func(p *bytecode.Program) bool {
		long := len(p.Insns) > l.Insns
		if long {
			s.failed = append(s.failed, failure{p.Name, p.Section,
				fmt.Errorf("%s, more than --max-insns %d: %w", visible.Count(len(p.Insns), "slot"), l.Insns, load.ErrTooLarge)})
		}
		return long
	})
}
