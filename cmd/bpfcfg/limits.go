package main

import (
	"github.com/bpfcfg/bpfcfg/cfg/load"
)

// limitFlags are for pipelines that read untrusted files: limits below those of package load.
type limitFlags struct {
	MaxFile  int `help:"Refuse input files larger than this (default and maximum: 256 MiB)." placeholder:"MIB"`
	MaxInsns int `help:"Refuse programs with more slots than this (default and maximum: 1000000)." placeholder:"SLOTS"`
}

// limits returns the limits of the flags.
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
