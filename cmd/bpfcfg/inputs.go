package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/bpfcfg/bpfcfg/internal/input"
	"github.com/bpfcfg/bpfcfg/internal/report"
	"github.com/bpfcfg/bpfcfg/internal/visible"
)

// excludeFlags say what to leave out of directories.
type excludeFlags struct {
	Exclude []string `help:"In directories, skip files and directories whose path ends in a match of GLOB (*, ?, [a-z]; ** matches directories). Repeatable." placeholder:"GLOB" sep:"none"`
}

// inputs finds the inputs that the arguments stand for, and what --prog selects.
func (f *excludeFlags) inputs(args, prog []string) (*input.List, error) {
	return input.Find(args, prog, f.Exclude)
}

// end reports what was passed over and what could not be read, and returns the error that results.
// It is called after the work on the inputs.
func end(std streams, l *input.List) error {
	var r report.Report
	for _, p := range l.Passed {
		r.Passed = append(r.Passed, report.Passed{Name: p.Name, Why: p.Why})
	}
	if line := r.PassedLine(); line != "" {
		fmt.Fprintf(std.err, "bpfcfg: %s\n", line)
	}
	switch n := len(l.Failed); {
	case n == 1:
		return l.Failed[0]
	case n > 1:
		for _, err := range l.Failed {
			fmt.Fprintf(std.err, "bpfcfg: %s\n", message(err))
		}
		return inputError(fmt.Errorf("%s could not be read", visible.Count(n, "input")))
	case l.Opened == 0 && len(l.Unmatched) > 0:
		return inputError(fmt.Errorf("%w: %s, in %s", input.ErrNoMatch, l.Selector, visible.Count(len(l.Unmatched), "input")))
	case l.Opened == 0:
		return inputError(errors.New("the inputs contain no program: name an object with programs"))
	}
	return nil
}

// openOne loads the input of a verb that takes one.
func openOne(arg string, prog []string, std streams) (input.Source, error) {
	sel, err := input.NewSelector(prog)
	if err != nil {
		return input.Source{}, err
	}
	if st, err := os.Stat(arg); err == nil && st.IsDir() {
		return input.Source{}, usagef("%s is a directory: name one object", arg)
	}
	s, err := std.opener.Open(arg, sel)
	if err == nil {
		err = std.opener.Config.Unused()
	}
	return s, err
}

// worse returns the error whose status takes precedence: a failure before a difference.
func worse(a, b error) error {
	if a == nil || b != nil && statusOf(b) == exitInput && statusOf(a) != exitInput {
		return b
	}
	return a
}
