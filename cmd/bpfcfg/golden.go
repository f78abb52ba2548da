package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/golden"
	"github.com/bpfcfg/bpfcfg/internal/visible"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
)

// goldenCmd holds the two verbs on golden files.
type goldenCmd struct {
	Check  goldenCheckCmd  `cmd:"" help:"Compare layouts with the golden files; the status is 4 if one differs."`
	Update goldenUpdateCmd `cmd:"" help:"Write the golden files and print what changed."`
}

// goldenFlags are the flags of both.
type goldenFlags struct {
	Input   []string `arg:"" help:"Objects, directories, raw:FILE, record:FILE#NAME, or - for standard input."`
	Dir     string   `required:"" help:"Directory of the golden files." placeholder:"DIR"`
	Prog    []string `help:"Use only programs whose name matches GLOB. Repeatable." placeholder:"GLOB" sep:"none"`
	Profile []string `help:"Kernel and mitigations (default: linux-7.3; for a record, the recorded machine's). Repeatable." placeholder:"PROFILE"`
	All     bool     `help:"List all causes of a difference, not only the first 20."`
	Format  string   `enum:"text,json" default:"text" help:"text or json."`
	Config  string   `help:"Policy file; only its exclude: is used (default: .bpfcfg.yaml, if it exists)." placeholder:"FILE"`
	excludeFlags
}

// maxCauses bounds the causes of a difference that are listed unless all are asked
// for.
const maxCauses = 20

// goldenCheckCmd compares.
type goldenCheckCmd struct{ goldenFlags }

// Help returns the examples of --help.
func (goldenCheckCmd) Help() string {
	return `Examples:
  bpfcfg golden check build/ --dir golden    compare with golden/build/OBJECT/PROGRAM.PROFILE.layout
  bpfcfg golden check prog.o --dir golden --profile linux-7.3 --profile linux-7.3-ibt`
}

// Run implements the verb.
func (c *goldenCheckCmd) Run(std streams) error { return c.run(std, checkFile) }

// goldenUpdateCmd writes.
type goldenUpdateCmd struct {
	goldenFlags
	Force bool `help:"Update even if the environment variable CI is set."`
}

// Help returns the examples of --help.
func (goldenUpdateCmd) Help() string {
	return `Examples:
  bpfcfg golden update build/ --dir golden
  bpfcfg golden update prog.o#xdp_main --dir golden --profile linux-7.3`
}

// Run implements the verb. A pipeline that accepts its own result checks
// nothing, so it has to ask twice.
func (c *goldenUpdateCmd) Run(std streams, p *process) error {
	if ci := os.Getenv("CI"); ci != "" && ci != "false" && ci != "0" && !c.Force {
		return usagef("golden update does not run in CI (the variable CI is set): " +
			"run it on your machine and commit the files, or use --force")
	}
	return c.run(std, func(path string, l *golden.Layout, lines lineOf) (goldenResult, error) {
		return c.updateFile(p, path, l, lines)
	})
}

// goldenStatus says what became of a golden file.
type goldenStatus string

// The statuses. A check answers same, differs, missing, stale and unreadable,
// an update the others.
const (
	goldenSame       goldenStatus = "same"
	goldenDiffers    goldenStatus = "differs"
	goldenMissing    goldenStatus = "missing"
	goldenStale      goldenStatus = "stale"
	goldenUnreadable goldenStatus = "unreadable"
	goldenNew        goldenStatus = "new"
	goldenChanged    goldenStatus = "changed"
	goldenReplaced   goldenStatus = "replaced"
	goldenRemoved    goldenStatus = "removed"
)

// goldenResult is what became of a file, in the order of the JSON.
type goldenResult struct {
	File    string       `json:"file"`
	Status  goldenStatus `json:"status"`
	Input   string       `json:"input,omitempty"`
	Program string       `json:"program"`
	Profile string       `json:"profile"`
	Note    string       `json:"note,omitempty"`
	Causes  []causeDoc   `json:"causes,omitempty"`
	// Refused is why the profile's kernel does not load the program, whose layout
	// is kept all the same; empty if it does.
	Refused string `json:"refused,omitempty"`
}

// causeDoc is a golden.Cause with the C line of its block.
type causeDoc struct {
	Kind golden.Kind `json:"kind"`
	Old  int         `json:"old"` // block in the golden file, -1 for none
	New  int         `json:"new"` // block of the program, -1 for none
	Text string      `json:"text"`
	File string      `json:"file,omitempty"`
	Line int         `json:"line,omitempty"`
}

// goldenAction does with one golden file what the verb is about.
type goldenAction func(path string, l *golden.Layout, lines lineOf) (goldenResult, error)

// lineOf returns the C line of a block.
type lineOf func(cfg.BlockID) (bytecode.Line, bool)

// run does the action for each program and profile, then reports files without
// a program.
func (c *goldenFlags) run(std streams, act goldenAction) error {
	files, err := c.plan(std)
	if err != nil {
		return err
	}
	var results []goldenResult
	failed := files.failed
	programs := programCache{std: std}
	type outcome struct {
		r   goldenResult
		err error
	}
	inOrder(len(files.jobs), runtime.GOMAXPROCS(0), func(i int) outcome {
		r, err := guard(func() (goldenResult, error) { return files.jobs[i].do(&programs, act) })
		return outcome{r, err}
	}, func(i int, o outcome) bool {
		j := &files.jobs[i]
		progress(std.err, i, len(files.jobs), j.name+" "+j.profile.Name)
		if o.err != nil {
			failed = append(failed, goldenFailure{j.source, failure{j.name, j.section, o.err}})
		}
		if o.r.Status != "" {
			results = append(results, o.r)
		}
		return true
	})
	progressDone(std.err)
	stale, err := c.stale(std.root, files)
	if err != nil {
		return err
	}
	for _, path := range stale {
		r, err := act(path, nil, nil)
		if err != nil {
			return err
		}
		results = append(results, r)
	}
	if err := c.print(std.out, results); err != nil {
		return err
	}
	return worse(files.inputs.end(std), goldenOutcome(std.err, results, failed))
}

// do analyses the program and hands its layout to the action.
func (j *goldenJob) do(programs *programCache, act goldenAction) (goldenResult, error) {
	p, err := programs.program(j)
	if err != nil {
		return goldenResult{}, err
	}
	a, err := pipeline.Run(p, j.profile, rewrite.Options{})
	if err != nil {
		return goldenResult{}, err
	}
	in, err := golden.InputOf(a)
	if err != nil {
		return goldenResult{}, err
	}
	r, err := act(j.path, golden.Of(in), func(b cfg.BlockID) (bytecode.Line, bool) {
		if b < 0 || int(b) >= len(a.Graph.Blocks) {
			return bytecode.Line{}, false
		}
		return p.LineAt(a.Graph.Blocks[b].Start)
	})
	r.Input, r.Program, r.Profile = j.source, j.name, j.profile.Name
	if v := a.Verdict(); !v.Accept {
		r.Refused = v.Message
	}
	return r, err
}

// checkFile compares one golden file with a layout; without one it is stale.
func checkFile(path string, l *golden.Layout, lines lineOf) (goldenResult, error) {
	r := goldenResult{File: path}
	if l == nil {
		r.Status, r.Note = goldenStale, "its program no longer exists: golden update removes it"
		return r, nil
	}
	old, err := readGolden(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		r.Status, r.Note = goldenMissing, "no golden file: golden update writes it"
	case err != nil:
		r.Status, r.Note = goldenUnreadable, err.Error()
		return r, fmt.Errorf("golden file %s: %w", path, err)
	default:
		r.Status = goldenDiffers
		if r.Causes = causes(old, l, lines); len(r.Causes) == 0 {
			r.Status = goldenSame
		}
	}
	return r, nil
}

// updateFile makes one golden file hold a layout; without one it is removed.
func (c *goldenFlags) updateFile(p *process, path string, l *golden.Layout, lines lineOf) (goldenResult, error) {
	r := goldenResult{File: path}
	if l == nil {
		r.Status, r.Note = goldenRemoved, "its program no longer exists"
		return r, inputError(os.Remove(path))
	}
	old, err := readGolden(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		r.Status, r.Note = goldenNew, fmt.Sprintf("%s, %s, %s", visible.Count(l.Insns, "insn"),
			visible.Count(len(l.Blocks), "block"), visible.Count(l.Image, "byte"))
	case err != nil:
		r.Status, r.Note = goldenReplaced, "it could not be read: "+err.Error()
	default:
		r.Status = goldenChanged
		if r.Causes = causes(old, l, lines); len(r.Causes) == 0 {
			r.Status = goldenSame
			return r, nil
		}
	}
	if err := makeDirs(c.Dir, filepath.Dir(path)); err != nil {
		return goldenResult{}, err
	}
	if err := p.write(path, []byte(l.Text())); err != nil {
		return goldenResult{}, err
	}
	return r, nil
}

// makeDirs makes the directory of an object's files. What is there below root
// must be directories, not links to somewhere else.
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
func readGolden(path string) (*golden.Layout, error) {
	data, err := readInput(path, nil)
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
func causes(old, l *golden.Layout, lines lineOf) []causeDoc {
	var out []causeDoc
	for _, c := range golden.Compare(old, l) {
		d := causeDoc{Kind: c.Kind, Old: int(c.Old), New: int(c.New), Text: c.Text}
		if src, ok := lines(c.New); ok {
			d.File, d.Line = src.File, src.Line
		}
		out = append(out, d)
	}
	return out
}

// print writes the results.
func (c *goldenFlags) print(w io.Writer, results []goldenResult) error {
	if c.Format == "json" {
		return writeJSON(w, struct {
			Schema string         `json:"schema"`
			Dir    string         `json:"dir"`
			Files  []goldenResult `json:"files"`
		}{schema, c.Dir, append([]goldenResult{}, results...)})
	}
	count := map[goldenStatus]int{}
	for _, r := range results {
		count[r.Status]++
		if r.Refused != "" {
			fmt.Fprintf(w, "refused  %s: the layout is kept, but %s does not load the program: %s\n", visible.Text(r.File),
				visible.Text(r.Profile), visible.Text(r.Refused))
		}
		if r.Status == goldenSame {
			continue
		}
		line := fmt.Sprintf("%-8s %s", r.Status, visible.Text(r.File))
		if r.Note != "" {
			line += ": " + visible.Text(r.Note)
		}
		fmt.Fprintln(w, line)
		c.printCauses(w, r.Causes)
	}
	var parts []string
	for _, s := range []goldenStatus{goldenSame, goldenDiffers, goldenMissing, goldenStale, goldenUnreadable, goldenNew,
		goldenChanged, goldenReplaced, goldenRemoved} {
		word := string(s)
		if s == goldenDiffers && count[s] > 1 {
			word = "differ"
		}
		if count[s] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", count[s], word))
		}
	}
	_, err := fmt.Fprintf(w, "%s: %s\n", visible.Count(len(results), "golden file"), orNone(strings.Join(parts, ", ")))
	return err
}

// orNone names an empty list.
func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// printCauses writes the causes of a difference.
func (c *goldenFlags) printCauses(w io.Writer, causes []causeDoc) {
	for i, x := range causes {
		if i == maxCauses && !c.All {
			fmt.Fprintf(w, "  … and %d more: --all lists them\n", len(causes)-i)
			return
		}
		fmt.Fprintf(w, "  %s", visible.Text(x.Text))
		if x.File != "" {
			fmt.Fprintf(w, "  @ %s:%d", visible.Text(visible.Base(x.File)), x.Line)
		}
		fmt.Fprintln(w)
	}
}

// goldenOutcome reports what could not be analysed, and returns the error that
// decides the exit status.
func goldenOutcome(w io.Writer, results []goldenResult, failed []goldenFailure) error {
	var last error
	for i := 0; i < len(failed); {
		var group []failure
		source := failed[i].source
		for ; i < len(failed) && failed[i].source == source; i++ {
			group = append(group, failed[i].failure)
		}
		last = failures(w, source, group)
	}
	if last != nil {
		return last
	}
	for _, r := range results {
		switch r.Status {
		case goldenDiffers, goldenMissing, goldenStale:
			return errDiffers
		}
	}
	return nil
}
