package main

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
)

// The documents and the --help texts show commands; TestDocumentedCommands
// runs them, in their order, in one directory for each text.
//
// A command is a line that is indented or fenced and begins with "bpfcfg " or
// "go run ./cmd/bpfcfg ". What follows two blanks and is a word is a comment.
// A line with words such as INPUT is a synopsis: its verb and flags must exist.

// standIns replaces words of the documents by what is there when they run.
var standIns = strings.NewReplacer(
	"prog.o#f1", "prog.o#classify", "--prog f1", "--prog classify", "gotox@17", "gotox@19",
	"old.o#f new.o#f", "old.o#filter new.o#filter", "old.o new.o --prog f ", "old.o new.o --prog filter ",
	"prog.o#f ", "prog.o#classify ", "--prog f ", "--prog classify ", "prog.o#xdp_main", "prog.o#classify",
	"prog.o#handler +0x8a0", "testdata/corpus/out/13_subprog_switch.o#main_ +0x8a",
	"prog.o --prog handler helper+0x1c", "testdata/corpus/out/13_subprog_switch.o --prog main_ inner+0x1c",
	"prog.o --set", "internal/check/testdata/features.o --set", "'xdp_*'", "'fil*'",
	"replay rec.jsonl.gz", "replay testdata/records/corpus.7.3.4.off.jsonl.gz",
	"record:rec.jsonl.gz#prog/classify", "record:testdata/records/corpus.7.3.4.off.jsonl.gz#02_syscall_dispatch/classify",
	"record:rec.jsonl.gz", "record:testdata/records/corpus.7.3.4.off.jsonl.gz#02_syscall_dispatch/classify",
	"replay testdata/records", "replay testdata/records/corpus.7.3.4.off.jsonl.gz", // .ci/run has all of them
	"suite.7.3.4.off", "testdata/records/corpus.7.3.4.off",
	"FILE.jsonl.gz#NAME", "testdata/records/corpus.7.3.4.off.jsonl.gz#02_syscall_dispatch/classify",
	"$^", "build/filter.o build/other.o", "part*.json", "part1.json part2.json part3.json",
)

// statuses holds the exit status of commands that do not end with 0, and why.
var statuses = map[string]int{
	// There are no files yet.
	"bpfcfg golden check prog.o --dir golden --profile linux-7.3 --profile linux-7.3-ibt": 4,
}

// unrunnable holds the reasons why commands with a word cannot run here.
func unrunnable(args []string) string {
	for _, a := range args {
		switch {
		case strings.HasPrefix(a, "live:"), a == "--load", a == "host":
			if ok, why := testenv.Kernel(); !ok {
				return "needs a kernel that shows programs: " + why
			}
			return "needs a program that is loaded: the scripts with [live] do this"
		case a == "--vm", a == "--uml", strings.HasPrefix(a, "vm:"), strings.HasPrefix(a, "uml:"):
			return "needs a kernel image: TestAsk does this"
		case strings.HasSuffix(a, ".btf"):
			return "needs a kernel's types"
		case strings.Contains(a, "…"), strings.HasPrefix(a, "$("):
			return "is a pattern"
		}
	}
	return ""
}

// world makes the files that the documents speak of, and goes there.
func world(t *testing.T) {
	t.Helper()
	repo, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	t.Setenv("CI", "")
	t.Setenv("GITHUB_STEP_SUMMARY", "")
	for _, dir := range []string{"testdata", "cmd", "docs", "internal"} {
		if err := os.Symlink(filepath.Join(repo, dir), dir); err != nil {
			t.Skip("no symbolic links:", err)
		}
	}
	for to, from := range map[string]string{
		"prog.o":              "cmd/bpfcfg/sample/sample.o",
		"build/filter.o":      "docs/examples/pipeline/build/filter.o",
		"build/other.o":       "cmd/bpfcfg/sample/sample.o",
		"old.o":               "docs/examples/pipeline/build/filter.o",
		"new.o":               "docs/examples/pipeline/change/filter.o",
		"build.main/filter.o": "docs/examples/pipeline/change/filter.o",
	} {
		data, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	log := "0: R1=ctx() R10=fp0\n0: (b7) r0 = 2\n1: (61) r3 = *(u32 *)(r1 +4)\n" // of the verifier
	for _, file := range []string{"f1.log", "old.log", "new.log"} {
		if err := os.WriteFile(file, []byte(log), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, line := range []string{
		"bpfcfg check build/ --shard 1/3 --format json=part1.json",
		"bpfcfg check build/ --shard 2/3 --format json=part2.json",
		"bpfcfg check build/ --shard 3/3 --format json=part3.json",
		"bpfcfg profile linux-7.3 > host.json",
		"bpfcfg golden update build/ --dir golden",
	} {
		runLine(t, line)
	}
}

// runLine runs a command line, with "> FILE" at its end obeyed.
func runLine(t *testing.T, line string) {
	t.Helper()
	args := words(line)[1:]
	var out, errs bytes.Buffer
	to := ""
	if n := len(args); n > 2 && args[n-2] == ">" {
		args, to = args[:n-2], args[n-1]
	}
	status := run(args, streams{in: strings.NewReader(""), out: &out, err: &errs})
	if status != statuses[line] {
		t.Errorf("%s: exit status %d, want %d\n%s", line, status, statuses[line], errs.String())
	}
	if to != "" {
		if err := os.WriteFile(to, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// words splits a line as a shell does, of whose quotes it knows the single ones.
func words(line string) []string {
	var out []string
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			out = append(out, part)
			continue
		}
		out = append(out, strings.Fields(part)...)
	}
	return out
}

var (
	commandForm = regexp.MustCompile(`^(?:    |\t|  )?(?:\$ |sudo )?(?:bpfcfg|go run \./cmd/bpfcfg) (.*)$`)
	commentForm = regexp.MustCompile(`(?: {2,}(?:#.*|(?:[a-z]+,?|[A-Z][a-z]+|JSON|C) [^-].*)| +# .*)$`)
	synopsis    = regexp.MustCompile(`(?:^|[ \[|=])(?:[A-Z]{4,}|OLD NEW)`)
	flagForm    = regexp.MustCompile(`--[a-z-]+`)
)

// commands returns the command lines of a text; fenced and indented ones when
// markdown is set.
func commands(text string, markdown bool) []string {
	var out []string
	fenced := false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(line, "```") {
			fenced = !fenced
			continue
		}
		if markdown && !fenced && !strings.HasPrefix(line, "    ") {
			continue
		}
		m := commandForm.FindStringSubmatch(strings.TrimPrefix(line, "- run: "))
		if m == nil {
			continue
		}
		out = append(out, "bpfcfg "+strings.TrimSpace(commentForm.ReplaceAllString(strings.TrimLeft(m[1], " "), "")))
	}
	return out
}

func TestCommandsOfText(t *testing.T) {
	text := "bpfcfg is not here\n\n    $ bpfcfg show a.o#f  --stage x   what it does, --really\n" +
		"    bpfcfg demo     # x\n```sh\nbpfcfg   check 'a b' # y\n- run: bpfcfg list INPUT...\n```\n    go run ./cmd/bpfcfg list a.o\n"
	want := []string{
		"bpfcfg show a.o#f  --stage x", "bpfcfg demo", "bpfcfg check 'a b'", "bpfcfg list INPUT...", "bpfcfg list a.o",
	}
	if got := commands(text, true); !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
	if got := words("bpfcfg check 'a b' c"); !slices.Equal(got, []string{"bpfcfg", "check", "a b", "c"}) {
		t.Errorf("words: %q", got)
	}
}

// documented returns the texts to test by name.
func documented(t *testing.T) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	files, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	evidence, err := filepath.Glob("../../docs/evidence/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(append(files, evidence...), "../../README.md") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		out[strings.TrimPrefix(filepath.ToSlash(file), "../../")] = commands(string(text), true)
	}
	var help bytes.Buffer
	run([]string{"--help"}, streams{in: nil, out: &help, err: &help})
	verbs := regexp.MustCompile(`(?m)^  ([a-z]+)(?: ([a-z]+))?  ?`).FindAllStringSubmatch(help.String(), -1)
	if len(verbs) < 10 {
		t.Fatalf("only %d verbs in\n%s", len(verbs), help.String())
	}
	for _, v := range verbs {
		var text bytes.Buffer
		args := append(strings.Fields(v[1]+" "+v[2]), "--help")
		if status := run(args, streams{in: nil, out: &text, err: &text}); status != 0 {
			t.Errorf("%q: exit status %d\n%s", args, status, text.String())
		}
		name := strings.Join(args, "-")
		_, examples, _ := strings.Cut(text.String(), "Examples:")
		out[name] = commands(examples, false)
	}
	return out
}

func TestDocumentedCommands(t *testing.T) {
	if testing.Short() {
		t.Skip("runs a hundred commands")
	}
	texts := documented(t)
	ran := 0
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		if len(texts[name]) == 0 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			world(t)
			for _, line := range texts[name] {
				line = strings.TrimSpace(standIns.Replace(line + " "))
				if synopsis.MatchString(line) {
					checkSynopsis(t, line)
				} else if why := unrunnable(words(line)); why != "" {
					t.Logf("not run: %s: %s", line, why)
				} else {
					ran++
					runLine(t, line)
				}
			}
		})
	}
	if ran < 40 {
		t.Errorf("only %d commands were found: the pattern is wrong", ran)
	}
}

// checkSynopsis looks for the verb and the flags of a line in the help text.
func checkSynopsis(t *testing.T, line string) {
	t.Helper()
	args := words(line)[1:]
	verb := args[:1]
	if args[0] == "golden" && len(args) > 1 {
		verb = args[:2]
	}
	var help bytes.Buffer
	if status := run(append(slices.Clone(verb), "--help"), streams{in: nil, out: &help, err: &help}); status != 0 {
		t.Errorf("%s: no such verb\n%s", line, help.String())
	}
	for _, flag := range flagForm.FindAllString(line, -1) {
		if !strings.Contains(help.String(), flag) {
			t.Errorf("%s: %q does not know %s", line, verb, flag)
		}
	}
}
