package input

import (
	"bytes"
	"sync"

	"github.com/bpfcfg/bpfcfg/internal/ask"
	"github.com/bpfcfg/bpfcfg/internal/object"
	"github.com/bpfcfg/bpfcfg/internal/record"
)

// Guests are the kernels that the inputs of a run name. Each is started once
// for all objects that it has to load. A nil *Guests has no kernels and
// cannot start any.
type Guests struct {
	opener Opener
	start  Start

	mu      sync.Mutex
	wanted  map[ask.Machine][]string // objects of inputs, not yet asked about
	answers map[question]*Answers
}

// question is a request to a kernel: all programs of an object.
type question struct {
	machine ask.Machine
	file    string
}

// Answers are a kernel's answers to a question: an object, and records as lines.
type Answers struct {
	object Source
	lines  bytes.Buffer
	err    error
}

// records returns a reader of the answers.
func (a *Answers) records(opt record.Options) (*record.Reader, error) {
	return record.NewReader(bytes.NewReader(a.lines.Bytes()), opt)
}

// Start starts a machine, lets it load programs and hands on its answers.
type Start func(m ask.Machine, work ask.Work, emit func(*record.Record) error) error

// NewGuests returns kernels none of which has been started. The objects to ask about
// are opened by o.
func NewGuests(o Opener, start Start) *Guests {
	return &Guests{opener: o, start: start, wanted: map[ask.Machine][]string{}, answers: map[question]*Answers{}}
}

// Expect records which kernels inputs will request, so that each is started once.
func (g *Guests) Expect(files []File) {
	for _, f := range files {
		if m, arg, ok, err := ask.ParseMachine(f.Name); ok && err == nil {
			file, _, _ := object.Split(arg)
			g.Want(m, file)
		}
	}
}

// Want records that a machine will be asked about an object.
func (g *Guests) Want(m ask.Machine, file string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.wanted[m] = append(g.wanted[m], file)
}

// Ask returns the answers of a machine about the programs of an object.
func (g *Guests) Ask(m ask.Machine, file string) (*Answers, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if a := g.answers[question{m, file}]; a != nil {
		return a, a.err
	}
	g.run(m, append(g.wanted[m], file))
	delete(g.wanted, m)
	a := g.answers[question{m, file}]
	return a, a.err
}

// run starts a machine and asks about objects. Afterwards each has answers, or at least an
// error.
func (g *Guests) run(m ask.Machine, files []string) {
	w := NewWork()
	var of []*Answers // by item
	var asking []*Answers
	for _, file := range files {
		q := question{m, file}
		if g.answers[q] != nil {
			continue
		}
		a := &Answers{}
		g.answers[q] = a
		if a.object, _, a.err = g.opener.openObject(file, Selector{}); a.err != nil {
			continue
		}
		clear(w.names) // each object has answers of its own
		if a.err = w.addObject(a.object, func(program string) string { return program }); a.err != nil {
			continue
		}
		for len(of) < len(w.Items) {
			of = append(of, a)
		}
		asking = append(asking, a)
	}
	if len(w.Items) == 0 {
		return
	}
	err := g.start(m, w.Work, func(r *record.Record) error {
		if r.Kind != record.KindEnv {
			return WriteRecord(&of[r.Index].lines, r)
		}
		for _, a := range asking {
			if err := WriteRecord(&a.lines, r); err != nil {
				return err
			}
		}
		return nil
	})
	for _, a := range asking {
		a.err = err
	}
}
