package check

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// DeadCodeOf returns the C code of an object that no execution reaches, as findings of
// the programs: out[i] belongs to codes[i], which may be nil. Code that is in several
// programs, or in several copies, is reported once.
//
// A line is dead when no copy of it is reached: in any configuration (DeadCode), or
// with the values that the object has for its configuration (DeadConfig).
func DeadCodeOf(codes []*Code) [][]Finding {
	now, always := map[sourceLine]bool{}, map[sourceLine]bool{}
	for _, c := range codes {
		if c != nil {
			for l := range c.always {
				always[l] = true
				now[l] = now[l] || c.now[l]
			}
		}
	}
	told := map[sourceLine]bool{}
	toldCases := map[string]bool{}
	seen := map[string]int{}
	out := make([][]Finding, len(codes))
	for i, c := range codes {
		if c == nil {
			continue
		}
		for k := range c.dead {
			r := &c.dead[k]
			f, ok := r.finding(now, always, told, toldCases)
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

// finding turns a region into a finding, unless all of its lines are alive elsewhere
// or have been told of.
func (r *deadRegion) finding(now, always, told map[sourceLine]bool, toldCases map[string]bool) (Finding, bool) {
	var never, here []sourceLine
	for _, l := range r.lines {
		switch {
		case told[l]:
		case !always[l]:
			never = append(never, l)
		case !now[l]:
			here = append(here, l)
		}
	}
	f, lines := r.at, never
	f.ID, f.Level = DeadCode, DeadCode.Info().Level
	where := "in any configuration"
	if len(never) == 0 && len(here) > 0 {
		lines = here
		f.ID, f.Level = DeadConfig, DeadConfig.Info().Level
		where = "with the values in the object"
	}
	cases := r.cases
	place := fmt.Sprintf("%s:%d:%s", f.Location.File, f.Location.Line, cases)
	if cases != "" && toldCases[place] {
		cases = ""
	}
	if len(lines) == 0 && (cases == "" || f.Location.Line == 0) {
		return f, false
	}
	toldCases[place] = true
	for _, l := range lines {
		told[l] = true
	}
	what := ""
	switch {
	case len(lines) == 0:
		what = fmt.Sprintf("%s of this switch never %s: %s", cases, happens(cases), r.why)
	case cases != "":
		what = fmt.Sprintf("%s of this switch never %s %s (%s): %s", cases, happens(cases), where,
			lineList(lines, f.Location.File), r.why)
	default:
		what = fmt.Sprintf("%s never %s %s: %s", lineList(lines, f.Location.File), executes(lines), where, r.why)
	}
	f.Message = what
	if r.test && cases == "" {
		f.Level = Note
		f.Message += "; some verifiers need the test"
	}
	f.Fix = f.ID.Info().Fix
	f.Related = append(r.at.Related, r.related...)
	f.Fingerprint = r.identity(f, lines, cases)
	return f, true
}

// identity is what the fingerprint is made of: what is dead, by the text of its lines
// and its cases, so that other code that dies later is another finding.
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
