package replay

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// A Summary counts results by file and profile, for people to read.
type Summary struct {
	rows map[rowKey]*row
}

type rowKey struct{ file, kernel, profile string }

type row struct {
	same, differ, unknown int
	bytes                 int
	reasons               map[string]int // of unknown results, cut to their kind
	diffs                 []string
	recovered             int // matches with inputs from the code itself
}

// Add counts a result of the named file.
func (s *Summary) Add(file string, r *Result) {
	if s.rows == nil {
		s.rows = map[rowKey]*row{}
	}
	key := rowKey{file, r.Kernel, r.Profile}
	w := s.rows[key]
	if w == nil {
		w = &row{reasons: map[string]int{}}
		s.rows[key] = w
	}
	switch r.Match {
	case Same:
		w.same++
		w.bytes += r.Bytes
		if len(r.Recovered) > 0 {
			w.recovered++
		}
	case Differs:
		w.differ++
		w.diffs = append(w.diffs, r.Name+": "+r.Reason)
	default:
		w.unknown++
		kind, _, _ := strings.Cut(r.Reason, ":")
		w.reasons[kind]++
	}
}

// Counts returns how many programs were the same, differed, and could not be
// compared.
func (s *Summary) Counts() (same, differ, unknown int) {
	for _, w := range s.rows {
		same, differ, unknown = same+w.same, differ+w.differ, unknown+w.unknown
	}
	return same, differ, unknown
}

// WriteTo writes the counts of each file and profile, why programs could not
// be compared, and the first difference of each that differs.
func (s *Summary) WriteTo(out io.Writer) (int64, error) {
	var b strings.Builder
	keys := slices.SortedFunc(maps.Keys(s.rows), func(x, y rowKey) int {
		return cmp.Or(strings.Compare(x.file, y.file), strings.Compare(x.kernel, y.kernel),
			strings.Compare(x.profile, y.profile))
	})
	for _, key := range keys {
		w := s.rows[key]
		fmt.Fprintf(&b, "%s %s %s: %d matched (%d bytes), %d differed, %d unknown\n",
			key.file, key.kernel, key.profile, w.same, w.bytes, w.differ, w.unknown)
		for _, reason := range slices.Sorted(maps.Keys(w.reasons)) {
			fmt.Fprintf(&b, "    unknown, %d: %s\n", w.reasons[reason], reason)
		}
		if w.recovered > 0 {
			fmt.Fprintf(&b, "    matched with inputs read from the recorded code: %d\n", w.recovered)
		}
		for _, d := range w.diffs {
			fmt.Fprintf(&b, "    differs, %s\n", d)
		}
	}
	same, differ, unknown := s.Counts()
	fmt.Fprintf(&b, "total: %d matched, %d differed, %d unknown\n", same, differ, unknown)
	n, err := io.WriteString(out, b.String())
	return int64(n), err
}
