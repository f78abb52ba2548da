package input

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"strings"

	"github.com/bpfcfg/bpfcfg/internal/ask"
	"github.com/bpfcfg/bpfcfg/internal/ask/wire"
	"github.com/bpfcfg/bpfcfg/internal/object"
	"github.com/bpfcfg/bpfcfg/internal/record"
)

// Work collects programs to ask about.
type Work struct {
	ask.Work
	Failed []Failure // programs that cannot be asked about
	names  map[string]bool
}

// NewWork returns an empty list.
func NewWork() *Work {
	return &Work{Work: ask.Work{Files: map[string][]byte{}}, names: map[string]bool{}}
}

// Add adds the programs of an input: for an object, the selected ones; for a record, the jobs.
func (w *Work) Add(name string, sel Selector, o Opener) error {
	kind, rest, _ := strings.Cut(name, ":")
	switch kind {
	case "record":
		return w.addRecord(rest)
	case "raw", "live", "vm", "uml":
		return fmt.Errorf("%s: not an object or record, so the type of its programs is unknown", name)
	}
	s, sel, err := o.openObject(name, sel)
	if err != nil {
		return err
	}
	s.keepWithin(o.Limits)
	if names := s.keep(sel); len(s.Programs)+len(s.Failed) == 0 {
		return noMatch(s.Name, sel, names)
	}
	base, _, _ := strings.Cut(filepath.Base(s.Name), ".")
	return w.addObject(s, func(program string) string { return base + "/" + program })
}

// addObject adds the programs of an object, or none of them when two jobs would have the
// same name. named returns the name of a job.
func (w *Work) addObject(s Source, named func(program string) string) error {
	taken := map[string]bool{}
	for _, p := range s.Programs {
		name := named(p.Name)
		if w.names[name] || taken[name] {
			return fmt.Errorf("two programs have the name %s: run ask for each object", name)
		}
		taken[name] = true
	}
	maps.Copy(w.names, taken)
	file := fmt.Sprintf("%d.o", len(w.Files))
	w.Files[file] = s.Object
	sum := sha256.Sum256(s.Object)
	for _, p := range s.Programs {
		name := named(p.Name)
		w.Items = append(w.Items, wire.Item{Name: name, File: file, Program: p.Name, Object: &record.Object{
			Name: filepath.Base(s.Name), SHA256: hex.EncodeToString(sum[:]), Section: p.Section, Program: p.Name,
		}})
	}
	w.Failed = append(w.Failed, s.Failed...)
	return nil
}

// addRecord adds the jobs of a file of records.
func (w *Work) addRecord(arg string) error {
	file, name, _ := object.Split(arg)
	r, err := record.Open(file, record.Options{SkipLogs: true})
	if err != nil {
		return err
	}
	defer r.Close()
	before := len(w.Items)
	for rec, err := range r.Records() {
		switch {
		case err != nil:
			return fmt.Errorf("record %s: %w", file, err)
		case rec.Job == nil || len(rec.Job.Insns) == 0 || name != "" && rec.Job.Name != name || w.names[rec.Job.Name]:
			continue
		}
		w.names[rec.Job.Name] = true
		w.Items = append(w.Items, wire.Item{Name: rec.Job.Name, Job: rec.Job})
	}
	if len(w.Items) == before {
		return fmt.Errorf("record %s: no program %q", file, name)
	}
	return nil
}

// ErrNothing is returned when no program is left to ask about.
var ErrNothing = errors.New("no program to load")
