package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	"github.com/bpfcfg/bpfcfg/internal/goldenfiles"
	"github.com/bpfcfg/bpfcfg/internal/input"
	"github.com/bpfcfg/bpfcfg/internal/visible"
	"github.com/bpfcfg/bpfcfg/jit"
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

// maxCauses bounds the causes of a difference that are listed unless all are requested.
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
func (c *goldenCheckCmd) Run(std streams) error { return c.run(std, goldenfiles.Check) }

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

// Run implements the verb. A pipeline that accepts its own result checks nothing, so in CI
// the flag --force is needed.
func (c *goldenUpdateCmd) Run(std streams, p *process) error {
	if ci := os.Getenv("CI"); ci != "" && ci != "false" && ci != "0" && !c.Force {
		return usagef("golden update does not run in CI (the variable CI is set): " +
			"run it on your machine and commit the files, or use --force")
	}
	return c.run(std, goldenfiles.Update(c.Dir, p.write))
}

// run does the action for each program and profile, then reports files without
// a program.
func (c *goldenFlags) run(std streams, act goldenfiles.Action) error {
	files, in, err := c.plan(std)
	if err != nil {
		return err
	}
	var results []goldenfiles.Result
	failed := files.Failed
	programs := goldenfiles.NewCache(std.opener)
	type outcome struct {
		r   goldenfiles.Result
		err error
	}
	inOrder(len(files.Jobs), runtime.GOMAXPROCS(0), func(i int) outcome {
		r, err := guard(func() (goldenfiles.Result, error) { return files.Jobs[i].Do(programs, act) })
		return outcome{r, err}
	}, func(i int, o outcome) bool {
		j := &files.Jobs[i]
		progress(std.err, i, len(files.Jobs), j.Name+" "+j.Profile.Name)
		if o.err != nil {
			failed = append(failed, goldenfiles.Failure{Source: j.Source,
				Failure: input.Failure{Name: j.Name, Section: j.Section, Err: o.err}})
		}
		if o.r.Status != "" {
			results = append(results, o.r)
		}
		return true
	})
	progressDone(std.err)
	stale, err := files.Stale()
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
	return worse(end(std, in), goldenOutcome(std.err, results, failed))
}

// plan finds the golden file of each program and profile.
func (c *goldenFlags) plan(std streams) (*goldenfiles.Plan, *input.List, error) {
	pol, err := loadPolicy(c.Config)
	if err != nil {
		return nil, nil, err
	}
	c.Exclude = append(c.Exclude, pol.Exclude...)
	in, err := c.inputs(c.Input, c.Prog)
	if err != nil {
		return nil, nil, err
	}
	plan, err := goldenfiles.NewPlan(std.opener, in, c.Input, c.Dir, func(s input.Source) ([]jit.Profile, error) {
		return c.profiles(std, s)
	})
	return plan, in, err
}

// profiles returns the profiles to compile a source's programs for.
func (c *goldenFlags) profiles(std streams, s input.Source) ([]jit.Profile, error) {
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

// print writes the results.
func (c *goldenFlags) print(w io.Writer, results []goldenfiles.Result) error {
	if c.Format == "json" {
		return writeJSON(w, struct {
			Schema string               `json:"schema"`
			Dir    string               `json:"dir"`
			Files  []goldenfiles.Result `json:"files"`
		}{schema, c.Dir, append([]goldenfiles.Result{}, results...)})
	}
	count := map[goldenfiles.Status]int{}
	for _, r := range results {
		count[r.Status]++
		if r.Refused != "" {
			fmt.Fprintf(w, "refused  %s: the layout is kept, but %s does not load the program: %s\n", visible.Text(r.File),
				visible.Text(r.Profile), visible.Text(r.Refused))
		}
		if r.Status == goldenfiles.Same {
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
	for _, s := range goldenfiles.Statuses() {
		word := string(s)
		if s == goldenfiles.Differs && count[s] > 1 {
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
func (c *goldenFlags) printCauses(w io.Writer, causes []goldenfiles.Cause) {
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
func goldenOutcome(w io.Writer, results []goldenfiles.Result, failed []goldenfiles.Failure) error {
	var last error
	for i := 0; i < len(failed); {
		var group []input.Failure
		source := failed[i].Source
		for ; i < len(failed) && failed[i].Source == source; i++ {
			group = append(group, failed[i].Failure)
		}
		last = failures(w, source, group)
	}
	if last != nil {
		return last
	}
	for _, r := range results {
		switch r.Status {
		case goldenfiles.Differs, goldenfiles.Missing, goldenfiles.Stale:
			return errDiffers
		}
	}
	return nil
}
