package main

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
)

// actionStep is a step of action.yml.
type actionStep struct {
	Name, Shell, Run, If string
	Env                  map[string]string
}

// forge is GitHub as the action sees it: releases, and the comments of a pull request.
type forge struct {
	t        *testing.T
	mu       sync.Mutex // holds the two lists: curl asks for two files at once
	comments []string
	asked    []string
	steps    []actionStep
	dir      string // of the job
	url      string
}

// newForge serves on loopback.
func newForge(t *testing.T) *forge {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skipf("skipped: the steps are run on linux, this is %s", runtime.GOOS)
	}
	for _, need := range []string{"bash", "curl"} {
		if _, err := exec.LookPath(need); err != nil {
			t.Skipf("skipped: no %s here", need)
		}
	}
	data, err := os.ReadFile("../../action.yml")
	if err != nil {
		t.Fatal(err)
	}
	var action struct{ Runs struct{ Steps []actionStep } }
	if err := yaml.Unmarshal(data, &action); err != nil {
		t.Fatal(err)
	}
	f := &forge{t: t, steps: action.Runs.Steps, dir: filepath.Join(t.TempDir(), "a job")}
	if err := os.MkdirAll(f.dir, 0o777); err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	f.url = s.URL
	return f
}

// program returns this test's binary, which is the command when it is called bpfcfg.
func (f *forge) program() []byte {
	exe, err := exec.LookPath("bpfcfg") // TestMain puts it there
	if err != nil {
		f.t.Fatal(err)
	}
	data, err := os.ReadFile(exe)
	if err != nil {
		f.t.Fatal(err)
	}
	return data
}

func (f *forge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, r.Method+" "+r.URL.Path)
	name := "bpfcfg-" + runtime.GOOS + "-" + runtime.GOARCH
	switch {
	case strings.HasSuffix(r.URL.Path, "/v1.0.0/"+name), strings.HasSuffix(r.URL.Path, "/v1.0.1/"+name):
		_, _ = w.Write(f.program())
	case strings.HasSuffix(r.URL.Path, "/v1.0.0/sha256sums.txt"):
		fmt.Fprintf(w, "%x  %s\n", sha256.Sum256(f.program()), name)
	case strings.HasSuffix(r.URL.Path, "/v1.0.1/sha256sums.txt"): // of another program
		fmt.Fprintf(w, "%x  %s\n", sha256.Sum256(nil), name)
	case r.Header.Get("Authorization") == "Bearer secret" && strings.HasPrefix(r.URL.Path, "/repos/o/r/issues/"):
		f.comment(w, r)
	default:
		http.Error(w, `{"message":"Not Found"}`, http.StatusNotFound)
	}
}

// seen returns the requests and comments so far.
func (f *forge) seen() (asked, comments []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.asked), slices.Clone(f.comments)
}

// comment answers for the comments of pull request 7.
func (f *forge) comment(w http.ResponseWriter, r *http.Request) {
	var in struct{ Body string }
	if r.Method != http.MethodGet && json.NewDecoder(r.Body).Decode(&in) != nil {
		http.Error(w, "{}", http.StatusBadRequest)
		return
	}
	doc := func(i int) map[string]any {
		return map[string]any{"id": i + 1, "body": f.comments[i], "user": map[string]string{"type": "Bot"}, "html_url": "https://x/7"}
	}
	id := 0
	_, _ = fmt.Sscanf(r.URL.Path, "/repos/o/r/issues/comments/%d", &id)
	var out any
	switch {
	case r.Method == http.MethodPatch:
		f.comments[id-1] = in.Body
		out = doc(id - 1)
	case r.Method == http.MethodPost && r.URL.Path == "/repos/o/r/issues/7/comments":
		f.comments = append(f.comments, in.Body)
		out = doc(len(f.comments) - 1)
	default:
		list := []any{}
		for i := range f.comments {
			list = append(list, doc(i))
		}
		out = list
	}
	_ = json.NewEncoder(w).Encode(out)
}

// run runs a step of the action as a runner does, and returns its output and status.
func (f *forge) run(name string, env ...string) (string, int) {
	f.t.Helper()
	for _, s := range f.steps {
		if s.Name != name {
			continue
		}
		repo, err := filepath.Abs("../..")
		if err != nil {
			f.t.Fatal(err)
		}
		cmd := exec.Command("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", s.Run)
		cmd.Dir = f.dir
		event := filepath.Join(f.dir, "event.json")
		cmd.Env = append(os.Environ(), "GITHUB_ACTION_PATH="+repo, "FROM="+f.url+"/o/bpfcfg/releases/download", "VERSION=v1.0.0",
			"DIR="+filepath.Join(f.dir, "tools"), "ARGS=", "SARIF=", "GOLDEN=", "BASE=", "HEAD=", "GITHUB_TOKEN=secret",
			"GITHUB_API_URL="+f.url, "GITHUB_REPOSITORY=o/r", "GITHUB_EVENT_PATH="+event, "GITHUB_EVENT_NAME=pull_request",
			"GITHUB_STEP_SUMMARY="+filepath.Join(f.dir, "summary.md"))
		cmd.Env = append(cmd.Env, env...)
		out, err := cmd.CombinedOutput()
		if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
			f.t.Fatal(err)
		}
		return string(out), cmd.ProcessState.ExitCode()
	}
	f.t.Fatalf("action.yml has no step %s", name)
	return "", 0
}

// put copies a file of testdata into the job.
func (f *forge) put(object, path string) {
	data, err := os.ReadFile(testenv.Path(f.t, object))
	if err != nil {
		f.t.Fatal(err)
	}
	path = filepath.Join(f.dir, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		f.t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o666); err != nil {
		f.t.Fatal(err)
	}
}

// event writes the runner's description of the pull request: head is its repository.
func (f *forge) event(head string) {
	text := fmt.Sprintf(`{"pull_request":{"number":7,"head":{"repo":{"full_name":%q}},"base":{"repo":{"full_name":"o/r"}}}}`, head)
	if err := os.WriteFile(filepath.Join(f.dir, "event.json"), []byte(text), 0o666); err != nil {
		f.t.Fatal(err)
	}
}

// TestAction runs the steps of action.yml against releases and an API on loopback.
func TestAction(t *testing.T) {
	f := newForge(t)
	f.put("gate/proto.28.o", "build main/proto.o")
	f.put("gate/proto.4.o", "build/my proto.o")
	f.put("gate/proto.4.o", "build/dir with blanks/p.o")
	f.put("gate/proto.4.o", "head/proto.o")
	f.event("o/r")
	if out, status := f.run("fetch"); status != 0 {
		t.Fatalf("fetch: status %d\n%s", status, out)
	}
	paths := "PATHS=build/my proto.o\nbuild/dir with blanks\n"
	out, status := f.run("check", paths, "ARGS=--fail-on warning", "SARIF=out dir.sarif")
	if status != exitFindings || !strings.Contains(out, "dead-code") {
		t.Errorf("check: status %d\n%s", status, out)
	}
	if _, err := os.Stat(filepath.Join(f.dir, "out dir.sarif")); err != nil {
		t.Error(err)
	}
	if out, status := f.run("check", paths, "GOLDEN=golden dir"); status != exitInput && status != exitDiffers {
		t.Errorf("check with a golden directory that is missing: status %d\n%s", status, out)
	}
	for range 2 {
		if out, status := f.run("comment", "PATHS=head\n", "BASE=build main"); status != 0 || !strings.Contains(out, "comment https://x/7") {
			t.Fatalf("comment: status %d\n%s", status, out)
		}
	}
	if _, comments := f.seen(); len(comments) != 1 || !strings.Contains(comments[0], "New dead code: 1") {
		t.Errorf("comments: %q", comments)
	}
	if out, status := f.run("comment", paths, "BASE=build main"); status != exitUsage || !strings.Contains(out, "give head") {
		t.Errorf("two paths and no head: status %d\n%s", status, out)
	}
	if out, status := f.run("comment", "PATHS=head\n", "BASE=build main", "GITHUB_TOKEN=other"); status != exitInput ||
		!strings.Contains(out, "pull-requests: write") {
		t.Errorf("another token: status %d\n%s", status, out)
	}
	f.event("someone/r")
	if out, status := f.run("comment", "PATHS=head\n", "BASE=build main"); status != 0 || !strings.Contains(out, "from a fork") {
		t.Errorf("a fork: status %d\n%s", status, out)
	}
	if sum, err := os.ReadFile(filepath.Join(f.dir, "summary.md")); err != nil || !strings.Contains(string(sum), "BPF programs: build main") {
		t.Errorf("the job's summary: %v\n%s", err, sum)
	}
}

// TestActionCommit: an action that is pinned by a commit takes the newest release of the
// commit's changelog; without one it says what to do.
func TestActionCommit(t *testing.T) {
	f := newForge(t)
	script, err := os.ReadFile("../../.ci/fetch-release")
	if err != nil {
		t.Fatal(err)
	}
	tree := filepath.Join(f.dir, "tree")
	if err := os.MkdirAll(filepath.Join(tree, ".ci"), 0o777); err != nil {
		t.Fatal(err)
	}
	write := func(name string, data []byte) {
		if err := os.WriteFile(filepath.Join(tree, name), data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	write(".ci/fetch-release", script)
	commit := "VERSION=3f2a1c0d9e8b7a6c5d4e3f2a1b0c9d8e7f6a5b4c"
	write("CHANGELOG.md", []byte("# Changelog\n\n## Unreleased\n\nMuch.\n"))
	out, status := f.run("fetch", "GITHUB_ACTION_PATH="+tree, commit)
	if status != exitUsage || !strings.Contains(out, "give the input version") {
		t.Errorf("no release yet: status %d\n%s", status, out)
	}
	write("CHANGELOG.md", []byte("# Changelog\n\n## Unreleased\n\n## 1.0.0 (2026-12-01)\n\n## v0.9.0\n"))
	out, status = f.run("fetch", "GITHUB_ACTION_PATH="+tree, commit)
	if asked, _ := f.seen(); status != 0 || len(asked) != 2 || !strings.Contains(asked[0], "/v1.0.0/") {
		t.Errorf("status %d, asked for %q\n%s", status, asked, out)
	}
}

// TestActionVersion: what is no version of a release is refused before anything is
// asked for, and a program with another sum is not run.
func TestActionVersion(t *testing.T) {
	f := newForge(t)
	for _, version := range []string{"", "main", "v0x/../../evil", "../../../../evil/repo/releases/download/v9",
		"3f2a1c0d9e8b7a6c5d4e3f2a1b0c9d8e7f6a5b4c", "v1 .0", "v1.0.0\nx", "$(id)"} {
		out, status := f.run("fetch", "VERSION="+version)
		if asked, _ := f.seen(); status != exitUsage || len(asked) != 0 {
			t.Errorf("version %q: status %d, asked for %q\n%s", version, status, asked, out)
		}
	}
	if out, status := f.run("fetch", "VERSION=v1.0.1"); status != 1 || !strings.Contains(out, "the release says") {
		t.Errorf("another sum: status %d\n%s", status, out)
	}
	if out, status := f.run("fetch", "VERSION=v9.9.9"); status == 0 || !strings.Contains(out, "404") {
		t.Errorf("no such release: status %d\n%s", status, out)
	}
}
