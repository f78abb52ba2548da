package main

import (
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/bpfcfg/bpfcfg/internal/input"
	"github.com/bpfcfg/bpfcfg/internal/replay"
	"github.com/bpfcfg/bpfcfg/internal/visible"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
)

// replayCmd compares recorded programs with what the kernel produced.
type replayCmd struct {
	Records []string `arg:"" help:"Record files (.jsonl or .json, also with .gz), or directories of them."`
	Format  string   `enum:"text,json" default:"text" help:"text, or json with one line for each program."`
	Profile string   `help:"Compile for PROFILE instead of the recorded machine." placeholder:"PROFILE"`
	Verbose bool     `short:"v" help:"Explain every program that differs, not only the first of each file."`
}

// Help returns the examples of --help.
func (replayCmd) Help() string {
	return `Examples:
  bpfcfg replay testdata/records                         every record file of a directory
  bpfcfg replay suite.7.3.4.off.jsonl.gz --format json   one line for each program

The exit status is 4 if a program differs and 3 if there was nothing to compare.`
}

// recordFiles returns the files that an argument stands for, in lexical order.
func recordFiles(args []string) ([]string, error) {
	var out []string
	for _, arg := range args {
		st, err := os.Stat(arg)
		if err != nil {
			return nil, inputError(input.Cause(arg, err))
		}
		if !st.IsDir() {
			out = append(out, arg)
			continue
		}
		found, err := filesBelow(arg, func(name string) bool {
			name = strings.TrimSuffix(name, ".gz")
			return strings.HasSuffix(name, ".jsonl") || strings.HasSuffix(name, ".json")
		}, "record file (.jsonl, .json, or with .gz)")
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	return out, nil
}

// Run implements the verb.
func (c *replayCmd) Run(std streams) error {
	files, err := recordFiles(c.Records)
	if err != nil {
		return err
	}
	opt := replay.Options{Predict: pipeline.Predict}
	if c.Profile != "" {
		prof, err := lookupProfile(std, c.Profile)
		if err != nil {
			return err
		}
		opt.Profile = &prof
	}
	sum := newSummary(std.out)
	for i, file := range files {
		progress(std.err, i, len(files), file)
		if err := c.file(std, file, opt, sum); err != nil {
			progressDone(std.err)
			return inputError(fmt.Errorf("replay %w", err))
		}
	}
	progressDone(std.err)
	if c.Format == "text" {
		if err := sum.print(); err != nil {
			return err
		}
	}
	switch {
	case sum.total.differs > 0:
		return errDiffers
	case sum.total.same == 0:
		return inputError(fmt.Errorf("replay: nothing was compared: none of %s has both code and a profile to compile it for",
			visible.Count(sum.total.unknown, "recorded program")))
	}
	return nil
}

// file replays one file.
func (c *replayCmd) file(std streams, file string, opt replay.Options, sum *summary) error {
	enc := json.NewEncoder(visible.JSONWriter(std.out))
	explained := 0
	for res, err := range replay.File(file, opt) {
		if err != nil {
			return err
		}
		if c.Format == "json" {
			if err := enc.Encode(res); err != nil {
				return err
			}
		}
		sum.add(file, res)
		if res.Match == replay.Differs && c.Format == "text" && (c.Verbose || explained == 0) {
			explained++
			sum.explain(file, res)
		}
	}
	return nil
}

// counts holds the number of programs for each outcome.
type counts struct{ same, differs, unknown, insns, bytes int }

// add counts one result.
func (c *counts) add(res *replay.Result) {
	switch res.Match {
	case replay.Same:
		c.same++
	case replay.Differs:
		c.differs++
	default:
		c.unknown++
	}
	if res.Match != replay.Unknown {
		c.insns += res.Insns
		c.bytes += res.Bytes
	}
}

// summary is the text output: a line for each file and machine.
type summary struct {
	w     io.Writer
	rows  []row
	total counts
	notes []string
}

// row counts the results of one file, kernel and profile.
type row struct {
	file, kernel, profile string
	counts
}

func newSummary(w io.Writer) *summary { return &summary{w: w} }

// add counts a result in its row. Results of a row need not be adjacent: a file
// of vectors has several machines.
func (s *summary) add(file string, res *replay.Result) {
	s.total.add(res)
	for i := len(s.rows) - 1; i >= 0 && s.rows[i].file == file; i-- {
		if s.rows[i].kernel == res.Kernel && s.rows[i].profile == res.Profile {
			s.rows[i].add(res)
			return
		}
	}
	s.rows = append(s.rows, row{file: file, kernel: res.Kernel, profile: res.Profile})
	s.rows[len(s.rows)-1].add(res)
}

// explain notes why a program differs.
func (s *summary) explain(file string, res *replay.Result) {
	s.notes = append(s.notes, fmt.Sprintf("%s: %s: %s", filepath.Base(file), res.Name, res.Reason))
}

// print writes the table and the notes.
func (s *summary) print() error {
	tw := tabwriter.NewWriter(s.w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(tw, "records\tkernel\tprofile\tmatched\tdiffered\tunknown\tinsns\tbytes")
	for _, r := range s.rows {
		fmt.Fprintf(tw, "%s\t%s\t%s\t%d\t%d\t%d\t%d\t%d\n", visible.Text(filepath.Base(r.file)), visible.Text(r.kernel),
			visible.Text(r.profile), r.same, r.differs, r.unknown, r.insns, r.bytes)
	}
	t := s.total
	fmt.Fprintf(tw, "total\t\t\t%d\t%d\t%d\t%d\t%d\n", t.same, t.differs, t.unknown, t.insns, t.bytes)
	if err := tw.Flush(); err != nil {
		return err
	}
	for _, n := range s.notes {
		fmt.Fprintf(s.w, "differs: %s\n", visible.Text(n))
	}
	return nil
}

// filesBelow returns the regular files below a directory whose name is wanted, in lexical order. If
// there is none, the error says what is missing.
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
		return nil, inputError(fmt.Errorf("directory %s contains no %s", dir, what))
	}
	slices.Sort(out)
	return out, nil
}
