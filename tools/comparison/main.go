// Command comparison runs bpfcfg and other tools on the same programs, compares their control flow
// with the known one, and writes the tables of docs/comparison.md between its markers.
//
//	go -C tools run ./comparison                  # from the top of the repository
//	BPFTOOL=/opt/bpftool go -C tools run ./comparison -times
//
// Without -times it keeps the table of times, the only part that differs from run to run. It needs
// bpftool, llvm-objdump-22, dot and cc; a missing tool is an error, since its column would be lost.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/bpfcfg/bpfcfg/tools/internal/top"
)

// paths, from the top of the repository.
const (
	sampleDir = "tools/comparison/testdata"
	recordDir = "testdata/records"
	stubFile  = "tools/comparison/testdata/stub.c"
	document  = "docs/comparison.md"
)

func main() {
	times := flag.Bool("times", false, "measure times, too")
	flag.Parse()
	if err := top.Enter(); err != nil {
		fmt.Fprintln(os.Stderr, "comparison:", err)
		os.Exit(2)
	}
	if err := update(*times); err != nil {
		fmt.Fprintln(os.Stderr, "comparison:", err)
		os.Exit(1)
	}
}

// update rewrites the document.
func update(times bool) error {
	dir, err := os.MkdirTemp("", "comparison")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	samples, err := readSamples(sampleDir, recordDir)
	if err != nil {
		return err
	}
	t, err := findTools(dir, stubFile)
	if err != nil {
		return err
	}
	rows, err := t.compare(samples)
	if err != nil {
		return err
	}
	doc, err := os.ReadFile(document)
	if err != nil {
		return err
	}
	text, err := replace(string(doc), "flow", flowTable(rows, t))
	if err != nil {
		return err
	}
	if times {
		table, err := t.timeTable(dir)
		if err != nil {
			return err
		}
		if text, err = replace(text, "times", table); err != nil {
			return err
		}
	}
	return os.WriteFile(document, []byte(text), 0o644)
}

// replace puts a table between its markers.
func replace(doc, name, table string) (string, error) {
	begin, end := "<!-- "+name+": go -C tools run ./comparison -->\n", "<!-- end of "+name+" -->"
	head, rest, ok := strings.Cut(doc, begin)
	_, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		return "", fmt.Errorf("%s has no markers for %s", document, name)
	}
	return head + begin + table + end + tail, nil
}

// tools are the other programs.
type tools struct {
	bpftool         *bpftool
	objdump, dot    string
	bpftoolV, llvmV string // versions
	dotV, temporary string
}

// findTools looks for the other programs and their versions.
func findTools(dir, stub string) (*tools, error) {
	t := &tools{temporary: dir}
	var err error
	path := os.Getenv("BPFTOOL")
	if path == "" {
		if path, err = exec.LookPath("bpftool"); err != nil {
			return nil, err
		}
	}
	if t.objdump, err = exec.LookPath("llvm-objdump-22"); err != nil {
		return nil, err
	}
	if t.dot, err = exec.LookPath("dot"); err != nil {
		return nil, err
	}
	if t.bpftool, err = newBpftool(path, stub, dir); err != nil {
		return nil, err
	}
	out, err := run(nil, path, "version")
	if err != nil {
		return nil, err
	}
	first, _, _ := strings.Cut(string(out), "\n") // "bpftool v7.8.0", older ones with a path
	t.bpftoolV = first[strings.LastIndex(first, "v")+1:]
	if out, err = run(nil, t.objdump, "--version"); err != nil {
		return nil, err
	}
	_, after, _ := strings.Cut(string(out), "LLVM version ")
	t.llvmV = strings.Fields(after)[0]
	if both, err := exec.Command(t.dot, "-V").CombinedOutput(); err == nil {
		_, after, _ := strings.Cut(string(both), "version ")
		t.dotV = strings.Fields(after)[0]
	}
	return t, nil
}

// row holds the answers of the tools about one sample.
type row struct {
	sample                *sample
	edges                 int
	ours, visual, listing string
}

// compare asks each tool about each sample.
func (t *tools) compare(samples []*sample) ([]row, error) {
	var out []row
	for _, s := range samples {
		r, err := ourRow(s)
		if err != nil {
			return nil, err
		}
		dot, err := t.bpftool.visual(s.xlated)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
		visual := readVisual(dot, s.xlated)
		file := filepath.Join(t.temporary, "text.o")
		if err := os.WriteFile(file, object(encode(s.program.Insns)), 0o600); err != nil {
			return nil, err
		}
		text, err := objdump(t.objdump, file)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
		listing := readObjdump(text, s.program.Insns)
		r.visual, r.listing = verdict(s.xlatedTruth, visual), verdict(s.truth, listing)
		out = append(out, r)
	}
	return out, nil
}

// ourRow is the part of a row that needs no other tool.
func ourRow(s *sample) (row, error) {
	r := row{sample: s}
	for _, list := range s.truth {
		r.edges += len(list)
	}
	ours, err := ourFlow(s.program)
	if err != nil {
		return row{}, fmt.Errorf("%s: %w", s.name, err)
	}
	r.ours = verdict(s.truth, ours)
	return r, nil
}

// flowTable returns the table of the document.
func flowTable(rows []row, t *tools) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n| program | what it has | edges | bpfcfg | bpftool %s `visual` | llvm-objdump %s |\n",
		t.bpftoolV, t.llvmV)
	b.WriteString("|---|---|---|---|---|---|\n")
	for _, r := range rows {
		about := strings.TrimSuffix(r.sample.about, ".")
		fmt.Fprintf(&b, "| `%s` | %s | %d | %s | %s | %s |\n", r.sample.name, about, r.edges, r.ours, r.visual, r.listing)
	}
	return b.String() + "\n"
}
