// Package report holds the outcome of a check over many inputs and writes it in formats for people
// and CI systems: text, JSON, SARIF 2.1.0, JUnit and
// GitHub's annotations.
//
//	r := &report.Report{Profile: "linux-7.3", FailOn: check.Error}
//	r.Add(report.Input{Name: "x.o", Programs: […]})
//	err := report.Write(w, "sarif", r, report.Options{})
//
// A Report is plain data, and its JSON is the form that reports are stored in
// and joined from (Merge). Nothing in it depends on time, machine or the order
// of work: the same inputs give the same bytes. An input or program that could
// not be analysed is in the report as such, and every format shows it.
package report

import (
	"cmp"
	"iter"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/check"
)

// Report is the outcome of a check.
type Report struct {
	Schema  string      `json:"schema"` // of all JSON of bpfcfg
	Kind    string      `json:"kind"`   // "check"
	Profile string      `json:"profile"`
	FailOn  check.Level `json:"fail_on"` // Off: findings never fail
	// FailFor are the kernels whose findings can fail, of a check for several; none
	// are all.
	FailFor []string `json:"fail_for,omitempty"`
	Shard   Shard    `json:"shard"`
	Inputs  []Input  `json:"inputs"` // by name
	// Passed lists the files of directories that were passed over.
	Passed []Passed `json:"passed_over,omitempty"`
	// Removable lists the entries of the baseline that no finding matches any
	// more, of inputs that were analysed.
	Removable []Accepted `json:"removable,omitempty"`
}

// Schema and Kind identify the JSON of a Report.
const (
	Schema = "bpfcfg/1"
	Kind   = "check"
)

// Shard says which part of a check a report is. Reports of older versions have none.
type Shard struct {
	Part  int    `json:"part"`            // from 1
	Parts int    `json:"parts"`           // 1: the report is whole
	Files string `json:"files,omitempty"` // hash of all inputs of all parts, to distinguish parts of two checks
}

// Passed is a file that was passed over.
type Passed struct {
	Name string `json:"input"`
	Why  string `json:"why"`
}

// Input is a file.
type Input struct {
	Name     string    `json:"input"`
	Object   string    `json:"object"`             // its identity, see package object
	Profile  string    `json:"profile,omitempty"`  // when it is not the report's: that of a record
	Error    string    `json:"error,omitempty"`    // why it could not be read
	Findings []Finding `json:"findings,omitempty"` // about the object as a whole
	Programs []Program `json:"programs"`
	packed   []byte    // the programs, after Pack
}

// Program is a program of an input.
type Program struct {
	Name     string    `json:"name"`
	Section  string    `json:"section"`
	Insns    int       `json:"insns"`
	Error    string    `json:"error,omitempty"` // why it could not be analysed
	Findings []Finding `json:"findings"`
	Kernels  []Kernel  `json:"kernels,omitempty"` // verdicts of kernels that were asked
	// Profiles are the predictions for each kernel, in a check for several.
	Profiles []OnProfile `json:"profiles,omitempty"`
}

// OnProfile is the prediction for a program on one kernel that was not asked. An analysis cannot
// say that the kernel accepts the program.
type OnProfile struct {
	Profile  string `json:"profile"`
	Verified bool   `json:"verified"` // such a kernel was compared with
	Verdict  string `json:"verdict"`  // Refused, NotRefused or Unknown
	Message  string `json:"message,omitempty"`
	Insn     int    `json:"insn"`  // -1: none
	Slots    int    `json:"slots"` // of the rewritten program, 0 when it is not predicted
	Bytes    int    `json:"bytes"` // of machine code, 0 when it is not predicted
}

// The verdicts of OnProfile.
const (
	Refused    = "refused"
	NotRefused = "not refused by the rules that are modelled"
	Unknown    = "unknown" // no rules are known for some construct in the program
)

// Kernel is the answer of a kernel about a program.
type Kernel struct {
	Kernel  string `json:"kernel"` // as it was named
	Release string `json:"release"`
	Answer  string `json:"answer"` // accepted, refused or not answered
	Reason  string `json:"reason,omitempty"`
}

// Place is a place in the program, and in the C source when Line is not 0.
type Place struct {
	Insn int    `json:"insn"` // -1: the whole program
	File string `json:"file,omitempty"`
	Line int    `json:"line,omitempty"`
	Col  int    `json:"column,omitempty"`
	Text string `json:"text,omitempty"` // the C line
}

// Finding is a finding as check.Finding describes it.
type Finding struct {
	ID       check.ID    `json:"id"`
	Level    check.Level `json:"level"`
	Function string      `json:"function"`
	Block    int         `json:"block"` // -1: the whole program
	Place
	Message     string    `json:"message"`
	Fix         string    `json:"fix,omitempty"`
	Kernel      string    `json:"kernel,omitempty"`
	Related     []Related `json:"related,omitempty"`
	Path        []Step    `json:"path,omitempty"`
	Fingerprint string    `json:"fingerprint"`
	// Profiles are the kernels that have the finding, in a check for several.
	Profiles []string `json:"profiles,omitempty"`
	Accepted bool     `json:"accepted,omitempty"` // by the baseline
}

// Related is another place that a finding mentions.
type Related struct {
	Place
	Message string `json:"message"`
}

// Step is a block on the way to a finding.
type Step struct {
	Place
	Block   int    `json:"block"`
	Asm     string `json:"asm"`
	Skipped int    `json:"skipped,omitempty"` // blocks left out before this one
}

// groups yields the owners of findings: the object as a whole, as a program without a name, then
// its programs. The findings are the input's own.
func (in *Input) groups() iter.Seq[*Program] {
	return func(yield func(*Program) bool) {
		if len(in.Findings) > 0 && !yield(&Program{Findings: in.Findings}) {
			return
		}
		for i := range in.Programs {
			if !yield(&in.Programs[i]) {
				return
			}
		}
	}
}

// Add adds inputs and puts all in order.
func (r *Report) Add(in ...Input) {
	r.Inputs = append(r.Inputs, in...)
	slices.SortStableFunc(r.Inputs, func(a, b Input) int { return cmp.Compare(a.Name, b.Name) })
}

// Failing reports whether a finding makes the check fail.
func (r *Report) Failing(f *Finding) bool {
	about := len(f.Profiles) == 0 || len(r.FailFor) == 0 ||
		slices.ContainsFunc(f.Profiles, func(p string) bool { return slices.Contains(r.FailFor, p) })
	return about && !f.Accepted && f.Level.AtLeast(r.FailOn)
}

// Counts are the sums of a report.
type Counts struct {
	Inputs, Programs         int
	Errors, Warnings, Notes  int // findings that are not accepted
	Accepted                 int
	Failing                  int
	FailedInputs, FailedProg int // what could not be analysed
}

// Count returns the sums.
func (r *Report) Count() Counts {
	var c Counts
	for in := range r.inputs() {
		c.Inputs++
		if in.Error != "" {
			c.FailedInputs++
		}
		c.Programs += len(in.Programs)
		for p := range in.groups() {
			if p.Error != "" {
				c.FailedProg++
			}
			for k := range p.Findings {
				c.add(r, &p.Findings[k])
			}
		}
	}
	return c
}

// add counts a finding.
func (c *Counts) add(r *Report, f *Finding) {
	switch {
	case f.Accepted:
		c.Accepted++
	case f.Level == check.Error:
		c.Errors++
	case f.Level == check.Warning:
		c.Warnings++
	default:
		c.Notes++
	}
	if r.Failing(f) {
		c.Failing++
	}
}

// maxPaths bounds the findings of a program that have a path: the first ones. Paths take most of
// the memory of findings, and some programs have a finding in every third slot.
const maxPaths = 1000

// Findings converts findings, with path and related places those that are detailed.
// Files below root are named relative to it; an empty root leaves names as they are.
func Findings(fs []check.Finding, root string, detailed func(*Finding) bool) []Finding {
	out := make([]Finding, 0, len(fs))
	paths := 0
	for i := range fs {
		f := &fs[i]
		g := Finding{
			ID: f.ID, Level: f.Level, Function: f.Function, Block: int(f.Block), Place: place(f.PC, f.Location, root),
			Message: f.Message, Fix: f.Fix, Kernel: f.Kernel, Fingerprint: f.Fingerprint,
		}
		if !detailed(&g) {
			out = append(out, g)
			continue
		}
		for _, x := range f.Related {
			g.Related = append(g.Related, Related{place(x.PC, x.Location, root), x.Message})
		}
		if paths < maxPaths {
			for _, s := range f.Path() {
				g.Path = append(g.Path, Step{place(s.PC, s.Location, root), int(s.Block), s.Text, s.Skipped})
			}
		}
		if len(g.Path) > 0 {
			paths++
		}
		out = append(out, g)
	}
	return out
}

func place(pc bytecode.PC, l check.Location, root string) Place {
	return Place{Insn: int(pc), File: relative(l.File, root), Line: l.Line, Col: l.Col, Text: l.Text}
}

// relative names a file relative to root when it lies below.
func relative(file, root string) string {
	if file == "" || root == "" || !filepath.IsAbs(file) {
		return strings.TrimPrefix(file, "./")
	}
	rel, err := filepath.Rel(root, filepath.Clean(file))
	if err != nil || rel == ".." || strings.HasPrefix(rel, "../") {
		return file
	}
	return filepath.ToSlash(rel)
}
