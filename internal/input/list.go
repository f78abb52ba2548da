package input

import (
	"errors"
	"fmt"
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
)

// File is an object of a directory, or an input that the command line names.
type File struct {
	Name  string // what Open takes
	Dir   string // the directory argument that it is in; "" when it is named itself
	Given string // the argument
}

// InDir returns the file's path in the directory that was given, with slashes.
func (f File) InDir() string {
	file, _ := object.File(f.Name)
	rel, err := filepath.Rel(f.Dir, file)
	if err != nil {
		return f.Name
	}
	return filepath.ToSlash(rel)
}

// Passed is a file of a directory that is no object to work on.
type Passed struct {
	Name string
	Why  string
}

// List holds the inputs that the arguments of a verb name.
type List struct {
	Files     []File
	Passed    []Passed
	Opened    int      // inputs that have been handed out
	Failed    []error  // those that could not be read
	Unmatched []string // inputs without a selected program
	Selector  Selector
}

// exclusion holds the globs of files and directories to leave out.
type exclusion []string

// Find finds the inputs that the arguments stand for: a directory stands for the objects below it
// in lexical order, except those that the globs exclude. An argument that cannot be examined is an
// input that fails when it is opened. Programs are selected whose names match one of the globs
// prog, or all if there is none.
func Find(args, prog, exclude []string) (*List, error) {
	sel, err := NewSelector(prog)
	if err != nil {
		return nil, err
	}
	for _, g := range exclude {
		if !doublestar.ValidatePattern(g) || g == "" {
			return nil, Misusef("--exclude %q: not a glob", g)
		}
	}
	l := &List{Selector: sel}
	for _, arg := range args {
		m, path, asked, err := ask.ParseMachine(arg)
		if !asked || err != nil {
			path = arg
		}
		before := len(l.Files)
		if st, err := os.Stat(path); err != nil || !st.IsDir() {
			l.Files = append(l.Files, File{Name: arg, Given: arg})
			continue
		}
		if err := exclusion(exclude).walk(l, path); err != nil {
			return nil, err
		}
		for i := before; asked && i < len(l.Files); i++ {
			l.Files[i].Name = m.String() + ":" + l.Files[i].Name
		}
	}
	return l, nil
}

// walk adds the objects below a directory.
func (x exclusion) walk(l *List, dir string) error {
	before := len(l.Files) + len(l.Passed)
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() == ".git", d.IsDir() && name != dir && x.excludes(dir, name):
			return filepath.SkipDir
		case !d.Type().IsRegular() || x.excludes(dir, name):
			return nil
		}
		machine, isObject := sniff(name)
		switch {
		case isObject && machine == "":
			l.Files = append(l.Files, File{name, dir, dir})
		case isObject:
			l.Passed = append(l.Passed, Passed{name, machine})
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read directory %s: %w", dir, err)
	}
	if len(l.Files)+len(l.Passed) == before {
		return fmt.Errorf("directory %s contains no object: name an object", dir)
	}
	return nil
}

// Sort puts the inputs in the order of their names, each once.
func (l *List) Sort() {
	slices.SortFunc(l.Files, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	l.Files = slices.CompactFunc(l.Files, func(a, b File) bool { return a.Name == b.Name })
}

// excludes reports whether a file or directory below dir is left out.
func (x exclusion) excludes(dir, name string) bool {
	rel, err := filepath.Rel(dir, name)
	if err != nil {
		return false
	}
	whole := filepath.ToSlash(filepath.Join(dir, rel))
	return slices.ContainsFunc(x, func(g string) bool {
		g = strings.TrimSuffix(strings.TrimPrefix(g, "./"), "/")
		if g == "" {
			return false
		}
		end, _ := doublestar.Match("**/"+g, filepath.ToSlash(rel))
		exact, _ := doublestar.Match(g, whole)
		return end || exact
	})
}

// Sources opens one input after the other, so that any number of them needs the
// memory of one. An input that cannot be read does not end the run: it is in Failed.
func (l *List) Sources(o Opener) iter.Seq2[File, Source] {
	return func(yield func(File, Source) bool) {
		o.Guests.Expect(l.Files)
		for _, f := range l.Files {
			s, err := o.Open(f.Name, l.Selector)
			if l.Lacks(f, err) {
				continue
			}
			if len(l.Files) == 1 && l.Lacks(f, o.Config.Unused()) {
				return
			}
			l.Opened++
			if !yield(f, s) {
				return
			}
		}
	}
}

// Lacks reports whether an input has no selected program, and records the reason.
func (l *List) Lacks(f File, err error) bool {
	switch {
	case err == nil:
		return false
	case f.Dir != "" && errors.Is(err, load.ErrNoPrograms):
		l.Passed = append(l.Passed, Passed{f.Name, "no programs"})
	case f.Dir != "" && errors.Is(err, ErrNoMatch):
		l.Unmatched = append(l.Unmatched, f.Name)
	default:
		l.Failed = append(l.Failed, err)
	}
	return true
}

// pictureTitle names an input in pictures: its path below the root, or its last element.
func (o Opener) pictureTitle(input string) string {
	n := o.Root.Name(input)
	if strings.HasPrefix(string(n), "../") || filepath.IsAbs(string(n)) {
		return n.Base()
	}
	return string(n)
}
