package goldenfiles

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/golden"
	"github.com/bpfcfg/bpfcfg/internal/input"
	"github.com/bpfcfg/bpfcfg/internal/visible"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
)

// Status is the outcome for a golden file.
type Status string

// The statuses. A check answers same, differs, missing, stale and unreadable,
// an update the others.
const (
	Same       Status = "same"
	Differs    Status = "differs"
	Missing    Status = "missing"
	Stale      Status = "stale"
	Unreadable Status = "unreadable"
	New        Status = "new"
	Changed    Status = "changed"
	Replaced   Status = "replaced"
	Removed    Status = "removed"
)

// Statuses returns all, in the order in which they are counted.
func Statuses() []Status {
	return []Status{Same, Differs, Missing, Stale, Unreadable, New, Changed, Replaced, Removed}
}

// Result is the outcome for a file, in the order of the JSON.
type Result struct {
	File    string  `json:"file"`
	Status  Status  `json:"status"`
	Input   string  `json:"input,omitempty"`
	Program string  `json:"program"`
	Profile string  `json:"profile"`
	Note    string  `json:"note,omitempty"`
	Causes  []Cause `json:"causes,omitempty"`
	// Refused is why the profile's kernel does not load the program, whose layout
	// is kept all the same; empty if it does.
	Refused string `json:"refused,omitempty"`
}

// Cause is a golden.Cause with the C line of its block.
type Cause struct {
	Kind golden.Kind `json:"kind"`
	Old  int         `json:"old"` // block in the golden file, -1 for none
	New  int         `json:"new"` // block of the program, -1 for none
	Text string      `json:"text"`
	File string      `json:"file,omitempty"`
	Line int         `json:"line,omitempty"`
}

// Action compares or writes one golden file.
type Action func(path string, l *golden.File, lines LineOf) (Result, error)

// LineOf returns the C line of a block.
type LineOf func(cfg.BlockID) (bytecode.Line, bool)

// Do analyses the program and passes its layout to the action.
func (j *Job) Do(programs *Cache, act Action) (Result, error) {
	p, err := programs.program(j)
	if err != nil {
		return Result{}, err
	}
	a, err := pipeline.Run(p, j.Profile, rewrite.Options{})
	if err != nil {
		return Result{}, err
	}
	in, err := golden.InputOf(a)
	if err != nil {
		return Result{}, err
	}
	r, err := act(j.path, golden.Of(in), func(b cfg.BlockID) (bytecode.Line, bool) {
		if b < 0 || int(b) >= len(a.Graph.Blocks) {
			return bytecode.Line{}, false
		}
		return p.LineAt(a.Graph.Blocks[b].Start)
	})
	r.Input, r.Program, r.Profile = j.Source, j.Name, j.Profile.Name
	if v := a.Verdict(); !v.Accept {
		r.Refused = v.Message
	}
	return r, err
}

// Check compares one golden file with a layout; without one it is stale.
func Check(path string, l *golden.File, lines LineOf) (Result, error) {
	r := Result{File: path}
	if l == nil {
		r.Status, r.Note = Stale, "its program no longer exists: golden update removes it"
		return r, nil
	}
	old, err := readGolden(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		r.Status, r.Note = Missing, "no golden file: golden update writes it"
	case err != nil:
		r.Status, r.Note = Unreadable, err.Error()
		return r, fmt.Errorf("golden file %s: %w", path, err)
	default:
		r.Status = Differs
		if r.Causes = causes(old, l, lines); len(r.Causes) == 0 {
			r.Status = Same
		}
	}
	return r, nil
}

// Update returns the action that makes golden files below a directory hold layouts, and removes
// those without one. Write writes a file.
func Update(dir string, write func(path string, data []byte) error) Action {
	return func(path string, l *golden.File, lines LineOf) (Result, error) {
		return update(dir, write, path, l, lines)
	}
}

// update makes one golden file hold a layout; without one it is removed.
func update(dir string, write func(string, []byte) error, path string, l *golden.File, lines LineOf) (Result, error) {
	r := Result{File: path}
	if l == nil {
		r.Status, r.Note = Removed, "its program no longer exists"
		return r, os.Remove(path)
	}
	old, err := readGolden(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		r.Status, r.Note = New, fmt.Sprintf("%s, %s, %s", visible.Count(l.Insns, "insn"),
			visible.Count(len(l.Blocks), "block"), visible.Count(l.Image, "byte"))
	case err != nil:
		r.Status, r.Note = Replaced, "it could not be read: "+err.Error()
	default:
		r.Status = Changed
		if r.Causes = causes(old, l, lines); len(r.Causes) == 0 {
			r.Status = Same
			return r, nil
		}
	}
	if err := makeDirs(dir, filepath.Dir(path)); err != nil {
		return Result{}, err
	}
	if err := write(path, []byte(l.Text())); err != nil {
		return Result{}, err
	}
	return r, nil
}

// makeDirs makes the directory of an object's files. Existing parts below root must be directories,
// not links.
func makeDirs(root, dir string) error {
	if err := os.MkdirAll(root, 0o777); err != nil {
		return err
	}
	rel, err := filepath.Rel(root, dir)
	if err != nil {
		return err
	}
	for _, name := range strings.Split(rel, string(filepath.Separator)) {
		root = filepath.Join(root, name)
		if err := os.Mkdir(root, 0o777); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		if st, err := os.Lstat(root); err != nil || !st.IsDir() {
			return fmt.Errorf("%s: not a directory: golden files are kept in a directory for each object", root)
		}
	}
	return nil
}

// readGolden reads a golden file.
func readGolden(path string) (*golden.File, error) {
	data, err := input.Read(path, nil)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		if inner := errors.Unwrap(err); inner != nil { // the caller names the file
			err = inner
		}
		return nil, err
	}
	return golden.Parse(string(data))
}

// causes compares and adds C lines.
func causes(old, l *golden.File, lines LineOf) []Cause {
	var out []Cause
	for _, c := range golden.Compare(old, l) {
		d := Cause{Kind: c.Kind, Old: int(c.Old), New: int(c.New), Text: c.Text}
		if src, ok := lines(c.New); ok {
			d.File, d.Line = src.File, src.Line
		}
		out = append(out, d)
	}
	return out
}
