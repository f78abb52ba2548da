package tidy

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// TestAction runs the action's own steps against a release on disk: fetch, with
// its check of sums, and the command line that it makes.
func TestAction(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skipf("skipped: the steps are run on linux, this is %s", runtime.GOOS)
	}
	for _, need := range []string{"bash", "curl"} {
		if _, err := exec.LookPath(need); err != nil {
			t.Skipf("skipped: no %s here", need)
		}
	}
	var action struct {
		Inputs map[string]struct{ Description string }
		Runs   struct {
			Using string
			Steps []struct {
				Name, Shell, Run string
				Env              map[string]string
			}
		}
	}
	data, err := os.ReadFile(filepath.Join(root, "action.yml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(data, &action); err != nil {
		t.Fatal(err)
	}
	if action.Runs.Using != "composite" || len(action.Runs.Steps) != 2 {
		t.Fatalf("action.yml: %+v", action.Runs)
	}
	repo, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	releases, dir := fakeRelease(t), t.TempDir()
	env := append(os.Environ(), "GITHUB_ACTION_PATH="+repo, "FROM=file://"+releases, "VERSION=v1", "DIR="+dir,
		"PATHS=a.o build/", "ARGS=--fail-on warning", "SARIF=out.sarif")
	want := "check a.o build/ --format github --format sarif=out.sarif --fail-on warning\n"
	for i, step := range action.Runs.Steps {
		cmd := exec.Command("bash", "-e", "-o", "pipefail", "-c", step.Run)
		cmd.Env = env
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("step %s: %v\n%s", step.Name, err, out)
		}
		if i == 1 && string(out) != want {
			t.Errorf("the action runs bpfcfg %q, want %q", out, want)
		}
	}
	name := filepath.Join(releases, "v1", releaseName())
	if err := os.WriteFile(name, []byte("changed"), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("bash", "-c", action.Runs.Steps[0].Run)
	cmd.Env = env
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "the release says") {
		t.Errorf("a changed program is taken: %v\n%s", err, out)
	}
}

// releaseName is the file of a release for this machine.
func releaseName() string { return "bpfcfg-" + runtime.GOOS + "-" + runtime.GOARCH }

// fakeRelease makes a release whose program prints its arguments.
func fakeRelease(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	script := `mkdir v1 && cd v1 && printf '#!/bin/sh\necho "$@"\n' > ` + releaseName() + ` && sha256sum bpfcfg* > sha256sums.txt`
	cmd := exec.Command("bash", "-c", script)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return dir
}

// TestHooks reads the hooks that pre-commit finds here.
func TestHooks(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(root, ".pre-commit-hooks.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var hooks []struct{ ID, Name, Language, Entry, Files string }
	if err := yaml.Unmarshal(data, &hooks); err != nil {
		t.Fatal(err)
	}
	for _, h := range hooks {
		if h.ID == "" || h.Name == "" || h.Language != "golang" || !strings.HasPrefix(h.Entry, "bpfcfg ") || h.Files == "" {
			t.Errorf("hook %+v lacks something", h)
		}
	}
	if len(hooks) == 0 {
		t.Error("no hooks")
	}
}
