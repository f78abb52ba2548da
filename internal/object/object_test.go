package object

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// place makes empty files below a new directory, makes it the working directory and
// returns it.
func place(t *testing.T, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, f := range files {
		p := filepath.Join(dir, f)
		if err := os.MkdirAll(filepath.Dir(p), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, nil, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	return dir
}

func TestName(t *testing.T) {
	dir := place(t, "repo/.git/HEAD", "repo/bpf/x.o", "repo/bpf/a#b.o", "out/y.o")
	if err := os.Symlink(filepath.Join(dir, "repo"), filepath.Join(dir, "link")); err != nil {
		t.Skip("symbolic links:", err)
	}
	for _, c := range []struct{ wd, root, input, want string }{
		{"repo", "", "bpf/x.o", "bpf/x.o"},
		{"repo/bpf", "", "x.o", "bpf/x.o"}, // the repository's directory, not the working one
		{"repo/bpf", ".", "x.o", "x.o"},
		{"repo", "", "./bpf//x.o#prog", "bpf/x.o"},
		{"repo", "", "bpf/a#b.o", "bpf/a#b.o"},
		{"repo", "", "raw:bpf/x.o", "bpf/x.o"},
		{"repo", "", "record:bpf/x.o#good/one", "bpf/x.o"},
		{"repo", "", "-", "stdin"},
		{"repo", "", "live:17", "live:17"},
		{"repo", "", "../out/y.o", "../out/y.o"},
		{"repo", "", filepath.Join(dir, "out/y.o"), "../out/y.o"},
		{"repo", "", filepath.Join(dir, "link/bpf/x.o"), "bpf/x.o"},
		{"repo", "../out", "../out/y.o", "y.o"},
		{"repo", "../link", "bpf/x.o", "bpf/x.o"},
		{"out", "", "y.o", "y.o"}, // no repository
	} {
		t.Chdir(filepath.Join(dir, c.wd))
		r, err := NewRoot(c.root)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Name(c.input); string(got) != c.want {
			t.Errorf("in %s with root %q, %s is %s, want %s", c.wd, c.root, c.input, got, c.want)
		}
	}
	if _, err := NewRoot("missing"); err == nil {
		t.Error("a root that is missing is taken")
	}
}

func TestElement(t *testing.T) {
	for _, plain := range []string{"prog.o", "linux-7.3+ibt-sls", "a_b-c.1"} {
		if got := Element(plain); got != plain {
			t.Errorf("%q becomes %q", plain, got)
		}
	}
	seen := map[string]string{}
	for _, s := range []string{"prog.o", "Prog.o", "PROG.O", "pr/og.o", "pr:og.o", "pr_og.o", "..", "", ".", "x.", "x",
		strings.Repeat("x", 300), strings.Repeat("x", 301), "con", "größe", "gr_e"} {
		e := Element(s)
		key := strings.ToLower(strings.TrimRight(e, "."))
		if other, ok := seen[key]; ok {
			t.Errorf("%q and %q would share %q", s, other, e)
		}
		seen[key] = s
		if strings.ContainsAny(e, "/\\:") || len(e) > 100 || e == "" || e == "." || e == ".." {
			t.Errorf("%q becomes %q", s, e)
		}
	}
}

func TestFind(t *testing.T) {
	dir := place(t, "repo/a/Big Name.o", "repo/a/x.o", "out/y.o")
	r, err := NewRoot(filepath.Join(dir, "repo"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{"repo/a/Big Name.o", "repo/a/x.o", "out/y.o"} {
		if got, ok := r.Find(r.Name(f).Path()); !ok {
			t.Errorf("%s is not found, but %q", f, got)
		}
	}
	for _, f := range []string{"repo/a/big name.o", "repo/x.o", "repo/a/x.o/y"} {
		if got, ok := r.Find(r.Name(f).Path()); ok && !strings.EqualFold(filepath.Base(got), filepath.Base(f)) {
			t.Errorf("%s is found as %s", f, got)
		}
	}
}
