package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/bpfcfg/bpfcfg/internal/ask"
	"github.com/bpfcfg/bpfcfg/internal/ask/wire"
	"github.com/bpfcfg/bpfcfg/internal/object"
	"github.com/bpfcfg/bpfcfg/internal/record"
)

// machineFlags say how to start a kernel of the user's.
type machineFlags struct {
	QEMU   string        `name:"qemu" help:"QEMU executable (default: qemu-system-x86_64)." placeholder:"FILE"`
	CPU    string        `name:"cpu" help:"Processor that QEMU emulates (default: max)." placeholder:"MODEL"`
	Append string        `help:"Additional kernel parameters, such as mitigations=off." placeholder:"TEXT"`
	Memory int           `help:"Memory of the guest in MiB (default: 1024)." placeholder:"MIB"`
	Stall  time.Duration `help:"Give up when the kernel does not answer for this time (default: 5m)." placeholder:"TIME"`
}

// asker returns how to ask a machine. Programs are adapted (CO-RE) to the first of
// the files of types, where --btf names one, instead of the kernel's own.
func (f *machineFlags) asker(m ask.Machine, types []string) (ask.Asker, error) {
	a := ask.Asker{Machine: m, QEMU: f.QEMU, CPU: f.CPU, Append: f.Append, Memory: f.Memory, Stall: f.Stall}
	if f.Memory < 0 || f.Stall < 0 {
		return a, usagef("--memory and --stall must not be negative")
	}
	if len(types) > 0 && types[0] != "host" {
		data, err := readInput(types[0], nil)
		if err != nil {
			return a, inputError(fmt.Errorf("--btf: %w", err))
		}
		a.Types = data
	}
	return a, nil
}

// workList collects programs to ask about.
type workList struct {
	ask.Work
	failed []failure // programs that cannot be asked about
	names  map[string]bool
}

// newWork returns an empty list.
func newWork() *workList {
	return &workList{Work: ask.Work{Files: map[string][]byte{}}, names: map[string]bool{}}
}

// addInput adds the programs of an input: of an object, those that are
// selected; of a record, the jobs.
func (w *workList) addInput(name string, sel selector, std streams) error {
	kind, rest, _ := strings.Cut(name, ":")
	switch kind {
	case "record":
		return w.addRecord(rest)
	case "raw", "live", "vm", "uml":
		return fmt.Errorf("%s: not an object or record, so the type of its programs is unknown", name)
	}
	s, sel, err := openObject(name, sel, std)
	if err != nil {
		return err
	}
	s.keepWithin(std.limits)
	if names := s.keep(sel); len(s.programs)+len(s.failed) == 0 {
		return noMatch(s.name, sel, names)
	}
	base, _, _ := strings.Cut(filepath.Base(s.name), ".")
	return w.addObject(s, func(program string) string { return base + "/" + program })
}

// addObject adds the programs of an object. named returns the name of a job.
func (w *workList) addObject(s source, named func(program string) string) error {
	file := fmt.Sprintf("%d.o", len(w.Files))
	w.Files[file] = s.object
	sum := sha256.Sum256(s.object)
	for _, p := range s.programs {
		name := named(p.Name)
		if w.names[name] {
			return fmt.Errorf("two programs have the name %s: run ask for each object", name)
		}
		w.names[name] = true
		w.Items = append(w.Items, wire.Item{Name: name, File: file, Program: p.Name, Object: &record.Object{
			Name: filepath.Base(s.name), SHA256: hex.EncodeToString(sum[:]), Section: p.Section, Program: p.Name,
		}})
	}
	w.failed = append(w.failed, s.failed...)
	return nil
}

// addRecord adds the jobs of a file of records.
func (w *workList) addRecord(arg string) error {
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

// errNothing is returned when no program is left to ask about.
var errNothing = errors.New("no program to load")

// Answers in one word.
const (
	answerAccepted = "accepted"
	answerRefused  = "refused"
	answerNone     = "not answered"
)

// answerOf returns the answer of a record in one word, and the reason in a line:
// what the kernel says of a refusal, or why there is no answer.
func answerOf(r *record.Record) (word, why string) {
	switch r.Verdict() {
	case "OK":
		return answerAccepted, ""
	case "CRASH":
		return answerNone, "the kernel went down while it loaded the program: " + crashLine(r.Crash)
	case "SETUP":
		return answerNone, strings.Join(r.Result.Setup, "; ")
	case "NOLOAD", "NONE":
		return answerNone, "the program was not loaded"
	case "NOJIT":
		why = r.Result.Load.Error
		if r.Result.Load.OK {
			return answerNone, "the verifier accepted it, but it needs a JIT, which this kernel does not have"
		}
		return answerNone, "this kernel has no JIT: " + why
	}
	return answerRefused, strings.TrimSuffix(r.Result.Load.Errno+": "+r.Result.Load.Error, ": ")
}

// crashLine returns the line of a console that says most.
func crashLine(text string) string {
	last := ""
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			last = line
		}
		for _, sign := range []string{"BUG:", "Oops", "Kernel panic", "no answer for"} {
			if strings.Contains(line, sign) {
				return line
			}
		}
	}
	return last
}
