package main

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
)

// samples reads the samples of this package.
func samples(t *testing.T) []*sample {
	t.Helper()
	list, err := readSamples("testdata", testenv.Path(t, "records"))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestTable demands that the committed table says of bpfcfg what is so now, and
// that this is what was written down by hand.
func TestTable(t *testing.T) {
	doc, err := os.ReadFile("../../docs/comparison.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range samples(t) {
		r, err := ourRow(s)
		if err != nil {
			t.Fatal(err)
		}
		if r.ours != "right" {
			t.Errorf("%s: %s", s.name, r.ours)
		}
		want := fmt.Sprintf("\n| `%s` | %s | %d | %s | ", s.name, strings.TrimSuffix(s.about, "."), r.edges, r.ours)
		if !strings.Contains(string(doc), want) {
			t.Errorf("docs/comparison.md lacks %q: go -C tools run ./comparison", want)
		}
	}
}

// TestOthers demands the other columns of the committed table, where the tools
// of its versions are here.
func TestOthers(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: each run of bpftool reads the kernel's symbols")
	}
	tools, err := findTools(t.TempDir(), "testdata/stub.c")
	if err != nil {
		t.Skipf("skipped: %v", err)
	}
	rows, err := tools.compare(samples(t))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile("../../docs/comparison.md")
	if err != nil {
		t.Fatal(err)
	}
	table := flowTable(rows, tools)
	if header := strings.Split(table, "\n")[1]; !strings.Contains(string(doc), header) {
		t.Skipf("skipped: the table is of other versions than bpftool %s, llvm-objdump %s", tools.bpftoolV, tools.llvmV)
	}
	if !strings.Contains(string(doc), table) {
		t.Errorf("docs/comparison.md is not what the tools say now:\n%s", table)
	}
}

// Lines of the verifier's log: an instruction that it looks at, and the point
// that it goes back to.
var (
	logInsn = regexp.MustCompile(`^(\d+): \([0-9a-f]{2}\) `)
	logFrom = regexp.MustCompile(`^from (\d+) to (\d+)`)
)

// TestVerifierLog compares the flows with the steps that a kernel's verifier
// took. It takes all steps that can happen, but for states that it has seen.
func TestVerifierLog(t *testing.T) {
	checked, steps := 0, 0
	for _, s := range samples(t) {
		if s.log == "" {
			continue
		}
		checked++
		seen := flow{}
		last := -1
		for line := range strings.Lines(s.log) {
			if m := logFrom.FindStringSubmatch(line); m != nil {
				from, to := number(t, m[1]), number(t, m[2])
				s.step(t, seen, from, to)
				last = -1
				continue
			}
			m := logInsn.FindStringSubmatch(line)
			if m == nil {
				continue
			}
			pc := number(t, m[1])
			if last >= 0 {
				s.step(t, seen, last, pc)
			}
			last = pc
		}
		for _, list := range seen {
			steps += len(list)
		}
		for _, missing := range lacking(s.truth, seen) {
			t.Logf("%s: no step %s in the log", s.name, missing)
		}
	}
	if checked != 9 || steps < 100 {
		t.Errorf("%d logs with %d steps", checked, steps)
	}
}

// step checks one step of a log, but for those into functions and out of them.
func (s *sample) step(t *testing.T, seen flow, from, to int) {
	a, b := bytecode.PC(from), bytecode.PC(to)
	switch s.program.Flow(a).Kind {
	case bytecode.FlowCall, bytecode.FlowExit:
		return
	case bytecode.FlowHelper:
		if s.program.SubprogAt(a) != s.program.SubprogAt(b) { // a callback
			return
		}
	}
	if !slices.Contains(s.truth[a], b) {
		t.Errorf("%s: the verifier steps from %d to %d, which is not written down", s.name, from, to)
	}
	seen.insert(a, b)
}

// lacking lists the steps of a that b does not have.
func lacking(a, b flow) []string {
	var out []string
	for from, list := range a {
		for _, to := range list {
			if !slices.Contains(b[from], to) {
				out = append(out, fmt.Sprintf("%d to %d", from, to))
			}
		}
	}
	slices.Sort(out)
	return out
}

func number(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestArrays compares the flows of indirect jumps with the kernel's arrays.
func TestArrays(t *testing.T) {
	n := 0
	for _, s := range samples(t) {
		var entries []bytecode.PC
		for _, m := range s.arrays {
			for _, e := range m.Insns {
				entries = append(entries, bytecode.PC(e.Xlated))
			}
		}
		slices.Sort(entries)
		var targets []bytecode.PC
		for pc, list := range s.xlatedTruth {
			if bytecode.FlowAt(s.xlated, pc).Kind == bytecode.FlowIndirect {
				targets = append(targets, list...)
				n++
			}
		}
		slices.Sort(targets)
		if want, got := slices.Compact(entries), slices.Compact(targets); !slices.Equal(want, got) {
			t.Errorf("%s: %v, the kernel's arrays hold %v", s.name, got, want)
		}
	}
	if n < 9 {
		t.Errorf("only %d indirect jumps", n)
	}
}

func TestVerdict(t *testing.T) {
	truth := flow{0: {1, 4}, 1: {2}}
	for want, answer := range map[string]flow{
		"right":              {0: {1, 4}, 1: {2}},
		"1 missing":          {0: {4}, 1: {2}},
		"1 wrong":            {0: {1, 4}, 1: {2, 3}},
		"1 missing, 2 wrong": {0: {1, 2, 4}, 1: {7}},
	} {
		if got := verdict(truth, answer); got != want {
			t.Errorf("%v: %s, want %s", answer, got, want)
		}
	}
}

// TestReaders reads what the tools print in the forms that they have.
func TestReaders(t *testing.T) {
	insns := make([]bytecode.Insn, 6)
	for i := range insns {
		insns[i].Code = 0xb7
	}
	visual := readVisual([]byte(`
	fn_0_bb_2 [shape=record,style=filled,label="{   0: (79) r2 = *(u64 *)(r1 +0)\l\
 |    1: (15) if r2 == 0x0 goto pc+1\l\
}"];
	fn_0_bb_3 [shape=record,style=filled,label="{\
2: (b7) r0 = 1\l\
| 3: (95) exit\l\
}"];
	fn_1_bb_2 [shape=record,style=filled,label="{\
0: (b7) r0 = 1\l\
| 1: (95) exit\l\
}"];
	fn_0_bb_0:s -> fn_0_bb_2:n [style="solid,bold"];
	fn_0_bb_2:s -> fn_0_bb_3:n [style="solid,bold"];
	fn_0_bb_2:s -> fn_1_bb_2:n [style="invis"];
`), insns)
	if got, want := fmt.Sprint(visual), "map[0:[1] 1:[2] 2:[3] 4:[5]]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	listing := readObjdump([]byte("0000000000000000 <f>:\n       0:\tif r2 == 0x0 goto +0x2 <f+0x18>\n"+
		"       1:\tgotol -0x2 <f>\n       2:\tmay_goto +0x1\n       3:\tgotox r1\n       4:\texit\n       5:\tr0 = 0x1\n"), insns)
	if got, want := fmt.Sprint(listing), "map[0:[1 3] 1:[0] 2:[3 4] 3:[] 4:[] 5:[6]]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
