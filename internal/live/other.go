//go:build !linux || !amd64

package live

import (
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/record"
)

// open fails: there is nothing to read.
func open(Selector, *Kernel) (*Program, error) { return nil, ErrUnsupported }

// IDs fails: there is nothing to list.
func IDs() ([]uint32, error) { return nil, ErrUnsupported }

// Load fails: there is no kernel to load into.
func Load(*bytecode.Program, LoadOptions, *Kernel) (*Program, error) { return nil, ErrUnsupported }

// Hold fails: there is no kernel to load into.
func Hold(*bytecode.Program, LoadOptions, *Kernel) (*Program, func(), error) {
	return nil, nil, ErrUnsupported
}

// Source is a program to ask about; there is no kernel to ask.
type Source struct {
	Name    string
	Program *bytecode.Program
}

// JobOf fails: jobs are made for kernels.
func JobOf(*Source) (*record.Job, error) { return nil, ErrUnsupported }
