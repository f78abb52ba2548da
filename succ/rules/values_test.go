package rules_test

import (
	"cmp"
	"encoding/binary"
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

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/record"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
	"github.com/bpfcfg/bpfcfg/succ/rules"
)

var update = flag.Bool("update", false, "write the table in docs/evidence/kernel-rules.md")

// shortfall is a recorded program on which a set is known to differ from the
// kernel.
type shortfall struct {
	set, program string // the program's name, or a prefix that ends in *
	why          string
}

// shortfalls lists them. A test fails when one of them agrees.
var shortfalls = []shortfall{
	{"linux-6.12", "12_may_goto_switch/walk", "the walk is given up before it comes to the limit of branches that wait"},
	{"linux-6.19", "03_threaded_vm/run", "the kernel gives up on the number of paths, at another instruction than told"},
}

// leastShare is how many of 1000 recorded refusals must be predicted with the kernel's verdict,
// words and instruction, of each kernel. Those that are listed count for all kernels together: of a
// kernel with few refusals one would be too many.
const leastShare = 990

// known returns the shortfall that a program is, or -1.
func known(set, program string) int {
	return slices.IndexFunc(shortfalls, func(s shortfall) bool {
		prefix, open := strings.CutSuffix(s.program, "*")
		return s.set == set && (s.program == program || open && strings.HasPrefix(program, prefix))
	})
}

// kernelFiles holds the records of one kernel.
type kernelFiles struct {
	set   string // "linux-7.3"
	files []string
}

// recordName is the name of a file of records: "suite.7.3.4.off.jsonl.gz" is of 7.3.
var recordName = regexp.MustCompile(`^[^.]+\.(\d+\.\d+)\.\d+\.\w+\.jsonl\.gz$`)

// recorded returns all records, by kernels, the newest first.
func recorded(t *testing.T) (out []kernelFiles) {
	of := map[string][]string{}
	for _, file := range testenv.Glob(t, "records/*.jsonl.gz") {
		m := recordName.FindStringSubmatch(filepath.Base(file))
		if m == nil {
			t.Fatalf("%s is not named NAME.RELEASE.off.jsonl.gz or NAME.RELEASE.default.jsonl.gz", file)
		}
		of["linux-"+m[1]] = append(of["linux-"+m[1]], file)
	}
	for _, set := range jit.ProfileNames() {
		if len(of[set]) > 0 {
			out = append(out, kernelFiles{set, of[set]})
			delete(of, set)
		}
	}
	for set, files := range of {
		t.Fatalf("there are records of %s (%s), but it is not in profiles (jit/profiles.go)", set, files[0])
	}
	return out
}

// row counts the programs that a kernel accepted, or refused by one rule.
type row struct {
	set, rule                        string
	programs, verdict, message, insn int // insn: of those whose log names one
	withInsn                         int
	possible                         int // told as possible: a limit that may be exceeded
}

// TestVerdicts compares the verdicts of sets with those of real kernels: the
// same decision, error and message at the same instruction.
func TestVerdicts(t *testing.T) {
	var rows []*row
	used := map[int]bool{}
	for _, c := range recorded(t) {
		prof, err := jit.LookupProfile(c.set)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		slices.Reverse(c.files) // the logs that name instructions are those of "off"
		for _, file := range c.files {
			judge(t, prof, file, seen, &rows, used)
		}
	}
	for i, s := range shortfalls {
		if !used[i] {
			t.Errorf("%s agrees on %s, which is listed as a shortfall: %s", s.set, s.program, s.why)
		}
	}
	shares(t, rows)
	sameTable(t, rows)
}

// shares counts the refusals of each kernel that are predicted.
func shares(t *testing.T, rows []*row) {
	all, same, possible := map[string]int{}, map[string]int{}, map[string]int{}
	for _, r := range rows {
		if r.rule == "(accepted)" {
			continue
		}
		good := min(r.message, r.programs-(r.withInsn-r.insn))
		for _, set := range []string{r.set, "all kernels"} {
			all[set] += r.programs
			same[set] += good
			possible[set] += r.possible
		}
	}
	for _, set := range slices.Sorted(maps.Keys(all)) {
		t.Logf("%s: %d of %d recorded refusals with the same verdict, words and instruction, %d of them as possible", set,
			same[set], all[set], possible[set])
		listed := 0
		for _, s := range shortfalls {
			if s.set == set {
				listed++
			}
		}
		if (same[set]+listed)*1000 < all[set]*leastShare {
			t.Errorf("%s: %d of %d recorded refusals are told as the kernel does", set, same[set], all[set])
		}
	}
}

// judge compares a set with a file of records. The same program is recorded in
// several files; each counts, but a program that the verdict of which is the same
// as in another file is judged once.
func judge(t *testing.T, prof jit.Profile, file string, seen map[string]bool, rows *[]*row, used map[int]bool) {
	r, err := record.Open(file, record.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for rec, err := range r.Records() {
		if err != nil {
			t.Fatal(err)
		}
		if rec.Job == nil || rec.Result == nil || rec.Result.Load == nil || len(rec.Job.DropCaps)+len(rec.Job.Sysctl) > 0 {
			continue
		}
		p, err := rec.Job.Program()
		if err != nil {
			t.Logf("%s %s: %v", filepath.Base(file), rec.Job.Name, err)
			continue
		}
		load := rec.Result.Load
		key := fmt.Sprint(string(bytecode.Encode(p.Insns, binary.LittleEndian)), p.Tables, p.Maps, p.Refs, load.OK, load.Error)
		if seen[key] {
			continue
		}
		seen[key] = true
		a, err := pipeline.Run(p, prof, rewrite.Options{AttachType: rec.Job.AttachType})
		if err != nil {
			t.Fatal(err)
		}
		compare(t, a.Rules.Name, filepath.Base(file)+" ", rec, a.Verdict(), rows, used)
	}
}

// compare counts a program and complains about a difference that is not known.
func compare(t *testing.T, set, file string, rec *record.Record, v rules.Verdict, rows *[]*row, used map[int]bool) {
	load := rec.Result.Load
	words := load.Error
	if insnLine.MatchString(words) {
		words = "" // the last line of a log that does not say why
	}
	rule := "(accepted)"
	switch {
	case !load.OK && words == "":
		rule = "(none, the log does not say why)"
	case !load.OK:
		rule = ruleOf(words)
	}
	i := slices.IndexFunc(*rows, func(r *row) bool { return r.set == set && r.rule == rule })
	if i < 0 {
		i = len(*rows)
		*rows = append(*rows, &row{set: set, rule: rule})
	}
	r := (*rows)[i]
	r.programs++
	pc, named := loggedInsn(load.Log, words)
	if may := v.May; !load.OK && v.Accept && may != nil && may.Rule == rules.TooLarge && may.Errno == load.Errno {
		// Whether a limit is exceeded depends on what the kernel takes for the same: it is
		// predicted as possible, with the place.
		v = *may
		r.possible++
	}
	sameVerdict := v.Accept == load.OK
	sameMessage := sameVerdict && (v.Message == words || words == "") && v.Errno == load.Errno
	sameInsn := sameMessage && (!named || int(v.PC) == pc)
	r.verdict += count(sameVerdict)
	r.message += count(sameMessage)
	if named {
		r.withInsn++
		r.insn += count(sameInsn)
	}
	if sameInsn {
		return
	}
	if i := known(set, rec.Job.Name); i >= 0 {
		used[i] = true
		return
	}
	t.Errorf("%s%s: %s: accept %v, %s %q at %d; kernel says %s %q at %d", file, rec.Job.Name, set, v.Accept, v.Errno,
		v.Message, v.PC, load.Errno, load.Error, pc)
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}

var (
	insnLine  = regexp.MustCompile(`^(\d+): \([0-9a-f]{2}\) `)
	atInsn    = regexp.MustCompile(`(?:infinite loop detected at|unreachable|for|jump out of range from|middle of ldimm64) insn (\d+)`)
	late      = regexp.MustCompile(`^verifier bug: No program to jit at insn \d+ `) // of the rewritten program
	numbers   = regexp.MustCompile(`0x[0-9a-f]+|-?\d+`)
	anyOpcode = regexp.MustCompile(`unknown opcode \w+`)
	anyType   = regexp.MustCompile(`has type \S+,`)
	anyOffset = regexp.MustCompile(`off (\(.*\))?\S+ size`)
)

// ruleOf makes messages of one rule the same.
func ruleOf(msg string) string {
	msg = anyOpcode.ReplaceAllString(msg, "unknown opcode NN")
	msg = strings.ReplaceAll(msg, ">=0", ">= zero")
	msg = anyType.ReplaceAllString(msg, "has type T,")
	msg = anyOffset.ReplaceAllString(msg, "off N size")
	return strings.ReplaceAll(numbers.ReplaceAllString(msg, "N"), ">= zero", ">=0")
}

// loggedInsn returns the instruction that a log gives for a message: the one in
// the message, or the last that the verifier printed before it.
func loggedInsn(log, msg string) (pc int, ok bool) {
	if m := atInsn.FindStringSubmatch(msg); m != nil {
		pc, _ = strconv.Atoi(m[1])
		return pc, true
	}
	if msg == "" || late.MatchString(msg) {
		return -1, false
	}
	pc = -1
	for line := range strings.Lines(log) {
		if strings.TrimSpace(line) == msg {
			return pc, pc >= 0
		}
		if m := insnLine.FindStringSubmatch(line); m != nil {
			pc, _ = strconv.Atoi(m[1])
		}
	}
	return -1, false
}

const (
	tablePath  = "../../docs/evidence/kernel-rules.md"
	tableBegin = "<!-- table of TestVerdicts -->\n"
	tableEnd   = "<!-- end of the table -->\n"
)

// sameTable compares the counts with the table in the documentation, or writes
// it there.
func sameTable(t *testing.T, rows []*row) {
	slices.SortFunc(rows, func(a, b *row) int {
		return cmp.Or(-cmp.Compare(a.set, b.set), -cmp.Compare(a.programs, b.programs), cmp.Compare(a.rule, b.rule))
	})
	var b strings.Builder
	b.WriteString("\n| rules | kernel's message | programs | same verdict | same message | same instruction |\n|---|---|---|---|---|---|\n")
	for _, r := range rows {
		insn := "–"
		if r.withInsn > 0 {
			insn = fmt.Sprintf("%d of %d", r.insn, r.withInsn)
		}
		rule := strings.ReplaceAll(r.rule, "|", "\\|")
		fmt.Fprintf(&b, "| %s | %s | %d | %d | %d | %s |\n", r.set, rule, r.programs, r.verdict, r.message, insn)
	}
	b.WriteString("\n")
	data, err := os.ReadFile(tablePath)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok1 := strings.Cut(string(data), tableBegin)
	old, after, ok2 := strings.Cut(rest, tableEnd)
	if !ok1 || !ok2 {
		t.Fatalf("%s has no place for the table", tablePath)
	}
	if old == b.String() {
		return
	}
	if !*update {
		t.Fatalf("%s is not what the comparison gives: run go test ./succ/rules -run TestVerdicts -update\n%s", tablePath, b.String())
	}
	text := before + tableBegin + b.String() + tableEnd + after
	if err := os.WriteFile(tablePath, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
