package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/bpfcfg/bpfcfg/internal/live"
	"github.com/bpfcfg/bpfcfg/internal/record"
	"github.com/bpfcfg/bpfcfg/internal/testing/progen"
)

// writeShape writes a program of a shape as a file of records, SHAPE.SLOTS.rec in a
// directory, for the command to read. Source lines and relocations are not in it.
func writeShape(dir string, s progen.Shape, slots int) (err error) {
	p := s.Make(slots)
	job, err := live.JobOf(&live.Source{Name: p.Name, Program: p})
	if err != nil {
		return fmt.Errorf("%s at %d slots: %w", s.Name, slots, err)
	}
	f, err := os.Create(filepath.Join(dir, fmt.Sprintf("%s.%d.rec", s.Name, slots)))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return json.NewEncoder(f).Encode(&record.Record{Kind: record.KindResult, Job: job})
}
