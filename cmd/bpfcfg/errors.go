package main

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/bpfcfg/bpfcfg/internal/input"
	"github.com/bpfcfg/bpfcfg/internal/visible"
)

// Exit statuses; docs/cli.md lists them.
const (
	exitClean    = 0 // everything was done
	exitFindings = 1 // findings at or above the level that fails
	exitUsage    = 2 // the command line is wrong
	exitInput    = 3 // an input could not be analysed
	exitDiffers  = 4 // a golden file, record or kernel differs

	// exitSignal is added to the number of the signal that ended a run, as shells
	// do: 130 after an interrupt from the keyboard.
	exitSignal = 128
)

// statusError is an error that decides the exit status.
type statusError struct {
	status int
	err    error
}

func (e *statusError) Error() string { return e.err.Error() }
func (e *statusError) Unwrap() error { return e.err }

// usagef returns an error with exit status 2.
func usagef(format string, args ...any) error {
	return &statusError{exitUsage, fmt.Errorf(format, args...)}
}

// inputError marks err as an input that could not be analysed.
func inputError(err error) error {
	if err == nil {
		return nil
	}
	return &statusError{exitInput, err}
}

// systemError returns the system's reason for a failed call, without the name of the file, or err
// itself.
func systemError(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// errDiffers is returned if everything worked and two things differ; the differences have been
// printed.
var errDiffers = &statusError{exitDiffers, errors.New("differences found")}

// statusOf returns the exit status for an error of a verb. Without a status of its own, an error is
// one of an input: a tool failure is never a clean result.
func statusOf(err error) int {
	if err == nil {
		return exitClean
	}
	var s *statusError
	if errors.As(err, &s) {
		return s.status
	}
	if misuse := (*input.Misuse)(nil); errors.As(err, &misuse) {
		return exitUsage
	}
	return exitInput
}

// message returns the error's text as one safe line.
func message(err error) string { return visible.Text(err.Error()) }
