// Package goldenfiles finds the golden file of each program and kernel, and compares or writes it.
//
//	p, err := goldenfiles.NewPlan(opener, list, args, "golden", profiles)
//	r, err := p.Jobs[0].Do(goldenfiles.NewCache(opener), goldenfiles.Check)
//
// Package golden defines layouts and explains why two of them differ.
package goldenfiles

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/golden"
	"github.com/bpfcfg/bpfcfg/internal/input"
	"github.com/bpfcfg/bpfcfg/internal/object"
	"github.com/bpfcfg/bpfcfg/jit"
)

// layoutExt is the extension of golden files.
const layoutExt = ".layout"

// Job is a program to be compared under one profile. It names the program
// only, since all programs of many objects would fill the memory; see Cache.
type Job struct {
	Source        string
	Name, Section string
	Profile       jit.Profile
	path          string

	input string            // what Open takes
	index int               // of the program there
	kept  *bytecode.Program // of an input that can be read only once
}

// Cache opens the inputs of jobs again, and keeps the last one. Several jobs may use
// it at a time.
type Cache struct {
	opener input.Opener
	mu     sync.Mutex
	input  string
	s      input.Source
}

// NewCache returns a cache that holds nothing yet.
func NewCache(o input.Opener) *Cache { return &Cache{opener: o} }

// program returns the program of a job.
func (c *Cache) program(j *Job) (*bytecode.Program, error) {
	if j.kept != nil {
		return j.kept, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.input != j.input {
		s, err := c.opener.Open(j.input, input.Selector{})
		if err != nil {
			return nil, err
		}
		c.input, c.s = j.input, s
	}
	if j.index >= len(c.s.Programs) || c.s.Programs[j.index].Name != j.Name && !strings.HasPrefix(c.s.Name, "raw:") {
		return nil, fmt.Errorf("%s has changed while it was read", j.Source)
	}
	return named(&c.s, c.s.Programs[j.index]), nil
}

// named returns a program with the name of its golden file: the path of a raw file is
// not part of it.
func named(s *input.Source, p *bytecode.Program) *bytecode.Program {
	if strings.HasPrefix(s.Name, "raw:") {
		return called(p, filepath.Base(p.Name))
	}
	return p
}

// Plan is the work of a run.
type Plan struct {
	Jobs   []Job
	Failed []Failure

	list    *input.List
	dir     string                  // of the golden files
	root    object.Root             // that objects are named relative to
	owner   map[string]string       // of each golden file, its input
	objects map[string]*objectFiles // by path of the object's name, below dir
	mirrors []string                // paths of directories of which all objects are among the inputs
}

// objectFiles is an object's directory of golden files.
type objectFiles struct {
	whole bool            // all its programs are among the jobs
	names map[string]bool // of its programs, also those that cannot be analysed, as golden.Word
}

// Failure is a program that cannot be analysed, and its input.
type Failure struct {
	Source string
	input.Failure
}

// NewPlan opens the inputs that arguments stand for and names the golden file, below a
// directory, of each program and profile.
func NewPlan(o input.Opener, list *input.List, args []string, dir string,
	profiles func(input.Source) ([]jit.Profile, error)) (*Plan, error) {
	plan := &Plan{list: list, dir: dir, root: o.Root, objects: map[string]*objectFiles{}, owner: map[string]string{}}
	for _, arg := range args {
		if st, err := os.Stat(arg); err == nil && st.IsDir() && list.Selector.All() {
			plan.mirrors = append(plan.mirrors, o.Root.Name(arg).Path())
		}
	}
	for _, f := range list.Files {
		s, err := o.Open(f.Name, input.Selector{})
		if list.Lacks(f, err) {
			continue
		}
		list.Opened++
		profs, err := profiles(s)
		if err != nil {
			return nil, err
		}
		if err := plan.addObject(s, profs, f.Name, o.Root.Name(f.Name).Path()); err != nil {
			return nil, err
		}
	}
	if list.Opened > 0 && len(plan.Jobs)+len(plan.Failed) == 0 && !list.Selector.All() {
		return nil, fmt.Errorf("%w: %s", input.ErrNoMatch, list.Selector)
	}
	return plan, nil
}

// addObject adds the jobs of one source, which was opened by the name opened.
func (p *Plan) addObject(s input.Source, profiles []jit.Profile, opened, dir string) error {
	sel := p.list.Selector
	o := p.objects[dir]
	if o == nil {
		o = &objectFiles{names: map[string]bool{}}
		p.objects[dir] = o
	}
	o.whole = o.whole || sel.All() && s.Name == opened
	for _, f := range s.Failed {
		if o.names[golden.Word(f.Name)] = true; sel.Selects(f.Name) {
			p.Failed = append(p.Failed, Failure{s.Name, f})
		}
	}
	for i, prog := range s.Programs {
		if !sel.Selects(prog.Name) {
			continue
		}
		prog = named(&s, prog)
		var kept *bytecode.Program
		if input.ReadOnce(opened) {
			kept = prog
		}
		o.names[golden.Word(prog.Name)] = true
		for _, prof := range profiles {
			name := object.Element(prog.Name) + "." + object.Element(prof.Name) + layoutExt
			path := filepath.Join(p.dir, filepath.FromSlash(dir), name)
			if other, ok := p.owner[path]; ok {
				return input.Misusef("programs of %s and %s would share the golden file %s: "+
					"pass their common directory, or rename a program",
					other, s.Name, path)
			}
			p.owner[path] = s.Name
			p.Jobs = append(p.Jobs, Job{s.Name, prog.Name, prog.Section, prof, path, opened, i, kept})
		}
	}
	return nil
}

// called returns a program under another name.
func called(p *bytecode.Program, name string) *bytecode.Program {
	out := *p
	out.Subprogs = slices.Clone(p.Subprogs)
	if len(out.Subprogs) > 0 && out.Subprogs[0].Name == p.Name {
		out.Subprogs[0].Name = name
	}
	out.Name = name
	return &out
}

// gone reports whether an object no longer exists and would be among the inputs if it did.
func (p *Plan) gone(path string) bool {
	inside := slices.ContainsFunc(p.mirrors, func(dir string) bool {
		return path == dir || strings.HasPrefix(path, dir+"/") || dir == "." && !p.root.Outside(path)
	})
	if !inside {
		return false
	}
	_, there := p.root.Find(path)
	return !there
}

// Stale returns the golden files whose programs no longer exist: those of objects that were given
// whole, and of objects that no longer exist below a given directory. Files that are not layouts
// are left alone.
func (p *Plan) Stale() ([]string, error) {
	var out []string
	err := filepath.WalkDir(p.dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case path == p.dir && errors.Is(err, fs.ErrNotExist):
			return filepath.SkipAll
		case err != nil:
			return err
		case d.IsDir() && path != p.dir && strings.HasPrefix(d.Name(), "."):
			return filepath.SkipDir // .git
		case !d.Type().IsRegular() || filepath.Ext(path) != layoutExt:
			return nil
		}
		rel, err := filepath.Rel(p.dir, filepath.Dir(path))
		if err != nil {
			return err
		}
		dir := filepath.ToSlash(rel)
		o := p.objects[dir]
		if o == nil && !p.gone(dir) || o != nil && !o.whole {
			return nil
		}
		if l, err := readGolden(path); err == nil && (o == nil || !o.names[l.Program]) {
			out = append(out, path)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
