package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/internal/live"
	"github.com/bpfcfg/bpfcfg/internal/record"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
)

// maxInput is the size limit of an input file in bytes.
const maxInput = 256 << 20

// source is one input: what its name stands for, loaded.
type source struct {
	name     string // as the user wrote it, without a #program
	programs []*bytecode.Program
	failed   []failure    // programs that could not be loaded
	profile  *jit.Profile // the record's, nil for other inputs
	diags    []string     // what is odd about the file as a whole

	// loaded tells how a record's programs were loaded, harden asks for
	// constant blinding of all programs.
	loaded map[*bytecode.Program]rewrite.Options
	harden bool

	license string // of an object
	object  []byte // of an object: the file
	live    map[*bytecode.Program]*live.Program
}

// failure is a program that cannot be analysed.
type failure struct {
	name, section string
	err           error
}

// inputs loads each input in turn, a directory as the objects below it, so that
// any number of them needs the memory of one. It ends at the first that cannot be
// read, with the error.
func inputs(args []string, prog string, std streams) iter.Seq2[source, error] {
	return func(yield func(source, error) bool) {
		for _, arg := range args {
			names, err := expand(arg)
			if err != nil {
				yield(source{}, err)
				return
			}
			for _, name := range names {
				s, err := open(name, prog, std)
				if !yield(s, err) || err != nil {
					return
				}
			}
		}
	}
}

// openInputs loads all inputs. It stops at the first that cannot be read.
func openInputs(args []string, prog string, std streams) ([]source, error) {
	var out []source
	for s, err := range inputs(args, prog, std) {
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// openOne loads an input of a verb that takes one file.
func openOne(arg, prog string, std streams) (source, error) {
	sources, err := openInputs([]string{arg}, prog, std)
	if err != nil {
		return source{}, err
	}
	if len(sources) != 1 {
		return source{}, usagef("%s is a directory: name one object", arg)
	}
	return sources[0], nil
}

// expand returns the inputs that arg stands for: the objects below a directory
// in lexical order, or arg itself.
func expand(arg string) ([]string, error) {
	if st, err := os.Stat(arg); err != nil || !st.IsDir() {
		return []string{arg}, nil
	}
	return filesBelow(arg, func(name string) bool { return filepath.Ext(name) == ".o" },
		"file that ends in .o: name an object")
}

// filesBelow returns the regular files below a directory whose name is wanted, in
// lexical order. That there is none is an error, which says what is missing.
func filesBelow(dir string, wanted func(name string) bool, what string) ([]string, error) {
	var out []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && wanted(path) {
			out = append(out, path)
		}
		return err
	})
	if err != nil {
		return nil, inputError(fmt.Errorf("read directory %s: %w", dir, err))
	}
	if len(out) == 0 {
		return nil, inputError(fmt.Errorf("directory %s holds no %s", dir, what))
	}
	slices.Sort(out)
	return out, nil
}

// open loads one input and keeps the programs that prog selects.
func open(arg, prog string, std streams) (source, error) {
	var s source
	var err error
	kind, rest, _ := strings.Cut(arg, ":")
	switch kind {
	case "raw":
		s, err = openRaw(rest, std.limits)
	case "record":
		file, name, _ := splitProgram(rest)
		s, err = openRecord(file, name, std.limits)
		prog = ""
	case "live":
		s, err = openLive(rest)
	default:
		s, prog, err = openObject(arg, prog, std)
	}
	if err != nil {
		return s, inputError(err)
	}
	s.keepWithin(std.limits)
	return selectProgram(s, prog)
}

// splitProgram separates FILE#NAME. A file whose name has a # is taken whole.
func splitProgram(arg string) (file, prog string, ok bool) {
	if _, err := os.Lstat(arg); err == nil {
		return arg, "", false
	}
	if i := strings.LastIndexByte(arg, '#'); i >= 0 {
		return arg[:i], arg[i+1:], true
	}
	return arg, "", false
}

// openObject reads an ELF object from a file or standard input.
func openObject(arg, prog string, std streams) (source, string, error) {
	file := arg
	if arg != "-" {
		if f, p, ok := splitProgram(arg); ok {
			file, prog = f, p
		}
	}
	data, err := readWithin(file, std.in, std.limits)
	if err != nil {
		return source{}, prog, err
	}
	if hint := notAnObject(data); hint != "" {
		return source{}, prog, fmt.Errorf("%s: not an ELF object: %s", file, hint)
	}
	o, err := std.limits.ELF(file, data)
	if err != nil {
		return source{}, prog, err
	}
	s := source{name: file, programs: o.Programs, diags: o.Diags, license: o.License, object: data}
	for _, f := range o.Failed {
		s.failed = append(s.failed, failure{f.Name, f.Section, f.Err})
	}
	return s, prog, nil
}

// notAnObject says what a file that is no ELF object may be, or nothing.
func notAnObject(data []byte) string {
	switch {
	case len(data) == 0:
		return "the file is empty"
	case bytes.HasPrefix(data, []byte("\x7fELF")):
		return ""
	case bytes.HasPrefix(data, []byte("\x1f\x8b")), bytes.HasPrefix(data, []byte("{")):
		return "it may be a record file: use record:FILE#NAME"
	default:
		return "for plain instructions use raw:FILE"
	}
}

// openRaw reads a file of instruction slots.
func openRaw(file string, limits load.Limits) (source, error) {
	data, err := readWithin(file, nil, limits)
	if err != nil {
		return source{}, err
	}
	p, err := limits.Raw(file, data, binary.LittleEndian)
	if err != nil {
		return source{}, err
	}
	return source{name: "raw:" + file, programs: []*bytecode.Program{p}}, nil
}

// openRecord reads the source program called name of a record file, or all of
// them when name is empty. The profile is that of the recorded machine.
func openRecord(file, name string, limits load.Limits) (source, error) {
	s := source{name: "record:" + file}
	if err := fits(file, limits); err != nil {
		return s, err
	}
	r, err := record.Open(file, record.Options{SkipLogs: true})
	if err != nil {
		return s, err
	}
	defer r.Close()
	if r.Kind() != record.FileRecords {
		return s, fmt.Errorf("record %s: a file of %s has no source programs: use bpfcfg replay", file, r.Kind())
	}
	var env *record.Env
	left := load.MaxLinked
	for rec, err := range r.Records() {
		if err != nil {
			return s, fmt.Errorf("record %s: %w", file, err)
		}
		if rec.Env != nil && env == nil {
			env = rec.Env
			if prof, err := envProfile(rec.Env); err == nil {
				s.profile = &prof
			}
		}
		if rec.Job == nil || name != "" && rec.Job.Name != name {
			continue
		}
		s.addJob(env, rec.Job, &left)
	}
	if len(s.programs)+len(s.failed) == 0 {
		return s, fmt.Errorf("record %s: no program called %q", file, name)
	}
	return s, nil
}

// addJob appends the program that a job submits; a job that only works on maps
// has none. What all programs of a file may take is bounded as for an object:
// a line asks for a large map with a few bytes.
func (s *source) addJob(env *record.Env, job *record.Job, left *int) {
	var p *bytecode.Program
	err := errTooMuch
	if *left > 0 { // else it is not even made
		if p, err = job.Program(); err == nil {
			if *left -= weight(p); *left <= 0 {
				err = errTooMuch
			}
		}
	}
	switch {
	case errors.Is(err, record.ErrNoProgram):
	case err != nil:
		s.failed = append(s.failed, failure{name: job.Name, err: err})
	default:
		s.programs = append(s.programs, p)
		if s.loaded == nil {
			s.loaded = map[*bytecode.Program]rewrite.Options{}
		}
		s.loaded[p] = loadOptions(env, job)
	}
}

// errTooMuch is the cause when the programs of a file of records are too much.
var errTooMuch = fmt.Errorf("the programs of this file have more than %d slots, table entries and words of map values "+
	"together: name one, as in record:FILE#NAME", load.MaxLinked)

// weight is what a program takes, in slots, table entries and words of map values.
func weight(p *bytecode.Program) int {
	n := len(p.Insns)
	for i := range p.Tables {
		n += len(p.Tables[i].Targets)
	}
	for i := range p.Maps {
		n += len(p.Maps[i].Value) / bytecode.SlotSize
	}
	return n
}

// loadOptions returns how a recorded job was loaded.
func loadOptions(env *record.Env, job *record.Job) rewrite.Options {
	lacks := func(capability string) bool {
		return slices.Contains(job.DropCaps, "all") || slices.Contains(job.DropCaps, capability)
	}
	o := rewrite.Options{AttachType: job.AttachType, NoCapBPF: lacks("CAP_BPF"), NoCapPerfmon: lacks("CAP_PERFMON")}
	const harden = "net.core.bpf_jit_harden"
	level, ok := job.Sysctl[harden]
	if !ok && env != nil {
		level = env.Sysctl[harden]
	}
	o.Blind = level == "2" || level == "1" && o.NoCapBPF
	return o
}

// errTooLarge is the cause when an input exceeds maxInput.
var errTooLarge = errors.New("larger than the limit of 256 MiB")

// readInput returns the content of a regular file, or of standard input for
// "-".
func readInput(file string, stdin io.Reader) ([]byte, error) {
	if file == "-" && stdin != nil {
		return readLimited(stdin, "standard input")
	}
	st, err := os.Stat(file)
	if err != nil {
		return nil, cause(file, err)
	}
	switch {
	case st.IsDir():
		return nil, fmt.Errorf("%s: is a directory: name a file in it", file)
	case !st.Mode().IsRegular():
		return nil, fmt.Errorf("%s: not a regular file: copy it to one, or pipe it in as -", file)
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, cause(file, err)
	}
	defer f.Close()
	return readLimited(f, file)
}

// readLimited reads r to its end, at most maxInput bytes.
func readLimited(r io.Reader, name string) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxInput+1))
	if err != nil {
		return nil, cause(name, err)
	}
	if len(data) > maxInput {
		return nil, fmt.Errorf("%s: %w", name, errTooLarge)
	}
	return data, nil
}

// cause gives err with the file named once.
func cause(file string, err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return fmt.Errorf("%s: %w", file, err)
}

// selectProgram keeps the programs called prog, all when it is empty.
func selectProgram(s source, prog string) (source, error) {
	if prog == "" {
		return s, nil
	}
	var names []string
	programs, failed := s.programs, s.failed
	s.programs, s.failed = nil, nil
	for _, p := range programs {
		names = append(names, p.Name)
		if p.Name == prog {
			s.programs = append(s.programs, p)
		}
	}
	for _, f := range failed {
		names = append(names, f.name)
		if f.name == prog {
			s.failed = append(s.failed, f)
		}
	}
	if len(s.programs)+len(s.failed) == 0 {
		return s, inputError(fmt.Errorf("%s: no program called %q, only %s", s.name, prog, listNames(names)))
	}
	return s, nil
}

// listNames joins names, at most ten of them.
func listNames(names []string) string {
	const most = 10
	if len(names) == 0 {
		return "none at all"
	}
	if len(names) > most {
		return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", len(names)-most)
	}
	return strings.Join(names, ", ")
}
