package atomicfile

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWriteReplaces(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "out")
	for _, want := range []string{"first, longer content", "second"} {
		if err := Write(path, []byte(want)); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != want {
			t.Fatalf("content %q, %v; want %q", got, err, want)
		}
	}
	left, _ := os.ReadDir(dir)
	if len(left) != 1 {
		t.Fatalf("directory holds %d files, want only the output", len(left))
	}
}

func TestWriteRefuses(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(file, link); err != nil {
		t.Skipf("no symbolic links here: %v", err)
	}
	for _, c := range []struct{ path, why string }{{dir, "directory"}, {link, "symbolic link"}} {
		err := Write(c.path, []byte("new"))
		if !errors.Is(err, ErrNotRegular) || !strings.Contains(err.Error(), c.why) {
			t.Errorf("Write(%s) = %v, want ErrNotRegular naming a %s", c.path, err, c.why)
		}
	}
	if got, _ := os.ReadFile(file); string(got) != "old" {
		t.Errorf("the link's file changed to %q", got)
	}
	if err := Write(filepath.Join(dir, "none", "x"), nil); err == nil {
		t.Error("a missing directory is no error")
	}
}
