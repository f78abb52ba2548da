package succ_test

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
	"github.com/bpfcfg/bpfcfg/succ"
)

// resolved is a program of the corpus with its answer.
type resolved struct {
	object string
	p      *bytecode.Program
	r      *succ.Result
}

// resolveAll resolves all programs of the objects that match a pattern.
func resolveAll(t *testing.T, pattern string) []resolved {
	t.Helper()
	var out []resolved
	for _, path := range testenv.Glob(t, pattern) {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		o, err := load.ELF(filepath.Base(path), data)
		if err != nil {
			t.Fatal(err)
		}
		if len(o.Failed) > 0 && !strings.Contains(pattern, "bad") {
			t.Fatal(o.Failed[0])
		}
		for _, p := range o.Programs {
			r, err := succ.Resolve(p, succ.Options{})
			if err != nil {
				t.Fatalf("%s: %s: %v", o.Name, p.Name, err)
			}
			out = append(out, resolved{o.Name, p, r})
		}
	}
	return out
}

// fact is a function as corpus/facts.txt describes it; that file was made with
// llvm-readelf and llvm-objdump.
type fact struct {
	insns, gotox, callx int
	tables              []string // "BPF.JT.0.0[61 entries,15 distinct]", sorted
}

var (
	factLine  = regexp.MustCompile(`^  (\S+)/(\S+): (\d+) insns gotox=(\d+) callx=(\d+) tables=\d+ (.*)$`)
	factTable = regexp.MustCompile(`\S+\[\d+ entries,\d+ distinct\]|\.(?:ro)?data\+\d+`)
)

// readFacts reads corpus/facts.txt: by object and function.
func readFacts(t *testing.T) map[string]fact {
	t.Helper()
	f, err := os.Open(testenv.Path(t, "corpus/facts.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	facts := map[string]fact{}
	object := ""
	atoi := func(s string) int {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for sc := bufio.NewScanner(f); sc.Scan(); {
		if name, ok := strings.CutPrefix(sc.Text(), "== out/"); ok {
			object = name
		}
		if m := factLine.FindStringSubmatch(sc.Text()); m != nil {
			tables := factTable.FindAllString(m[6], -1)
			slices.Sort(tables)
			facts[object+"/"+m[2]] = fact{atoi(m[3]), atoi(m[4]), atoi(m[5]), tables}
		}
	}
	if len(facts) == 0 {
		t.Fatal("no facts read")
	}
	return facts
}

// describe makes the fact of a subprogram from what was resolved.
func describe(x resolved, sub int) fact {
	s := x.p.Subprogs[sub]
	f := fact{insns: int(s.End - s.Start)}
	for _, d := range x.r.Indirect {
		if d.PC < s.Start || d.PC >= s.End {
			continue
		}
		switch d.Op {
		case "gotox":
			f.gotox++
		case "callx":
			f.callx++
		}
		for _, u := range d.Tables {
			text := fmt.Sprintf("%s[%d entries,%d distinct]", u.Name, u.Entries, distinct(x.p, u))
			if !slices.Contains(f.tables, text) {
				f.tables = append(f.tables, text)
			}
		}
	}
	slices.Sort(f.tables)
	return f
}

func distinct(p *bytecode.Program, u succ.TableUse) int {
	if u.Table < 0 {
		return -1
	}
	t := slices.Clone(p.Tables[u.Table].Targets)
	slices.Sort(t)
	return len(slices.Compact(t))
}

// TestCorpusFacts compares counts, tables and their sizes with what LLVM's tools
// say of the objects.
func TestCorpusFacts(t *testing.T) {
	want := readFacts(t)
	seen := map[string]bool{}
	for _, x := range resolveAll(t, "corpus/out/*.o") {
		if strings.HasPrefix(x.object, "24_") {
			continue // its tables are data, of which facts.txt has the place alone
		}
		for sub, s := range x.p.Subprogs {
			key := x.object + "/" + s.Name
			f, ok := want[key]
			got := describe(x, sub)
			if !ok {
				if got.gotox+got.callx > 0 {
					t.Errorf("%s: has indirect jumps, which facts.txt does not know", key)
				}
				continue
			}
			seen[key] = true
			if !slices.Equal(got.tables, f.tables) || got.insns != f.insns || got.gotox != f.gotox || got.callx != f.callx {
				t.Errorf("%s: got %+v, want %+v", key, got, f)
			}
		}
	}
	for key := range want {
		if !seen[key] && !strings.HasPrefix(key, "24_") {
			t.Errorf("%s: not seen", key)
		}
	}
}

// TestCorpusExact checks the number of targets of each indirect jump against
// the comment that heads each C file.
func TestCorpusExact(t *testing.T) {
	want := map[string]string{
		"01_ipproto_xdp.o/parse":            "exact 15/31, exact 17/31",
		"02_syscall_dispatch.o/classify":    "exact 11/11",
		"03_threaded_vm.o/run":              "exact 15/15, exact 15/15, exact 15/15, exact 15/15, exact 15/15",
		"05_tcp_options.o/options":          "exact 17/17",
		"06_sparse_dense.o/mixed":           "exact 16/31, exact 15/31",
		"08_two_tables_one_gotox.o/pick":    "exact 5/5",
		"09_duplicate_targets.o/classify":   "exact 8/8",
		"10_single_target.o/one":            "exact 1/1",
		"10_single_target.o/last":           "exact 1/1",
		"11_bpf_loop_switch.o/spin":         "exact 16/16",
		"12_may_goto_switch.o/walk":         "exact 20/20",
		"13_subprog_switch.o/main_":         "exact 15/15, exact 16/16, exact 14/14",
		"15_thousand_cases.o/thousand":      "exact 1000/1000",
		"17_range_checked.o/below":          "exact 6/6",
		"17_range_checked.o/between":        "exact 8/8",
		"17_range_checked.o/capped":         "exact 5/5",
		"19_map_value.o/apply":              "exact 18/18",
		"20_packet_value.o/icmp":            "exact 14/30, exact 16/30",
		"22_tail_dispatch.o/dispatch":       "exact 17/17",
		"22_tail_dispatch.o/stage1":         "",
		"22_tail_dispatch.o/stage2":         "exact 13/13",
		"23_unreachable_default.o/guarded":  "exact 20/20",
		"24_rodata_table.o/plain":           "exact 4/0",
		"24_rodata_table.o/pairs":           "exact 3/0",
		"24_rodata_table.o/writable":        "unresolved 0/1",
		"25_irreducible.o/enter":            "exact 3/3",
		"27_asm_corners.o/arith":            "exact 1/3",
		"27_asm_corners.o/merge":            "exact 3/3",
		"27_asm_corners.o/spill":            "exact 2/2",
		"27_asm_corners.o/again":            "exact 2/2",
		"27_asm_corners.o/self":             "exact 2/2",
		"b07_no_table.o/prog":               "unresolved 0/0",
		"b08_not_from_table.o/prog":         "unresolved 0/2",
		"b10_index_unbounded.o/prog":        "over-approximate 2/2",
		"b11_unscaled_index.o/prog":         "unresolved 0/2",
		"b13_arith_on_target.o/prog":        "unresolved 0/2",
		"b18_uninit_register.o/prog":        "unresolved 0/0",
		"b20_false_unreachable.o/unguarded": "over-approximate 20/20",
		// Indirect calls, which no kernel has an answer for.
		"p1_branch.o/choose":    "exact 2/0",
		"p2_context.o/both":     "exact 2/0",
		"p2_context.o/only_inc": "exact 1/0",
		"p3_table.o/first":      "exact 3/0",
		"p3_table.o/second":     "exact 1/0",
	}
	seen := 0
	for _, pattern := range []string{"corpus/out/*.o", "corpus/bad/*.o", "seed-callx/*.o"} {
		for _, x := range resolveAll(t, pattern) {
			var got []string
			for _, d := range x.r.Indirect {
				got = append(got, fmt.Sprintf("%s %d/%d", d.Status, len(d.Exact), len(d.Kernel)))
			}
			key := x.object + "/" + x.p.Name
			w, ok := want[key]
			if !ok && pattern == "corpus/bad/*.o" {
				continue // bad for other reasons than values
			}
			seen++
			if g := strings.Join(got, ", "); g != w {
				t.Errorf("%s: got %q, want %q", key, g, w)
			}
		}
	}
	if seen != len(want) {
		t.Errorf("saw %d programs of %d", seen, len(want))
	}
}

// TestCallx checks which functions the indirect calls of the seed programs
// reach, by name, and that others are not reached.
func TestCallx(t *testing.T) {
	want := map[string]string{
		"choose": "diff sum", "both": "inc twice", "only_inc": "inc", "first": "high low mid", "second": "high",
	}
	for _, x := range resolveAll(t, "seed-callx/*.o") {
		var got, dead []string
		for _, d := range x.r.Indirect {
			for _, pc := range d.Exact {
				got = append(got, x.p.Subprogs[x.p.SubprogAt(pc)].Name)
			}
		}
		for _, s := range x.p.Subprogs {
			if !x.r.Facts.Reached(s.Start) {
				dead = append(dead, s.Name)
			}
		}
		slices.Sort(got)
		if g := strings.Join(got, " "); g != want[x.p.Name] {
			t.Errorf("%s: calls %s, want %s", x.p.Name, g, want[x.p.Name])
		}
		for _, name := range dead {
			if slices.Contains(got, name) {
				t.Errorf("%s: %s is called but not reached", x.p.Name, name)
			}
		}
	}
}
