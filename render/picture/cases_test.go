package picture

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
	"github.com/bpfcfg/bpfcfg/render"
)

// TestCases compares the labels of indirect jumps with the C lines that their
// targets begin with, as far as those name cases: the compiler's line table is not
// of our making. Joined code has the line of one of its cases, so a few differ.
func TestCases(t *testing.T) {
	prof, err := jit.LookupProfile(jit.DefaultProfile)
	if err != nil {
		t.Fatal(err)
	}
	word := regexp.MustCompile(`\bcase (-?\d+):`)
	agree, not := 0, 0
	for _, path := range testenv.Glob(t, "corpus/out/*.o") {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		o, err := load.ELF(filepath.Base(path), data)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range o.Programs {
			a, err := pipeline.Run(p, prof, rewrite.Options{})
			if err != nil {
				t.Fatal(err)
			}
			s := Scene(a, path)
			for _, e := range s.Edges {
				if e.Kind != render.Indirect || e.To == render.Outside || strings.Contains(e.Label, "[") || e.Label == "" {
					continue
				}
				first := s.Blocks[e.To].Lines[0].Source
				ms := word.FindAllStringSubmatch(first, -1)
				if len(ms) == 0 {
					continue
				}
				same := false
				for _, m := range ms {
					v, _ := strconv.Atoi(m[1])
					same = same || labelHas(e.Label, v)
				}
				if same {
					agree++
				} else {
					not++
					t.Logf("%s %s: %q leads to %q", filepath.Base(path), p.Name, e.Label, first)
				}
			}
		}
	}
	if agree < 100 || not > agree/20 {
		t.Errorf("%d labels agree with the source, %d do not", agree, not)
	}
}

// labelHas reports whether a label "0, 3–5" has a number.
func labelHas(label string, v int) bool {
	for part := range strings.SplitSeq(label, ", ") {
		from, to, ok := strings.Cut(part, "–")
		if !ok {
			to = from
		}
		lo, err1 := strconv.Atoi(from)
		hi, err2 := strconv.Atoi(to)
		if err1 == nil && err2 == nil && lo <= v && v <= hi {
			return true
		}
	}
	return false
}
