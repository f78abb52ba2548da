package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/internal/live"
	"github.com/bpfcfg/bpfcfg/internal/object"
	"github.com/bpfcfg/bpfcfg/internal/record"
	"github.com/bpfcfg/bpfcfg/internal/replay"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
)

// maxInput is the size limit of an input file in bytes.
const maxInput = 256 << 20

// source is one input: what its name stands for, loaded.
type source struct {
	name      string // as the user wrote it, without a #program
	title     string // of pictures
	programs  []*bytecode.Program
	failed    []failure    // programs that could not be loaded
	profile   *jit.Profile // the record's, nil for other inputs
	noProfile error        // why there is none of a record's machine
	diags     []string     // what is odd about the file as a whole
	refused   []string     // what libbpf refuses about it

	// loaded describes how a record's programs were loaded, harden requests
	// constant blinding of all programs.
	loaded map[*bytecode.Program]rewrite.Options
	harden bool

	license string       // of an object
	object  []byte       // of an object: the file
	whole   *load.Object // the object itself, with programs that are not selected
	live    map[*bytecode.Program]*live.Program
	// records opens the records that the programs are from, nil for other sources.
	// asked holds those of kernels that were started for this run, and cannot be
	// predicted better than they have answered.
	records func(record.Options) (*record.Reader, error)
	asked   map[*bytecode.Program]*asked
}

// failure is a program that cannot be analysed.
type failure struct {
	name, section string
	err           error
}

// open loads one input and keeps the programs that are selected. That there is none
// is an error that wraps errNoMatch.
func open(arg string, sel selector, std streams) (source, error) {
	var s source
	var err error
	kind, rest, _ := strings.Cut(arg, ":")
	switch kind {
	case "raw":
		s, err = openRaw(rest, std.limits)
	case "record":
		file, name, _ := object.Split(rest)
		s, err = openRecord(file, name, std.limits)
		sel = selector{}
	case "live":
		s, err = openLive(rest)
	case "vm", "uml":
		s, sel, err = openAsked(arg, sel, std)
	default:
		s, sel, err = openObject(arg, sel, std)
	}
	if err != nil {
		return s, inputError(err)
	}
	s.title = pictureTitle(std, s.name)
	s.keepWithin(std.limits)
	if err := std.config.apply(&s); err != nil {
		return s, err
	}
	if names := s.keep(sel); len(s.programs)+len(s.failed) == 0 {
		return s, noMatch(s.name, sel, names)
	}
	return s, nil
}

// openObject reads an ELF object from a file or standard input.
func openObject(arg string, sel selector, std streams) (source, selector, error) {
	file := arg
	if arg != "-" {
		if f, p, ok := object.Split(arg); ok {
			file, sel = f, selector{name: p}
		}
	}
	data, err := readWithin(file, std.in, std.limits)
	if err != nil {
		return source{}, sel, err
	}
	if hint := notAnObject(data); hint != "" {
		return source{}, sel, fmt.Errorf("%s: not an ELF object: %s", file, hint)
	}
	o, err := std.limits.ELF(file, data)
	if err != nil {
		return source{}, sel, err
	}
	if std.kernel != nil {
		o = std.kernel.Apply(o)
	}
	s := source{name: file, programs: o.Programs, diags: o.Diags, refused: o.Refused, license: o.License, object: data,
		whole: o}
	s.programs = slices.Clone(o.Programs) // keep drops some
	for _, f := range o.Failed {
		s.failed = append(s.failed, failure{f.Name, f.Section, f.Err})
	}
	return s, sel, nil
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
		return s, fmt.Errorf("record %s: a file of %s contains no source programs: use bpfcfg replay", file, r.Kind())
	}
	s.records = func(opt record.Options) (*record.Reader, error) { return record.Open(file, opt) }
	return s, s.read(r, file, name)
}

// read adds the programs of records.
func (s *source) read(r *record.Reader, file, name string) error {
	var env *record.Env
	left := load.MaxLinked
	for rec, err := range r.Records() {
		if err != nil {
			return fmt.Errorf("record %s: %w", file, err)
		}
		if rec.Env != nil && env == nil {
			env = rec.Env
			prof, err := replay.ProfileOf(rec.Env)
			if s.noProfile = err; err == nil {
				s.profile = &prof
			}
		}
		if rec.Job == nil || name != "" && rec.Job.Name != name {
			continue
		}
		s.addJob(env, rec, &left)
	}
	if len(s.programs)+len(s.failed) == 0 {
		return fmt.Errorf("record %s: no program %q", file, name)
	}
	return nil
}

// addJob appends the program that a job submits; a job that only works on maps
// has none. What all programs of a file may take is bounded as for an object:
// a line can request a large map with a few bytes.
func (s *source) addJob(env *record.Env, rec *record.Record, left *int) {
	job := rec.Job
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
		if s.asked != nil {
			s.asked[p] = &asked{env: env, record: rec}
		}
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
	f, name, err := openInput(file, stdin)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readLimited(f, name)
}

// openInput opens a regular file, or standard input for "-", and returns what messages
// call it.
func openInput(file string, stdin io.Reader) (io.ReadCloser, string, error) {
	if file == "-" && stdin != nil {
		return io.NopCloser(stdin), "standard input", nil
	}
	st, err := os.Stat(file)
	if err != nil {
		return nil, "", cause(file, err)
	}
	switch {
	case st.IsDir():
		return nil, "", fmt.Errorf("%s: is a directory: name a file in it", file)
	case !st.Mode().IsRegular() && !substituted(file, st):
		return nil, "", fmt.Errorf("%s: not a regular file: copy it to a regular file, or pipe it in with -", file)
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, "", cause(file, err)
	}
	return f, file, nil
}

// substituted reports whether a file is an open pipe of the process, as the shell's
// <(command) makes it. A pipe elsewhere may have no writer, and opening it no end.
func substituted(file string, st os.FileInfo) bool {
	return st.Mode()&fs.ModeNamedPipe != 0 &&
		(strings.HasPrefix(file, "/dev/fd/") || strings.HasPrefix(file, "/proc/self/fd/"))
}

// readOnce reports whether an input can be read but once.
func readOnce(input string) bool {
	file, ok := object.File(input)
	if !ok {
		return input == "-"
	}
	st, err := os.Stat(file)
	return err == nil && !st.Mode().IsRegular()
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

// selector chooses programs: by globs of their names, or by one name.
type selector struct {
	globs []string // none for all
	name  string   // of FILE#NAME, "" for none
}

// newSelector reads --prog.
func newSelector(globs []string) (selector, error) {
	for _, g := range globs {
		if _, err := path.Match(g, ""); err != nil {
			return selector{}, usagef("--prog %s: not a glob: %w", g, err)
		}
	}
	return selector{globs: globs}, nil
}

// all reports whether every program is chosen.
func (s selector) all() bool { return len(s.globs) == 0 && s.name == "" }

// selects reports whether a program of this name is chosen. A name is a glob that
// matches itself, whatever characters are in it.
func (s selector) selects(name string) bool {
	if s.name != "" {
		return name == s.name
	}
	return len(s.globs) == 0 || slices.ContainsFunc(s.globs, func(g string) bool {
		ok, _ := path.Match(g, name)
		return ok || g == name
	})
}

// String names what is chosen, for messages.
func (s selector) String() string {
	if s.name != "" {
		return strconv.Quote(s.name)
	}
	return strings.Join(s.globs, ", ")
}

// keep drops the programs that are not chosen. It returns the names of those that
// there were.
func (s *source) keep(sel selector) (names []string) {
	if sel.all() {
		return nil
	}
	s.programs = slices.DeleteFunc(s.programs, func(p *bytecode.Program) bool {
		names = append(names, p.Name)
		return !sel.selects(p.Name)
	})
	s.failed = slices.DeleteFunc(s.failed, func(f failure) bool {
		names = append(names, f.name)
		return !sel.selects(f.name)
	})
	return names
}

// errNoMatch is the cause when an input has no program that was selected.
var errNoMatch = errors.New("no such program")

// noMatch reports that an input has programs, but none that was selected.
func noMatch(input string, sel selector, names []string) error {
	return inputError(fmt.Errorf("%s: %w: %s; the input has %s", input, errNoMatch, sel, listNames(names)))
}

// listNames joins names, at most ten of them.
func listNames(names []string) string {
	const most = 10
	if len(names) == 0 {
		return "none"
	}
	if len(names) > most {
		return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", len(names)-most)
	}
	return strings.Join(names, ", ")
}
