package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bpfcfg/bpfcfg/internal/visible"
)

// Merge joins the reports of parts of a check: either all shards of one check, each once, or
// reports of whole checks of different inputs. The profile and the level that fails must be the
// same in all; an object may be in one of them only. A shard that is missing, doubled or of another
// check is an error, because its findings are not known.
func Merge(rs []*Report) (*Report, error) {
	if err := complete(rs); err != nil {
		return nil, err
	}
	out := &Report{Schema: Schema, Kind: Kind, Shard: Shard{Part: 1, Parts: 1}}
	var inputs []Input
	seen := map[string]bool{}
	passed := map[Passed]bool{}
	for i, r := range rs {
		if i == 0 {
			out.Profile, out.FailOn, out.FailFor = r.Profile, r.FailOn, r.FailFor
		}
		if r.Profile != out.Profile || r.FailOn != out.FailOn {
			return nil, fmt.Errorf("part %d was made with profile %s and --fail-on %s, the first with %s and %s",
				i+1, r.Profile, r.FailOn, out.Profile, out.FailOn)
		}
		for _, in := range r.Inputs {
			if seen[in.Name] {
				return nil, fmt.Errorf("input %s is in two parts", in.Name)
			}
			seen[in.Name] = true
		}
		inputs = append(inputs, r.Inputs...)
		out.Removable = append(out.Removable, r.Removable...)
		for _, p := range r.Passed {
			if !passed[p] {
				passed[p] = true
				out.Passed = append(out.Passed, p)
			}
		}
	}
	out.Add(inputs...)
	slices.SortFunc(out.Removable, Accepted.compare)
	slices.SortFunc(out.Passed, func(a, b Passed) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// complete reports an error unless the reports are all shards of one check, or whole.
func complete(rs []*Report) error {
	if len(rs) == 0 {
		return fmt.Errorf("no parts")
	}
	first := rs[0].Shard
	count := make([]int, max(0, min(first.Parts, maxShards)))
	for i, r := range rs {
		s := r.Shard
		switch {
		case s.Parts < 1 || s.Part < 1 || s.Part > s.Parts || s.Parts > maxShards:
			return fmt.Errorf("part %d does not name its shard: write it again with this version", i+1)
		case s.Parts != first.Parts:
			return fmt.Errorf("part %d is shard %d of %d, and part 1 one of %d", i+1, s.Part, s.Parts, first.Parts)
		case s.Files != first.Files:
			return fmt.Errorf("parts 1 and %d are shards of different inputs: pass the same objects to all shards", i+1)
		}
		count[s.Part-1]++
	}
	if first.Parts == 1 {
		return nil // any number of whole checks
	}
	for i, n := range count {
		switch {
		case n == 0:
			return fmt.Errorf("shard %d of %d is missing, so the report would be incomplete", i+1, first.Parts)
		case n > 1:
			return fmt.Errorf("shard %d of %d is in %d parts", i+1, first.Parts, n)
		}
	}
	return nil
}

// maxShards bounds the parts of a check.
const maxShards = 100_000

// maxPassed bounds the skipped files that are named.
const maxPassed = 3

// PassedLine describes the skipped files in a line, "" when there are
// none.
func (r *Report) PassedLine() string {
	if len(r.Passed) == 0 {
		return ""
	}
	var names []string
	for _, p := range r.Passed[:min(len(r.Passed), maxPassed)] {
		names = append(names, fmt.Sprintf("%s (%s)", visible.Text(p.Name), visible.Text(p.Why)))
	}
	if n := len(r.Passed) - len(names); n > 0 {
		names = append(names, fmt.Sprintf("%d more", n))
	}
	return fmt.Sprintf("passed over %s: %s", visible.Count(len(r.Passed), "file"), strings.Join(names, ", "))
}
