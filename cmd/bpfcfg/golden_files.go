package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/golden"
	"github.com/bpfcfg/bpfcfg/internal/visible"
	"github.com/bpfcfg/bpfcfg/jit"
)

// layoutExt is how golden files end.
const layoutExt = ".layout"

// goldenJob is a program to be compared under one profile. It names the program
// only, since all programs of many objects would fill the memory; see lender.
type goldenJob struct {
	source, path  string
	name, section string
	profile       jit.Profile

	input string            // what open takes
	index int               // of the program there
	kept  *bytecode.Program // of an input that can be read but once
}

// lender opens the inputs of jobs again, one at a time.
type lender struct {
	prog, input string
	limits      load.Limits
	s           source
}

// program returns the program of a job.
func (l *lender) program(j *goldenJob) (*bytecode.Program, error) {
	if j.kept != nil {
		return j.kept, nil
	}
	if l.input != j.input {
		s, err := open(j.input, l.prog, streams{limits: l.limits})
		if err != nil {
			return nil, err
		}
		l.input, l.s = j.input, s
	}
	if j.index >= len(l.s.programs) {
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
	jobs    []goldenJob
	failed  []goldenFailure
	objects map[string]*goldenObject // by directory under Dir, with slashes
	mirror  bool                     // some input is a directory, so Dir has nothing but its objects
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
	plan := &goldenPlan{objects: map[string]*goldenObject{}}
	owner := map[string]string{}
	for _, arg := range c.Input {
		names, err := expand(arg)
		if err != nil {
			return nil, err
		}
		st, err := os.Stat(arg)
		dir := err == nil && st.IsDir()
		plan.mirror = plan.mirror || dir
		for _, name := range names {
			s, err := open(name, c.Prog, std)
			if err != nil {
				return nil, err
			}
			object := shortName(s.name)
			if dir {
				if rel, err := filepath.Rel(arg, name); err == nil {
					object = filepath.ToSlash(rel)
				}
			}
			profiles, err := c.profiles(std, s)
			if err != nil {
				return nil, err
			}
			if err := c.addObject(plan, owner, s, profiles, name, safePath(object)); err != nil {
				return nil, err
			}
		}
	}
	plan.mirror = plan.mirror && c.Prog == ""
	return plan, nil
}

// addObject adds the jobs of one source, which was opened by the name input.
func (c *goldenFlags) addObject(plan *goldenPlan, owner map[string]string, s source, profiles []jit.Profile,
	input, object string) error {
	o := plan.objects[object]
	if o == nil {
		o = &goldenObject{names: map[string]bool{}}
		plan.objects[object] = o
	}
	o.whole = o.whole || c.Prog == "" && s.name == input
	for _, f := range s.failed {
		o.names[golden.Word(f.name)] = true
		plan.failed = append(plan.failed, goldenFailure{s.name, f})
	}
	for i, p := range s.programs {
		p = named(&s, p)
		var kept *bytecode.Program
		if input == "-" {
			kept = p
		}
		o.names[golden.Word(p.Name)] = true
		for _, prof := range profiles {
			path := filepath.Join(c.Dir, filepath.FromSlash(object), safeName(p.Name)+"."+safeName(prof.Name)+layoutExt)
			if other, ok := owner[path]; ok {
				return usagef("%s is the golden file of a program of %s and of one of %s: name a directory above both, "+
					"or rename one", path, other, s.name)
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

// safeName returns a name as one element of a path. Another name never gives the
// same: one that had to be changed has a hash behind it.
func safeName(name string) string {
	const most = 80
	parts := strings.Split(name, "+") // stands between the options of a profile
	for i := range parts {
		if parts[i] != "" {
			parts[i] = visible.FileName(parts[i])
		}
	}
	safe := strings.Join(parts, "+")
	if safe == name && name != "" && len(name) <= most {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	return strings.TrimPrefix(safe[:min(len(safe), most)]+"-"+hex.EncodeToString(sum[:4]), "-")
}

// safePath is safeName for each element of a path with slashes. The result has
// slashes, too.
func safePath(path string) string {
	parts := strings.Split(path, "/")
	for i := range parts {
		parts[i] = safeName(parts[i])
	}
	return strings.Join(parts, "/")
}

// stale returns the golden files whose programs are gone: in the directories of
// objects that were given whole, and of all other objects where an input is a
// directory. Files that are no layout are left alone.
func (c *goldenFlags) stale(plan *goldenPlan) ([]string, error) {
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
		o := plan.objects[filepath.ToSlash(rel)]
		if o == nil && !plan.mirror || o != nil && !o.whole {
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
