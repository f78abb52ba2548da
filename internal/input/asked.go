package input

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/ask"
	"github.com/bpfcfg/bpfcfg/internal/compare"
	"github.com/bpfcfg/bpfcfg/internal/object"
	"github.com/bpfcfg/bpfcfg/internal/record"
	"github.com/bpfcfg/bpfcfg/internal/replay"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
)

// asked is the answer of a kernel on one program.
type asked struct {
	env    *record.Env
	record *record.Record
}

// openAsked starts the kernel of "vm:IMAGE:OBJECT" or "uml:BINARY:OBJECT", and
// returns the programs of the object as that kernel got them. The profile is that
// of the machine.
func (o Opener) openAsked(name string, sel Selector) (Source, Selector, error) {
	m, arg, _, err := ask.ParseMachine(name)
	if err != nil {
		return Source{}, sel, err
	}
	file, p, ok := object.Split(arg)
	if ok {
		sel = Selector{name: p}
	}
	s := Source{Name: m.String() + ":" + file, asked: map[*bytecode.Program]*asked{}}
	a, err := o.Guests.Ask(m, file)
	if err != nil {
		return s, sel, err
	}
	s.Failed = slices.Clone(a.object.Failed)
	s.Diags, s.Refused, s.License = a.object.Diags, a.object.Refused, a.object.License
	s.Records = a.records
	r, err := s.Records(record.Options{})
	if err != nil {
		return s, sel, err
	}
	if err := s.read(r, file, ""); err != nil {
		return s, sel, err
	}
	for _, p := range s.Programs {
		s.withObject(a.object, p)
	}
	return s, sel, nil
}

// withObject adds to a program the kernel's verdict, and the symbols of its object, which
// its record does not have.
func (s *Source) withObject(from Source, p *bytecode.Program) {
	k := s.asked[p]
	word, why := AnswerOf(k.record)
	p.Diags = append(p.Diags, strings.TrimSuffix(fmt.Sprintf("Linux %s: %s: %s", k.env.Release, word, why), ": "))
	for _, o := range from.Programs {
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
	word, why := AnswerOf(k.record)
	if word != Accepted {
		return compare.Without(p, prof, fmt.Errorf("no code of Linux %s: %s: %s", k.env.Release, word, why))
	}
	var b bytes.Buffer
	env := &record.Record{Kind: record.KindEnv, Env: k.env}
	if err := errors.Join(WriteRecord(&b, env), WriteRecord(&b, k.record)); err != nil {
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
