package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// printed returns what a command line prints.
func printed(t *testing.T, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	if status := run(args, streams{in: strings.NewReader(""), out: &out, err: &errs}); status != exitClean {
		t.Fatalf("%q: status %d: %s", args, status, &errs)
	}
	return out.String()
}

// needs skips the test when a program is missing.
func needs(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Skipf("skipped: no %s here", program)
	}
}

// completions are words that were typed, and what the last one may become, as
// far as all shells agree.
var completions = []struct {
	typed string
	want  []string
}{
	{"bpfcfg re", []string{"render", "replay"}},
	{"bpfcfg golden ", []string{"check", "update"}},
	{"bpfcfg completion ", []string{"bash", "zsh", "fish"}},
	{"bpfcfg render --form", []string{"--format"}},
	{"bpfcfg render --engine ", []string{"layered", "dot"}},
	{"bpfcfg show prog.o --stage j", []string{"jit"}},
	{"bpfcfg check --explain unreach", []string{"unreachable"}},
	{"bpfcfg golden update --for", []string{"--force", "--format"}},
	{"bpfcfg render pr", []string{"prog.o"}},
	{"bpfcfg render --output pr", []string{"prog.o"}},
	{"bpfcfg list golden --form", []string{"--format"}},
	{"bpfcfg version pr", nil},
}

// completionDir has the files that are completed.
func completionDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "prog.o"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// completed compares the words that a shell printed.
func completed(t *testing.T, typed string, got, want []string) {
	t.Helper()
	got, want = slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))
	if !slices.Equal(got, want) {
		t.Errorf("%q becomes %q, want %q", typed, got, want)
	}
}

func TestCompletionBash(t *testing.T) {
	needs(t, "bash")
	dir := completionDir(t)
	script := filepath.Join(t.TempDir(), "bpfcfg.bash")
	if err := os.WriteFile(script, []byte(printed(t, "completion", "bash")), 0o600); err != nil {
		t.Fatal(err)
	}
	const complete = `source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _bpfcfg; printf '%s\n' "${COMPREPLY[@]}"`
	ask := func(words ...string) []string {
		cmd := exec.Command("bash", append([]string{"--norc", "-c", complete, "bash", script}, words...)...)
		cmd.Dir = dir
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		return strings.Fields(string(out))
	}
	for _, c := range completions {
		completed(t, c.typed, ask(strings.Split(c.typed, " ")...), c.want)
	}
	// Bash makes three words of --engine=la.
	completed(t, "--engine=la", ask("bpfcfg", "render", "--engine", "=", "la"), []string{"layered"})
	completed(t, "--engine=", ask("bpfcfg", "render", "--engine", "="), []string{"layered", "dot"})
}

func TestCompletionFish(t *testing.T) {
	needs(t, "fish")
	script := printed(t, "completion", "fish")
	dir := completionDir(t)
	for _, c := range completions {
		cmd := exec.Command("fish", "--no-config", "-c", script+"\ncomplete -C '"+c.typed+"'")
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "HOME="+dir)
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for line := range strings.Lines(string(out)) {
			word, _, _ := strings.Cut(strings.TrimSpace(line), "\t")
			got = append(got, word)
		}
		completed(t, c.typed, got, c.want)
	}
}

// TestCompletionZsh loads the script into zsh's completion system; what it
// completes can be seen on a terminal only.
func TestCompletionZsh(t *testing.T) {
	needs(t, "zsh")
	dir := t.TempDir()
	script := printed(t, "completion", "zsh")
	if err := os.WriteFile(filepath.Join(dir, "_bpfcfg"), []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("zsh", "-f", "-c", `fpath=("$1" $fpath); autoload -U compinit; compinit -u -D; `+
		`source "$1/_bpfcfg"; print -- $_comps[bpfcfg]; whence -w _bpfcfg_golden_update`, "zsh", dir)
	cmd.Env = append(os.Environ(), "HOME="+dir)
	out, err := cmd.CombinedOutput()
	if err != nil || string(out) != "_bpfcfg\n_bpfcfg_golden_update: function\n" {
		t.Errorf("%v: %s", err, out)
	}
	for _, want := range []string{"'*--engine=[", ":(layered dot)'", "'render:Draw the control-flow graph"} {
		if !strings.Contains(script, want) {
			t.Errorf("the script lacks %q", want)
		}
	}
}

// TestManual demands every verb and flag in the manual page, and that a reader
// of manual pages has no complaint.
func TestManual(t *testing.T) {
	page := printed(t, "man")
	k, err := kong.New(&cli{}, kong.Name("bpfcfg"), kong.NoDefaultHelp())
	if err != nil {
		t.Fatal(err)
	}
	plain := strings.ReplaceAll(page, "\\-", "-")
	for _, verb := range k.Model.Children {
		if !strings.Contains(plain, ".SS \""+verb.Name+"\"\n") {
			t.Errorf("no section for %s", verb.Name)
		}
		for _, f := range verb.Flags {
			if !strings.Contains(plain, "--"+f.Name) {
				t.Errorf("%s: no flag --%s", verb.Name, f.Name)
			}
		}
	}
	needs(t, "mandoc")
	cmd := exec.Command("mandoc", "-T", "lint", "-W", "warning")
	cmd.Stdin = strings.NewReader(page)
	out, _ := cmd.CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if !strings.Contains(line, "missing date") { // the page is the same whenever it is made
			t.Errorf("mandoc: %s", line)
		}
	}
}
