// Package input opens what the command line names: objects, directories of them, raw
// instructions, records, programs of the running kernel, and objects that another kernel
// is asked about.
//
//	o := input.Opener{In: os.Stdin}
//	s, err := o.Open("prog.o#xdp_main", input.Selector{})
//
// It prints nothing. Errors that are about the command line are of type Misuse.
package input

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/cfg/load/target"
	"github.com/bpfcfg/bpfcfg/internal/live"
	"github.com/bpfcfg/bpfcfg/internal/object"
	"github.com/bpfcfg/bpfcfg/internal/record"
	"github.com/bpfcfg/bpfcfg/internal/visible"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
)

// Opener opens inputs. The zero value has neither standard input nor limits.
type Opener struct {
	In     io.Reader      // standard input
	Limits load.Limits    // of inputs
	Root   object.Root    // that objects are named relative to
	Kernel *target.Kernel // that objects are made for, nil when none is named
	Config *Configuration // of programs, nil when it is theirs
	Guests *Guests        // kernels that inputs ask to start
}

// Misuse is an error of the command line itself, not of an input.
type Misuse struct{ err error }

// Error implements error.
func (e *Misuse) Error() string { return e.err.Error() }

// Unwrap returns the error without the mark.
func (e *Misuse) Unwrap() error { return e.err }

// Misusef returns an error of the command line.
func Misusef(format string, args ...any) error { return &Misuse{fmt.Errorf(format, args...)} }

// Source is a loaded input.
type Source struct {
	Name      string // as the user wrote it, without a #program
	Title     string // of pictures
	Programs  []*bytecode.Program
	Failed    []Failure    // programs that could not be loaded
	Profile   *jit.Profile // the record's, nil for other inputs
	NoProfile error        // why there is none of a record's machine
	Diags     []string     // oddities of the file as a whole
	Refused   []string     // reasons for which libbpf refuses it
	Harden    bool         // blind the constants of all programs

	License string       // of an object
	Object  []byte       // of an object: the file
	Whole   *load.Object // the object itself, with programs that are not selected
	Live    map[*bytecode.Program]*live.Program
	// Records opens the records that the programs are from, nil for other sources.
	Records func(record.Options) (*record.Reader, error)

	loaded map[*bytecode.Program]rewrite.Options // how programs of records were loaded
	asked  map[*bytecode.Program]*asked          // answers of kernels that this run started
}

// Failure is a program that cannot be analysed.
type Failure struct {
	Name, Section string
	Err           error
}

// Open loads one input and keeps the programs that are selected. If there is none, the error wraps
// ErrNoMatch.
func (o Opener) Open(arg string, sel Selector) (Source, error) {
	var s Source
	var err error
	kind, rest, _ := strings.Cut(arg, ":")
	switch kind {
	case "raw":
		s, err = openRaw(rest, o.Limits)
	case "record":
		file, name, _ := object.Split(rest)
		s, err = openRecord(file, name, o.Limits)
		sel = Selector{}
	case "live":
		s, err = openLive(rest)
	case "vm", "uml":
		s, sel, err = o.openAsked(arg, sel)
	default:
		s, sel, err = o.openObject(arg, sel)
	}
	if err != nil {
		return s, err
	}
	s.Title = o.pictureTitle(s.Name)
	s.keepWithin(o.Limits)
	if err := o.Config.apply(&s); err != nil {
		return s, err
	}
	if names := s.keep(sel); len(s.Programs)+len(s.Failed) == 0 {
		return s, noMatch(s.Name, sel, names)
	}
	return s, nil
}

// openObject reads an ELF object from a file or standard input.
func (o Opener) openObject(arg string, sel Selector) (Source, Selector, error) {
	file := arg
	if arg != "-" {
		if f, p, ok := object.Split(arg); ok {
			file, sel = f, Selector{name: p}
		}
	}
	data, err := readWithin(file, o.In, o.Limits)
	if err != nil {
		return Source{}, sel, err
	}
	if hint := notAnObject(data); hint != "" {
		return Source{}, sel, fmt.Errorf("%s: not an ELF object: %s", file, hint)
	}
	whole, err := o.Limits.ELF(file, data)
	if err != nil {
		return Source{}, sel, err
	}
	if o.Kernel != nil {
		whole = o.Kernel.Apply(whole)
	}
	s := Source{Name: file, Diags: whole.Diags, Refused: whole.Refused, License: whole.License, Object: data, Whole: whole}
	s.Programs = slices.Clone(whole.Programs) // keep drops some
	for _, f := range whole.Failed {
		s.Failed = append(s.Failed, Failure{f.Name, f.Section, f.Err})
	}
	return s, sel, nil
}

// notAnObject guesses the format of a file that is not an ELF object; empty for an ELF object.
func notAnObject(data []byte) string {
	switch {
	case len(data) == 0:
		return "the file is empty"
	case bytes.HasPrefix(data, []byte("\x7fELF")):
		return ""
	case bytes.HasPrefix(data, []byte("\x1f\x8b")), bytes.HasPrefix(data, []byte("{")):
		return "it may be a record file: use record:FILE#NAME"
	}
	switch otherFormat(data) {
	case formatArchive:
		return "it is an archive: take its objects out with ar x, and name them"
	case formatBitcode:
		return "it is LLVM bitcode: compile without -emit-llvm and -flto"
	case "":
		return "for plain instructions use raw:FILE"
	default:
		return "it is " + otherFormat(data)
	}
}

// openRaw reads a file of instruction slots.
func openRaw(file string, limits load.Limits) (Source, error) {
	data, err := readWithin(file, nil, limits)
	if err != nil {
		return Source{}, err
	}
	p, err := limits.Raw(file, data, binary.LittleEndian)
	if err != nil {
		return Source{}, err
	}
	return Source{Name: "raw:" + file, Programs: []*bytecode.Program{p}}, nil
}

// keep drops the programs that are not selected. It returns the names of all programs.
func (s *Source) keep(sel Selector) (names []string) {
	if sel.All() {
		return nil
	}
	s.Programs = slices.DeleteFunc(s.Programs, func(p *bytecode.Program) bool {
		names = append(names, p.Name)
		return !sel.Selects(p.Name)
	})
	s.Failed = slices.DeleteFunc(s.Failed, func(f Failure) bool {
		names = append(names, f.Name)
		return !sel.Selects(f.Name)
	})
	return names
}

// ErrNoMatch is the cause when an input has no program that was selected.
var ErrNoMatch = errors.New("no such program")

// noMatch reports that an input has programs, but none that was selected.
func noMatch(input string, sel Selector, names []string) error {
	return fmt.Errorf("%s: %w: %s; the input has %s", input, ErrNoMatch, sel, Names(names))
}

// Names joins names, at most ten of them.
func Names(names []string) string {
	const most = 10
	if len(names) == 0 {
		return "none"
	}
	if len(names) > most {
		return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", len(names)-most)
	}
	return strings.Join(names, ", ")
}

// keepWithin counts programs that exceed the limits as failed: programs of records and of the
// kernel are made before their length is known.
func (s *Source) keepWithin(l load.Limits) {
	if l.Insns == 0 {
		return
	}
	s.Programs = slices.DeleteFunc(s.Programs, func(p *bytecode.Program) bool {
		long := len(p.Insns) > l.Insns
		if long {
			s.Failed = append(s.Failed, Failure{p.Name, p.Section,
				fmt.Errorf("%s, more than --max-insns %d: %w", visible.Count(len(p.Insns), "slot"), l.Insns, load.ErrTooLarge)})
		}
		return long
	})
}

// NeverCalled returns the functions of an object that none of its programs contains.
func (s *Source) NeverCalled() []load.Function {
	if s.Whole == nil {
		return nil
	}
	have := make([]bool, len(s.Whole.Functions)+1)
	for _, p := range s.Whole.Programs {
		for _, sub := range p.Subprogs {
			have[sub.From] = true
		}
	}
	if len(s.Whole.Failed) > 0 { // it is unknown what those call
		return nil
	}
	var out []load.Function
	for i, f := range s.Whole.Functions {
		if !have[i+1] {
			out = append(out, f)
		}
	}
	return out
}

// Compilers returns the compilers that an object names.
func (s *Source) Compilers() []load.Compiler {
	if s.Whole == nil {
		return nil
	}
	return s.Whole.Compilers
}
