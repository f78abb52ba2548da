package main

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
	"github.com/bpfcfg/bpfcfg/internal/object"
	"github.com/bpfcfg/bpfcfg/jit"
)

// layoutExt is how golden files end.
const layoutExt = ".layout"

// goldenJob is a program to be compared under one profile. It names the program
// only, since all programs of many objects would fill the memory; see programCache.
type goldenJob struct {
	source, path  string
	name, section string
	profile       jit.Profile

	input string            // what open takes
	index int               // of the program there
	kept  *bytecode.Program // of an input that can be read but once
}

// programCache opens the inputs of jobs again, and keeps the last one. Several jobs may use
// it at a time.
type programCache struct {
	std   streams
	mu    sync.Mutex
	input string
	s     source
}

// program returns the program of a job.
func (l *programCache) program(j *goldenJob) (*bytecode.Program, error) {
	if j.kept != nil {
		return j.kept, nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.input != j.input {
		s, err := open(j.input, selector{}, l.std)
		if err != nil {
			return nil, err
		}
		l.input, l.s = j.input, s
	}
	if j.index >= len(l.s.programs) || l.s.programs[j.index].Name != j.name && !strings.HasPrefix(l.s.name, "raw:") {
		return nil, fmt.Errorf("%s has changed while it was read", j.source)
	}
	return named(&l.s, l.s.programs[j.index]), nil
}

// named returns a program as its golden file calls it: the path of a raw file is
// no part of the program.
func named(s *source, p *bytecode.Program) *bytecode.Program {
	if strings.HasPrefix(s.name, "raw:") {
		return called(p, filepath.Base(p.Name))
	}
	return p
}

// goldenPlan is what a run works on.
type goldenPlan struct {
	inputs  *inputList
	jobs    []goldenJob
	failed  []goldenFailure
	objects map[string]*goldenObject // by path of the object's name, below Dir
	mirrors []string                 // paths of directories of which all objects are among the inputs
}

// goldenObject is an object's directory of golden files.
type goldenObject struct {
	whole bool            // all its programs are among the jobs
	names map[string]bool // of its programs, also those that cannot be analysed, as golden.Word
}

// goldenFailure is a program that cannot be analysed, and its input.
type goldenFailure struct {
	source string
	failure
}

// plan opens the inputs and names the golden file of each program and profile.
func (c *goldenFlags) plan(std streams) (*goldenPlan, error) {
	pol, err := loadPolicy(c.Config)
	if err != nil {
		return nil, err
	}
	c.Exclude = append(c.Exclude, pol.Exclude...)
	in, err := c.inputs(c.Input, c.Prog)
	if err != nil {
		return nil, err
	}
	plan := &goldenPlan{inputs: in, objects: map[string]*goldenObject{}}
	owner := map[string]string{}
	for _, arg := range c.Input {
		if st, err := os.Stat(arg); err == nil && st.IsDir() && in.selector.all() {
			plan.mirrors = append(plan.mirrors, std.root.Name(arg).Path())
		}
	}
	for f := range slices.Values(in.files) {
		s, err := open(f.name, selector{}, std)
		if in.lacks(f, err) {
			continue
		}
		in.opened++
		profiles, err := c.profiles(std, s)
		if err != nil {
			return nil, err
		}
		if err := c.addObject(plan, owner, s, profiles, f.name, std.root.Name(f.name).Path()); err != nil {
			return nil, err
		}
	}
	if in.opened > 0 && len(plan.jobs)+len(plan.failed) == 0 && !in.selector.all() {
		return nil, inputError(fmt.Errorf("%w: %s", errNoMatch, in.selector))
	}
	return plan, nil
}

// addObject adds the jobs of one source, which was opened by the name input.
func (c *goldenFlags) addObject(plan *goldenPlan, owner map[string]string, s source, profiles []jit.Profile,
	input, dir string) error {
	sel := plan.inputs.selector
	o := plan.objects[dir]
	if o == nil {
		o = &goldenObject{names: map[string]bool{}}
		plan.objects[dir] = o
	}
	o.whole = o.whole || sel.all() && s.name == input
	for _, f := range s.failed {
		if o.names[golden.Word(f.name)] = true; sel.selects(f.name) {
			plan.failed = append(plan.failed, goldenFailure{s.name, f})
		}
	}
	for i, p := range s.programs {
		if !sel.selects(p.Name) {
			continue
		}
		p = named(&s, p)
		var kept *bytecode.Program
		if readOnce(input) {
			kept = p
		}
		o.names[golden.Word(p.Name)] = true
		for _, prof := range profiles {
			path := filepath.Join(c.Dir, filepath.FromSlash(dir), object.Element(p.Name)+"."+object.Element(prof.Name)+layoutExt)
			if other, ok := owner[path]; ok {
				return usagef("programs of %s and %s would share the golden file %s: "+
					"pass their common directory, or rename a program",
					other, s.name, path)
			}
			owner[path] = s.name
			plan.jobs = append(plan.jobs, goldenJob{s.name, path, p.Name, p.Section, prof, input, i, kept})
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

// profiles returns the profiles to compile a source's programs for.
func (c *goldenFlags) profiles(std streams, s source) ([]jit.Profile, error) {
	if len(c.Profile) == 0 {
		prof, err := analysisFlags{}.profile(std, s)
		return []jit.Profile{prof}, err
	}
	var out []jit.Profile
	for _, name := range c.Profile {
		prof, err := lookupProfile(std, name)
		if err != nil {
			return nil, err
		}
		out = append(out, prof)
	}
	return out, nil
}

// gone reports whether an object does not exist any more and would be among the
// inputs if it did.
func (p *goldenPlan) gone(root object.Root, path string) bool {
	inside := slices.ContainsFunc(p.mirrors, func(dir string) bool {
		return path == dir || strings.HasPrefix(path, dir+"/") || dir == "." && !root.Outside(path)
	})
	if !inside {
		return false
	}
	_, there := root.Find(path)
	return !there
}

// stale returns the golden files whose programs are gone: those of objects that
// were given whole, and of objects that do not exist any more below a directory
// that was given. Files that are no layout are left alone.
func (c *goldenFlags) stale(root object.Root, plan *goldenPlan) ([]string, error) {
	var out []string
	err := filepath.WalkDir(c.Dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case path == c.Dir && errors.Is(err, fs.ErrNotExist):
			return filepath.SkipAll
		case err != nil:
			return err
		case d.IsDir() && path != c.Dir && strings.HasPrefix(d.Name(), "."):
			return filepath.SkipDir // .git
		case !d.Type().IsRegular() || filepath.Ext(path) != layoutExt:
			return nil
		}
		rel, err := filepath.Rel(c.Dir, filepath.Dir(path))
		if err != nil {
			return err
		}
		dir := filepath.ToSlash(rel)
		o := plan.objects[dir]
		if o == nil && !plan.gone(root, dir) || o != nil && !o.whole {
			return nil
		}
		if l, err := readGolden(path); err == nil && (o == nil || !o.names[l.Program]) {
			out = append(out, path)
		}
		return nil
	})
	if err != nil {
		return nil, inputError(err)
	}
	return out, nil
}
