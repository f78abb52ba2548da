package check

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// Join finds the C code that no execution reaches in any of its copies: a line may be
// inlined many times, and be in several programs and objects.
//
//	j := check.NewJoin()
//	for all programs { j.Add(code) }
//	for all objects { findings := j.Findings(codes) }
//
// A line is dead when no copy of it is reached: in any configuration (DeadCode), or
// with the values that the objects have for their configuration (DeadConfig). It is
// reported once.
type Join struct {
	live      map[sourceLine]liveness
	programs  map[sourceLine]int // that reach the line
	switches  map[sourceLine]*switchUse
	told      map[sourceLine]bool
	toldCases map[string]bool
}

// liveness says which executions reach a line.
type liveness uint8

const (
	liveAlways liveness = 1 << iota // executions in some configuration
	liveNow                         // executions with the values in the object
)

// NewJoin returns an empty Join.
func NewJoin() *Join {
	return &Join{map[sourceLine]liveness{}, map[sourceLine]int{}, map[sourceLine]*switchUse{}, map[sourceLine]bool{},
		map[string]bool{}}
}

// Add records the lines that executions of a program reach; the code keeps the lines that are dead
// only in it. All Add come before all Findings.
func (j *Join) Add(c *Code) {
	for l, n := range c.live {
		j.live[l] |= n
		j.programs[l]++
	}
	for l, u := range c.switches {
		all := j.switches[l]
		if all == nil {
			all = &switchUse{cases: map[int]liveness{}}
			j.switches[l] = all
		}
		all.programs += u.programs
		all.unknown |= u.unknown
		for v, when := range u.cases {
			all.cases[v] |= when
		}
	}
	c.live, c.switches = nil, nil
}

// switchUse records the cases of a switch that happen.
type switchUse struct {
	cases    map[int]liveness // by their values in C
	unknown  liveness         // a copy may have any of them
	programs int
}

// never returns the cases that happen in no copy of a switch: in none of its tables, and no program
// can reach it without a table.
func (j *Join) never(at sourceLine, cases []int, when liveness) []int {
	u := j.switches[at]
	if u == nil || u.unknown&when != 0 || u.programs != j.programs[at] {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(cases), func(v int) bool { return u.cases[v]&when != 0 })
}

// caseList names cases: "case 3", "cases 3, 5-9", "" for none.
func caseList(values []int) string {
	switch len(values) {
	case 0:
		return ""
	case 1:
		return "case " + runs(values)
	}
	return "cases " + runs(values)
}

// Findings returns the dead code of an object, as findings of its programs: out[i]
// belongs to codes[i], which may be nil.
func (j *Join) Findings(codes []*Code) [][]Finding {
	seen := map[string]int{}
	out := make([][]Finding, len(codes))
	for i, c := range codes {
		if c == nil {
			continue
		}
		for k := range c.dead {
			f, ok := c.dead[k].finding(j)
			if !ok {
				continue
			}
			id := f.Fingerprint
			sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%d", id, seen[id]))
			seen[id]++
			f.Fingerprint = hex.EncodeToString(sum[:8])
			out[i] = append(out[i], f)
		}
	}
	return out
}

// Lines is a set of C lines.
type Lines map[sourceLine]bool

// Wanted adds the lines that decide which dead code of a program is reported: only
// programs that have one of these lines matter.
func (c *Code) Wanted(w Lines) {
	for i := range c.dead {
		r := &c.dead[i]
		w[lineOf(r.at.Location.File, r.at.Location.Line, r.at.Location.Text)] = true
		for _, l := range r.lines {
			w[l] = true
		}
	}
}

// In reports whether a program has one of the lines.
func (w Lines) In(p *bytecode.Program) bool {
	return slices.ContainsFunc(p.Lines, func(l bytecode.Line) bool { return w[lineOf(l.File, l.Line, l.Text)] })
}

// finding turns a region into a finding, unless all of its lines are alive elsewhere
// or were reported before.
func (r *deadRegion) finding(j *Join) (Finding, bool) {
	var never, here []sourceLine
	for _, l := range r.lines {
		switch {
		case j.told[l]:
		case j.live[l]&liveAlways == 0:
			never = append(never, l)
		case j.live[l]&liveNow == 0:
			here = append(here, l)
		}
	}
	f, lines := r.at, never
	f.ID, f.Level = DeadCode, DeadCode.Info().Level
	where, when := "in any configuration", liveAlways
	if r.now || len(never) == 0 && len(here) > 0 {
		lines, when = here, liveNow
		f.ID, f.Level = DeadConfig, DeadConfig.Info().Level
		where = "with the values in the object"
	}
	cases := caseList(j.never(lineOf(f.Location.File, f.Location.Line, f.Location.Text), r.cases, when))
	place := fmt.Sprintf("%s:%d:%s", f.Location.File, f.Location.Line, cases)
	if cases != "" && j.toldCases[place] {
		cases = ""
	}
	if len(lines) == 0 && (cases == "" || f.Location.Line == 0) {
		return f, false
	}
	j.toldCases[place] = true
	for _, l := range lines {
		j.told[l] = true
	}
	what := ""
	switch {
	case len(lines) == 0:
		what = fmt.Sprintf("%s of this switch never %s %s: %s", cases, happens(cases), where, r.why)
	case cases != "":
		what = fmt.Sprintf("%s of this switch never %s %s (%s): %s", cases, happens(cases), where,
			lineList(lines, f.Location.File), r.why)
	default:
		what = fmt.Sprintf("%s never %s %s: %s", lineList(lines, f.Location.File), executes(lines), where, r.why)
	}
	f.Message = what
	switch {
	case r.test && cases == "":
		f.Level = Note
		f.Message += "; some verifiers need the test"
	case r.copied:
		f.Level = Note
		f.Message += "; in this copy of an inlined function, the deciding value is a constant"
	}
	f.Fix = f.ID.Info().Fix
	f.Related = append(r.at.Related, r.related...)
	f.Fingerprint = r.identity(f, lines, cases)
	return f, true
}

// identity is the text of a fingerprint: the dead code, by the text of its lines and its cases, so
// that other code that dies later is another finding.
func (r *deadRegion) identity(f Finding, lines []sourceLine, cases string) string {
	parts := []string{string(f.ID), f.Program, f.Function, f.Location.Text, cases}
	bare := true
	for _, l := range lines {
		parts = append(parts, r.texts[l])
		bare = bare && r.texts[l] == ""
	}
	if bare {
		parts = append(parts, r.shape)
	}
	return strings.Join(parts, "\x00")
}

func happens(cases string) string {
	if strings.HasPrefix(cases, "case ") {
		return "happens"
	}
	return "happen"
}

func executes(lines []sourceLine) string {
	if len(lines) == 1 {
		return "executes"
	}
	return "execute"
}

// maxLineRuns bounds the runs of lines in a message.
const maxLineRuns = 8

// lineList names lines: "line 3", "lines 3-5, 9, lib.h: 7". Lines of the file that the
// finding is in come first and without its name.
func lineList(lines []sourceLine, file string) string {
	byFile := map[string][]int{}
	var files []string
	for _, l := range lines {
		if byFile[l.file] == nil {
			files = append(files, l.file)
		}
		byFile[l.file] = append(byFile[l.file], l.line)
	}
	slices.SortStableFunc(files, func(a, b string) int {
		switch {
		case a == file:
			return -1
		case b == file:
			return 1
		}
		return strings.Compare(a, b)
	})
	word := "lines "
	if len(lines) == 1 {
		word = "line "
	}
	var parts []string
	for _, f := range files {
		text := runs(byFile[f])
		if f != file {
			text = filepath.Base(f) + ": " + text
		}
		if parts = append(parts, text); len(parts) == maxLineRuns {
			break
		}
	}
	return word + strings.Join(parts, "; ")
}
