package main

import (
	"bufio"
	"fmt"
	"io"

	"github.com/bpfcfg/bpfcfg/internal/input"
	"github.com/bpfcfg/bpfcfg/internal/report"
)

// mergeCmd joins the JSON of the parts of a check.
type mergeCmd struct {
	Part []string `arg:"" help:"Files written by bpfcfg check --format json=FILE, or - for standard input."`
	outputFlags
}

// Help returns the examples of --help.
func (mergeCmd) Help() string {
	return `Examples:
  bpfcfg merge part1.json part2.json part3.json      all shards of bpfcfg check --shard i/3
  bpfcfg merge part*.json --format sarif=out.sarif --format text`
}

// Run implements the verb. The exit status is that of a check of everything.
func (c *mergeCmd) Run(std streams, p *process) error {
	if _, err := c.outputs(); err != nil {
		return err
	}
	var parts []*report.Report
	for _, file := range c.Part {
		r, err := readPart(file, std.in)
		if err != nil {
			return inputError(err)
		}
		parts = append(parts, r)
	}
	r, err := report.Merge(parts)
	if err != nil {
		return inputError(err)
	}
	if c.FailOn != "" {
		r.FailOn = c.failOn()
	}
	return c.finish(std, p, r)
}

// readPart reads a part as a stream, without loading it into memory first.
func readPart(file string, stdin io.Reader) (*report.Report, error) {
	f, name, err := input.OpenFile(file, stdin)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	limited := &io.LimitedReader{R: f, N: input.MaxFile + 1}
	r, err := report.Read(bufio.NewReaderSize(limited, 1<<16))
	switch {
	case limited.N == 0:
		return nil, fmt.Errorf("%s: %w", name, input.ErrTooLarge)
	case err != nil:
		return nil, input.Cause(file, err)
	}
	return r, nil
}
