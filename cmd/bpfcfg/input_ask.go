package main

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/ask"
	"github.com/bpfcfg/bpfcfg/internal/compare"
	"github.com/bpfcfg/bpfcfg/internal/object"
	"github.com/bpfcfg/bpfcfg/internal/record"
	"github.com/bpfcfg/bpfcfg/internal/replay"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
)

// guests are the kernels that the inputs of a run ask for. Each is started once
// for all objects that it is to be asked about. A nil one has no kernels, and
// cannot start any.
type guests struct {
	p   *process
	std streams

	mu      sync.Mutex
	wanted  map[ask.Machine][]string // objects of inputs, not yet asked about
	answers map[question]*answers
}

// question is a request to a kernel: all programs of an object.
type question struct {
	machine ask.Machine
	file    string
}

// answers are a kernel's to a question: an object, and records as lines.
type answers struct {
	object source
	lines  bytes.Buffer
	err    error
}

// records returns a reader of the answers.
func (a *answers) records(opt record.Options) (*record.Reader, error) {
	return record.NewReader(bytes.NewReader(a.lines.Bytes()), opt)
}

// newGuests returns guests none of which has been started.
func newGuests(p *process, std streams) *guests {
	return &guests{p: p, std: std, wanted: map[ask.Machine][]string{}, answers: map[question]*answers{}}
}

// expect notes which kernels inputs will be asked for, so that one start does.
func (g *guests) expect(files []inputFile) {
	for _, f := range files {
		if m, arg, ok, err := ask.ParseMachine(f.name); ok && err == nil {
			file, _, _ := object.Split(arg)
			g.want(m, file)
		}
	}
}

// want notes that a machine will be asked about an object.
func (g *guests) want(m ask.Machine, file string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.wanted[m] = append(g.wanted[m], file)
}

// ask returns what a machine says of the programs of an object.
func (g *guests) ask(m ask.Machine, file string) (*answers, error) {
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

// run starts a machine and asks about objects. Each has answers afterwards, even
// if they are only an error.
func (g *guests) run(m ask.Machine, files []string) {
	w := newWork()
	var of []*answers // by item
	var asking []*answers
	for _, file := range files {
		q := question{m, file}
		if g.answers[q] != nil {
			continue
		}
		a := &answers{}
		g.answers[q] = a
		if a.object, _, a.err = openObject(file, selector{}, g.std); a.err != nil {
			continue
		}
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
			return writeRecord(&of[r.Index].lines, r)
		}
		for _, a := range asking {
			if err := writeRecord(&a.lines, r); err != nil {
				return err
			}
		}
		return nil
	})
	for _, a := range asking {
		a.err = err
	}
}

// start starts a machine.
func (g *guests) start(m ask.Machine, work ask.Work, emit func(*record.Record) error) error {
	a := ask.Asker{Machine: m, Log: 2, Tell: func(text string) { progressText(g.std.err, text) }}
	defer g.p.hold()()
	defer progressDone(g.std.err)
	return a.Run(g.p, work, emit)
}

// asked is what a kernel said of one program.
type asked struct {
	env    *record.Env
	record *record.Record
}

// openAsked starts the kernel of "vm:IMAGE:OBJECT" or "uml:BINARY:OBJECT", and
// returns the programs of the object as that kernel got them. The profile is that
// of the machine.
func openAsked(name string, sel selector, std streams) (source, selector, error) {
	m, arg, _, err := ask.ParseMachine(name)
	if err != nil {
		return source{}, sel, usagef("%w", err)
	}
	file, p, ok := object.Split(arg)
	if ok {
		sel = selector{name: p}
	}
	s := source{name: m.String() + ":" + file, asked: map[*bytecode.Program]*asked{}}
	a, err := std.guests.ask(m, file)
	if err != nil {
		return s, sel, err
	}
	s.failed = slices.Clone(a.object.failed)
	s.diags, s.refused, s.license = a.object.diags, a.object.refused, a.object.license
	s.records = a.records
	r, err := s.records(record.Options{})
	if err != nil {
		return s, sel, err
	}
	if err := s.read(r, file, ""); err != nil {
		return s, sel, err
	}
	for _, p := range s.programs {
		s.withObject(a.object, p)
	}
	return s, sel, nil
}

// withObject gives a program what its object tells and its record does not, and the
// kernel's verdict.
func (s *source) withObject(from source, p *bytecode.Program) {
	k := s.asked[p]
	word, why := answerOf(k.record)
	p.Diags = append(p.Diags, strings.TrimSuffix(fmt.Sprintf("Linux %s: %s: %s", k.env.Release, word, why), ": "))
	for _, o := range from.programs {
		if o.Name == p.Name && len(o.Insns) == len(p.Insns) && len(o.Maps) == len(p.Maps) {
			for i := range p.Maps {
				p.Maps[i].Symbols, p.Maps[i].Code = o.Maps[i].Symbols, o.Maps[i].Code
			}
			return
		}
	}
}

// analyse returns the analysis of a program with the kernel's own rewritten program
// and machine code, where it has shown them.
func (k *asked) analyse(p *bytecode.Program, prof jit.Profile) (*pipeline.Analysis, error) {
	word, why := answerOf(k.record)
	if word != answerAccepted {
		return compare.Without(p, prof, fmt.Errorf("no code of Linux %s: %s: %s", k.env.Release, word, why))
	}
	var b bytes.Buffer
	env := &record.Record{Kind: record.KindEnv, Env: k.env}
	if err := errors.Join(writeRecord(&b, env), writeRecord(&b, k.record)); err != nil {
		return nil, err
	}
	r, err := record.NewReader(&b, record.Options{})
	if err != nil {
		return nil, err
	}
	for res, err := range replay.Records(r, replay.Options{Profile: &prof}) {
		if err != nil {
			return nil, err
		}
		return compare.Asked(p, k.record.Result, res)
	}
	return nil, errors.New("no record")
}
