package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/internal/report"
	"github.com/bpfcfg/bpfcfg/internal/testing/damage"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
)

// evilObject writes an object of the corpus to file, with names that try to
// break out of every format: of programs, sections, maps, functions, types,
// files, source lines, and the license.
func evilObject(t *testing.T, object, file string) {
	t.Helper()
	data, err := os.ReadFile(object)
	if err != nil {
		t.Fatal(err)
	}
	mapKeys := []string{"type", "key", "value", "max_entries", "map_flags", "key_size", "value_size", "values"}
	data = damage.Rename(data, func(what, name string) string {
		switch {
		case what == damage.SectionName && (strings.HasPrefix(name, ".") || name == "license" || name == "maps"):
			return name
		case what == damage.TypeString && slices.Contains(mapKeys, name):
			return name
		}
		return damage.Evil(name)
	})
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// ranVerb is what a run of the command gave.
type ranVerb struct {
	args     []string
	status   int
	out, err string
}

// runHere runs the command in this process.
func runHere(args ...string) ranVerb {
	var out, errs bytes.Buffer
	status := run(args, streams{in: strings.NewReader(""), out: &out, err: &errs})
	return ranVerb{args, status, out.String(), errs.String()}
}

// TestEvilNames runs every verb in every format on objects and files whose names
// hold escape sequences, line breaks, bidirectional controls, markup and commands
// of CI systems. Nothing of it may come through as what it is, and no file may be
// written outside of the directory.
func TestEvilNames(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the command hundreds of times")
	}
	corpus := testenv.Path(t, "corpus")
	t.Chdir(t.TempDir())
	if err := os.Mkdir("work", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chdir("work"); err != nil {
		t.Fatal(err)
	}
	file := "a\x1b[31m\u202e\n::error::INJECTED<script>&\"'`|%0A.o"
	for _, object := range []string{"out/01_ipproto_xdp.o", "out/09_duplicate_targets.o",
		"bad/b08_not_from_table.o", "bad/b01_outside_function.o", "../seed-callx/p3_table.o"} {
		evilObject(t, filepath.Join(corpus, object), file)
		evilRuns(t, corpus, file)
	}
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err == nil && path != ".." && path != filepath.Join("..", "work") && !strings.Contains(path, "work/") {
			t.Errorf("written outside: %q", path)
		}
		if safe := regexp.MustCompile(`^[A-Za-z0-9._/-]*$`); filepath.Base(path) != file &&
			!safe.MatchString(filepath.Base(path)) {
			t.Errorf("written with the name %q", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// evilRuns runs the verbs on one object.
func evilRuns(t *testing.T, corpus, file string) {
	base := runHere("list", "--format", "json", file)
	var programs struct{ Programs []struct{ Name string } }
	if err := json.Unmarshal([]byte(base.out), &programs); err != nil || len(programs.Programs) == 0 {
		t.Fatalf("%v, %s", err, base.err)
	}
	prog := programs.Programs[0].Name
	runs := [][]string{
		{"list", file}, {"list", "--format", "json", file}, {"list", "--prog", "no\x1b[31m\nINJECTED", file},
		{"verify", file}, {"verify", "--format", "json", file},
		{"explain", file}, {"explain", "--format", "json", file}, {"explain", "--prog", prog, file, "gotox@7"},
		{"explain", "--prog", prog, file, "dead"}, {"explain", "--prog", prog, file, "b1"},
		{"explain", "--prog", prog, file, "\x1b[31m\nINJECTED"},
		{"where", "--prog", prog, file, "+0x20"}, {"where", "--prog", prog, "--format", "json", file, "+0x20"},
		{"golden", "update", "--dir", "g", file}, {"golden", "check", "--dir", "g", file},
		{"golden", "check", "--dir", "g", "--profile", "linux-7.3+plain", file},
		{"golden", "check", "--dir", "none\x1b[31m\nINJECTED", file},
		{"check", "--write-baseline", "--baseline", "base.json", file},
		{"check", "--baseline", "base.json", "--format", "json=part.json", file},
		{"merge", "part.json"}, {"merge", "--format", "sarif", "part.json"},
		{"diff", file, filepath.Join(corpus, "out/02_syscall_dispatch.o")},
		{"list", "no\x1b[31m\nINJECTED"}, {"list", "raw:no\x1b[31m\nINJECTED"}, {"list", "record:no\x1b[31m\nINJECTED"},
		{"profile", "linux-7.3+\x1b[31m\nINJECTED"}, {"profile", "no\x1b[31m\nINJECTED.json"},
		{"render", file}, {"\x1b[31m\nINJECTED"}, {"list", "--no\x1b[31m\nINJECTED"}, {"replay", file},
	}
	for _, stage := range []string{"insns", "cfg", "facts", "succ", "tables", "xlated", "jit", "layout"} {
		runs = append(runs, []string{"show", "--stage", stage, file}, []string{"show", "--stage", stage, "--format",
			"json", file})
	}
	for _, format := range report.Formats() {
		runs = append(runs, []string{"check", "--show", "note", "--format", format, file})
	}
	for _, format := range []string{"text", "markdown", "json", "html"} {
		runs = append(runs, []string{"diff", "--all", "--format", format, file, filepath.Join(corpus,
			"out-plain/01_ipproto_xdp.o")},
			[]string{"diff", "--all", "--format", format, filepath.Join(corpus, "out/01_ipproto_xdp.o"), file})
	}
	for _, format := range textPictures() {
		runs = append(runs, []string{"render", "--prog", prog, "--format", format, "-o", "-", file})
	}
	for _, args := range runs {
		checkEvil(t, runHere(args...))
	}
}

// textPictures returns the formats of pictures that are text.
func textPictures() (out []string) {
	for _, f := range pictureFormats {
		if f.name != "png" && f.name != "pdf" {
			out = append(out, f.name)
		}
	}
	return out
}

// checkEvil checks what a run printed.
func checkEvil(t *testing.T, r ranVerb) {
	t.Helper()
	format := ""
	for i, a := range r.args[:len(r.args)-1] {
		if a == "--format" {
			format = r.args[i+1]
		}
	}
	for name, s := range map[string]string{"standard output": r.out, "standard error": r.err} {
		for _, fault := range []error{harmless(s), noCommand(s, format)} {
			if fault != nil {
				t.Errorf("bpfcfg %.200q: %s: %v", r.args, name, fault)
			}
		}
	}
	if strings.Contains(r.err, "internal error") {
		t.Errorf("bpfcfg %.200q: %.300s", r.args, r.err)
	}
	if r.status > exitDiffers || r.status == exitInput && r.err == "" {
		t.Errorf("bpfcfg %.200q: status %d, %q", r.args, r.status, r.err)
	}
	if r.out == "" || r.status == exitUsage {
		return
	}
	if err := wellFormed(format, r.out); err != nil {
		t.Errorf("bpfcfg %.200q: %v", r.args, err)
	}
}

// harmless reports the first character that does more than to print itself.
func harmless(s string) error {
	for i, c := range s {
		bidi := unicode.Is(unicode.Bidi_Control, c) || c == '\u2028' || c == '\u2029'
		wrong := c == utf8.RuneError && !strings.HasPrefix(s[i:], string(utf8.RuneError))
		if c != '\n' && c != '\t' && unicode.IsControl(c) || bidi || wrong {
			return fmt.Errorf("character %U in %q", c, s[max(0, i-60):min(len(s), i+60)])
		}
	}
	return nil
}

// noCommand reports a line that a CI system takes for a command, other than
// those of format github.
func noCommand(s, format string) error {
	for line := range strings.Lines(s) {
		if strings.HasPrefix(line, "INJECTED") || strings.HasPrefix(line, "::") && format != "github" {
			return fmt.Errorf("line %.200q", line)
		}
		if format == "github" && strings.HasPrefix(line, "::") && !regexp.MustCompile(
			`^::(error|warning|notice) (file=[^,:]*(,line=\d+)?(,endLine=\d+)?(,col=\d+)?(,endColumn=\d+)?,)?title=[^,:]*::`).
			MatchString(line) {
			return fmt.Errorf("annotation %.300q", line)
		}
	}
	return nil
}

// markup are beginnings of elements that a name may not make.
var markup = regexp.MustCompile(`<script>alert|</text></script>|<b>&amp;"`)

// wellFormed checks a format by its own rules.
func wellFormed(format, s string) error {
	switch format {
	case "json", "sarif":
		for d := json.NewDecoder(strings.NewReader(s)); ; {
			var v any
			if err := d.Decode(&v); errors.Is(err, io.EOF) {
				return nil
			} else if err != nil {
				return err
			}
		}
	case "markdown":
		s = regexp.MustCompile("(?ms)^(````*)diff$.*?^````*$").ReplaceAllString(s, "") // code is shown as it is
	case "junit", "svg":
		for d := xml.NewDecoder(strings.NewReader(s)); ; {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				return err
			}
		}
	case "html":
	default:
		return nil
	}
	if m := markup.FindStringIndex(s); m != nil {
		return fmt.Errorf("markup in %q", s[max(0, m[0]-60):min(len(s), m[1]+60)])
	}
	return nil
}

// TestRecordBomb opens a file of records whose lines ask for 16 MiB of map values
// each: programs beyond the limit fail, and say what to do.
func TestRecordBomb(t *testing.T) {
	line := `{"kind":"result","job":{"name":"a","prog_type":"xdp","insns":["b700000000000000","9500000000000000"],` +
		`"maps":[{"name":"m","type":"array","max_entries":1,"value_size":16777216}],"fd_array":["m"]}}` + "\n"
	file := filepath.Join(t.TempDir(), "bomb.jsonl")
	if err := os.WriteFile(file, []byte(strings.Repeat(line, 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	r := runHere("list", "record:"+file)
	runtime.ReadMemStats(&after)
	if r.status != exitInput || !strings.Contains(r.err, "name one") {
		t.Errorf("status %d: %.200s", r.status, r.err)
	}
	if live := after.HeapSys - before.HeapSys; live > 1<<30 {
		t.Errorf("%d bytes of heap", live)
	}
}

// TestSpecialFiles reads and writes what is no regular file. Reading a pipe or a
// device without an end must not wait, and no verb may replace a link.
func TestSpecialFiles(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "link.svg")
	if err := os.Symlink(filepath.Join(dir, "elsewhere.svg"), link); err != nil {
		t.Skip(err)
	}
	object := testenv.Path(t, "corpus/out/10_single_target.o")
	for _, args := range [][]string{
		{"list", os.DevNull}, {"list", "raw:" + os.DevNull}, {"list", "record:" + os.DevNull}, {"replay", os.DevNull},
		{"list", "raw:" + dir}, {"list", "record:" + dir}, {"merge", os.DevNull}, {"list", object + "/x"},
		{"check", "--baseline", os.DevNull, object}, {"render", "--overlay", os.DevNull, "-o", "-", object},
		{"render", "-o", link, object}, {"render", "-o", os.DevNull, object}, {"render", "-o", dir, object},
		{"check", "--format", "json=" + link, object}, {"check", "--write-baseline", "--baseline", link, object},
		{"diff", "--format", "html=" + link, object, object}, {"golden", "update", "--dir", object, object},
	} {
		r := runHere(args...)
		if r.status != exitInput && r.status != exitUsage || strings.Count(r.err, "\n") > 3 || r.err == "" {
			t.Errorf("bpfcfg %q: status %d, %q", args, r.status, r.err)
		}
	}
	if st, err := os.Lstat(link); err != nil || st.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link was replaced: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "elsewhere.svg")); err == nil {
		t.Error("the link was followed")
	}
}

// TestManyOfOneName names pictures of as many programs as there can be, all of one
// name: numbering each from the start was quadratic.
func TestManyOfOneName(t *testing.T) {
	programs := slices.Repeat([]string{"f", "F", "f-2"}, load.MaxPrograms/3)
	names := pictureNames("x.o", programs, "svg")
	seen := map[string]bool{}
	for _, n := range names {
		seen[strings.ToLower(n)] = true
	}
	if len(seen) != len(programs) || names[0] != "x.f.svg" || names[1] != "x.F-2.svg" {
		t.Errorf("%d names for %d programs: %q", len(seen), len(programs), names[:3])
	}
}
