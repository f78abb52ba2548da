package main

import (
	"bytes"
	"debug/elf"
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

	"github.com/bmatcuk/doublestar/v4"

	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/internal/ask"
	"github.com/bpfcfg/bpfcfg/internal/object"
	"github.com/bpfcfg/bpfcfg/internal/report"
	"github.com/bpfcfg/bpfcfg/internal/visible"
)

// excludeFlags say what to leave out of directories.
type excludeFlags struct {
	Exclude []string `help:"In directories, skip files and directories whose path ends in a match of GLOB (*, ?, [a-z]; ** matches directories). Repeatable." placeholder:"GLOB" sep:"none"`
}

// inputFile is an object of a directory, or what the command line names.
type inputFile struct {
	name  string // what open takes
	dir   string // the directory argument that it is in; "" when it is named itself
	given string // the argument
}

// inDir returns the file's path in the directory that was given, with slashes.
func (f inputFile) inDir() string {
	file, _ := object.File(f.name)
	rel, err := filepath.Rel(f.dir, file)
	if err != nil {
		return f.name
	}
	return filepath.ToSlash(rel)
}

// passedOver is a file of a directory that is no object to work on.
type passedOver struct {
	name string
	why  string
}

// inputList is what the arguments of a verb stand for.
type inputList struct {
	files  []inputFile
	passed []passedOver

	opened    int      // inputs that have been handed out
	failed    []error  // those that could not be read
	unmatched []string // names of programs of inputs without a selected one
	selector  selector
}

// inputs finds the inputs that the arguments stand for, and what --prog selects.
func (f *excludeFlags) inputs(args, prog []string) (*inputList, error) {
	sel, err := newSelector(prog)
	if err != nil {
		return nil, err
	}
	l, err := f.expand(args)
	if err == nil {
		l.selector = sel
	}
	return l, err
}

// expand finds the inputs that the arguments stand for: a directory is the objects
// below it in lexical order. An argument that cannot be looked at is an input that
// fails when it is opened.
func (f *excludeFlags) expand(args []string) (*inputList, error) {
	for _, g := range f.Exclude {
		if !doublestar.ValidatePattern(g) || g == "" {
			return nil, usagef("--exclude %q: not a glob", g)
		}
	}
	l := &inputList{}
	for _, arg := range args {
		m, path, asked, err := ask.ParseMachine(arg)
		if !asked || err != nil {
			path = arg
		}
		before := len(l.files)
		if st, err := os.Stat(path); err != nil || !st.IsDir() {
			l.files = append(l.files, inputFile{name: arg, given: arg})
			continue
		}
		if err := f.walk(l, path); err != nil {
			return nil, err
		}
		for i := before; asked && i < len(l.files); i++ {
			l.files[i].name = m.String() + ":" + l.files[i].name
		}
	}
	return l, nil
}

// walk adds the objects below a directory.
func (f *excludeFlags) walk(l *inputList, dir string) error {
	before := len(l.files) + len(l.passed)
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() == ".git", d.IsDir() && name != dir && f.excludes(dir, name):
			return filepath.SkipDir
		case !d.Type().IsRegular() || f.excludes(dir, name):
			return nil
		}
		machine, isObject := sniff(name)
		switch {
		case isObject && machine == "":
			l.files = append(l.files, inputFile{name, dir, dir})
		case isObject:
			l.passed = append(l.passed, passedOver{name, machine})
		}
		return nil
	})
	if err != nil {
		return inputError(fmt.Errorf("read directory %s: %w", dir, err))
	}
	if len(l.files)+len(l.passed) == before {
		return inputError(fmt.Errorf("directory %s contains no object: name an object", dir))
	}
	return nil
}

// sort puts the inputs in the order of their names, each once.
func (l *inputList) sort() {
	slices.SortFunc(l.files, func(a, b inputFile) int { return strings.Compare(a.name, b.name) })
	l.files = slices.CompactFunc(l.files, func(a, b inputFile) bool { return a.name == b.name })
}

// excludes reports whether a file or directory below dir is left out.
func (f *excludeFlags) excludes(dir, name string) bool {
	rel, err := filepath.Rel(dir, name)
	if err != nil {
		return false
	}
	whole := filepath.ToSlash(filepath.Join(dir, rel))
	return slices.ContainsFunc(f.Exclude, func(g string) bool {
		g = strings.TrimSuffix(strings.TrimPrefix(g, "./"), "/")
		if g == "" {
			return false
		}
		end, _ := doublestar.Match("**/"+g, filepath.ToSlash(rel))
		exact, _ := doublestar.Match(g, whole)
		return end || exact
	})
}

// sniff looks at the first bytes of a file: whether it is an object, by its name or
// as an ELF file for BPF, and which other machine it is for, if it is for one. A
// file called .o that is nothing known counts as an object, so that a damaged one is
// not passed over.
func sniff(name string) (machine string, isObject bool) {
	byName := filepath.Ext(name) == ".o"
	f, err := os.Open(name)
	if err != nil {
		return "", byName
	}
	defer f.Close()
	head := make([]byte, 20)
	n, _ := io.ReadFull(f, head)
	head = head[:n]
	if m, ok := elfMachine(head); ok {
		if m == elf.EM_BPF {
			return "", true
		}
		if m != elf.EM_NONE {
			machine = strings.ToLower(strings.TrimPrefix(m.String(), "EM_"))
		}
		return machine, byName
	}
	return otherFormat(head), byName
}

// otherFormat names the format of a file that begins with head when it is one that
// build trees have and that is no ELF file.
func otherFormat(head []byte) string {
	for magic, what := range map[string]string{
		"BC\xc0\xde": formatBitcode, "\xde\xc0\x17\x0b": formatBitcode, "\xcf\xfa\xed\xfe": "Mach-O", "\x00asm": "wasm",
		"!<arch>\n": formatArchive, "!<thin>\n": formatArchive,
	} {
		if bytes.HasPrefix(head, []byte(magic)) {
			return what
		}
	}
	return ""
}

// Formats with an advice of their own.
const (
	formatBitcode = "LLVM bitcode"
	formatArchive = "archive"
)

// elfMachine returns the machine of an ELF file from its first 20 bytes.
func elfMachine(head []byte) (elf.Machine, bool) {
	if len(head) < 20 || !bytes.HasPrefix(head, []byte(elf.ELFMAG)) {
		return 0, false
	}
	if elf.Data(head[elf.EI_DATA]) == elf.ELFDATA2MSB {
		return elf.Machine(binary.BigEndian.Uint16(head[18:])), true
	}
	return elf.Machine(binary.LittleEndian.Uint16(head[18:])), true
}

// sources opens one input after the other, so that any number of them needs the
// memory of one. An input that cannot be read does not end the run: end reports it.
func (l *inputList) sources(std streams) iter.Seq2[inputFile, source] {
	return func(yield func(inputFile, source) bool) {
		std.guests.expect(l.files)
		for _, f := range l.files {
			s, err := open(f.name, l.selector, std)
			if l.lacks(f, err) {
				continue
			}
			if len(l.files) == 1 && l.lacks(f, std.config.unused()) {
				return
			}
			l.opened++
			if !yield(f, s) {
				return
			}
		}
	}
}

// lacks records why an input has nothing to work on, and reports whether that is so.
func (l *inputList) lacks(f inputFile, err error) bool {
	switch {
	case err == nil:
		return false
	case f.dir != "" && errors.Is(err, load.ErrNoPrograms):
		l.passed = append(l.passed, passedOver{f.name, "no programs"})
	case f.dir != "" && errors.Is(err, errNoMatch):
		l.unmatched = append(l.unmatched, f.name)
	default:
		l.failed = append(l.failed, err)
	}
	return true
}

// end says what was passed over and what could not be read, and returns the error
// that this comes to. It is called when the inputs have been worked on.
func (l *inputList) end(std streams) error {
	var r report.Report
	for _, p := range l.passed {
		r.Passed = append(r.Passed, report.Passed{Name: p.name, Why: p.why})
	}
	if line := r.PassedLine(); line != "" {
		fmt.Fprintf(std.err, "bpfcfg: %s\n", line)
	}
	switch n := len(l.failed); {
	case n == 1:
		return l.failed[0]
	case n > 1:
		for _, err := range l.failed {
			fmt.Fprintf(std.err, "bpfcfg: %s\n", message(err))
		}
		return inputError(fmt.Errorf("%s could not be read", visible.Count(n, "input")))
	case l.opened == 0 && len(l.unmatched) > 0:
		return inputError(fmt.Errorf("%w: %s, in %s", errNoMatch, l.selector, visible.Count(len(l.unmatched), "input")))
	case l.opened == 0:
		return inputError(errors.New("the inputs contain no program: name an object with programs"))
	}
	return nil
}

// openOne loads the input of a verb that takes one.
func openOne(arg string, prog []string, std streams) (source, error) {
	sel, err := newSelector(prog)
	if err != nil {
		return source{}, err
	}
	if st, err := os.Stat(arg); err == nil && st.IsDir() {
		return source{}, usagef("%s is a directory: name one object", arg)
	}
	s, err := open(arg, sel, std)
	if err == nil {
		err = std.config.unused()
	}
	return s, err
}

// worse returns the error with the status that wins: a failure before a difference.
func worse(a, b error) error {
	if a == nil || b != nil && statusOf(b) == exitInput && statusOf(a) != exitInput {
		return b
	}
	return a
}

// pictureTitle names an input in pictures: its path below the root, or its last element.
func pictureTitle(std streams, input string) string {
	n := std.root.Name(input)
	if strings.HasPrefix(string(n), "../") || filepath.IsAbs(string(n)) {
		return n.Base()
	}
	return string(n)
}
