package replay_test

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/internal/replay"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
)

var update = flag.Bool("update", false, "rewrite the table in docs/evidence/jit.md")

// tableKey is a row of the table: one kernel with one set of mitigations.
type tableKey struct{ kernel, profile string }

// tally counts the programs of a row.
type tally struct{ same, differ, unknown, bytes, recovered int }

// tallies replays every file.
func tallies(t *testing.T) map[tableKey]*tally {
	rows := map[tableKey]*tally{}
	for _, path := range testenv.Glob(t, "records/*.json*") {
		for res, err := range replay.File(path, replay.Options{}) {
			if err != nil {
				t.Fatal(err)
			}
			kernel, _, _ := strings.Cut(res.Kernel, "+")
			kernel, _, _ = strings.Cut(kernel, "-")
			key := tableKey{kernel, res.Profile}
			if rows[key] == nil {
				rows[key] = &tally{}
			}
			rows[key].add(res)
		}
	}
	return rows
}

func (n *tally) add(res *replay.Result) {
	switch res.Match {
	case replay.Same:
		n.same++
		n.bytes += res.Bytes
		if len(res.Recovered) > 0 {
			n.recovered++
		}
	case replay.Differs:
		n.differ++
	default:
		n.unknown++
	}
}

// table returns the rows as Markdown.
func table(rows map[tableKey]*tally) string {
	var b strings.Builder
	b.WriteString("| kernel | profile | compared | matched | bytes | inputs from code | no code to compare |\n" +
		"|---|---|---:|---:|---:|---:|---:|\n")
	var total tally
	for _, key := range slices.SortedFunc(maps.Keys(rows), func(x, y tableKey) int {
		return cmp.Or(strings.Compare(x.kernel, y.kernel), strings.Compare(x.profile, y.profile))
	}) {
		n := rows[key]
		line(&b, key.kernel, "`"+key.profile+"`", n)
		total.same += n.same
		total.differ += n.differ
		total.unknown += n.unknown
		total.bytes += n.bytes
		total.recovered += n.recovered
	}
	line(&b, "all", "", &total)
	return b.String()
}

func line(b *strings.Builder, kernel, profile string, n *tally) {
	fmt.Fprintf(b, "| %s | %s | %d | %d | %d | %d | %d |\n",
		kernel, profile, n.same+n.differ, n.same, n.bytes, n.recovered, n.unknown)
}

const (
	tableBegin = "<!-- replay table: go test ./internal/replay -run TestTable -update -->\n"
	tableEnd   = "<!-- end of replay table -->\n"
)

// TestTable holds the table in docs/evidence/jit.md against the records: a row may have
// grown, as files are added, but must not promise more than there is.
func TestTable(t *testing.T) {
	rows := tallies(t)
	path := filepath.Join("..", "..", "docs", "evidence", "jit.md")
	doc, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok1 := strings.Cut(string(doc), tableBegin)
	old, tail, ok2 := strings.Cut(rest, tableEnd)
	if !ok1 || !ok2 {
		t.Fatalf("%s has no table", path)
	}
	if *update {
		text := head + tableBegin + table(rows) + tableEnd + tail
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	shown := 0
	for _, m := range regexp.MustCompile("(?m)^\\| (\\S+) \\| `(\\S+)` \\| (\\d+) \\| (\\d+) \\| ").
		FindAllStringSubmatch(old, -1) {
		shown++
		n := rows[tableKey{m[1], m[2]}]
		compared, _ := strconv.Atoi(m[3])
		matched, _ := strconv.Atoi(m[4])
		if n == nil || n.same+n.differ < compared || n.same < matched {
			t.Errorf("%s says %s, the records have %+v", path, m[0], n)
		}
	}
	if shown == 0 {
		t.Errorf("the table in %s is empty", path)
	}
}
