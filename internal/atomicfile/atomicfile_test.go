package atomicfile

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
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

// TestStop stops at random moments of a series of writes: the file is always
// one of the contents as a whole, and nothing else is in the directory.
func TestStop(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "out")
	contents := [][]byte{bytes.Repeat([]byte("a"), 3<<20), bytes.Repeat([]byte("b"), 2<<20)}
	for round := range 40 {
		var f Files
		done := make(chan error)
		go func() {
			var err error
			for i := 0; err == nil; i++ {
				err = f.Write(path, contents[i%2])
			}
			done <- err
		}()
		time.Sleep(time.Duration(round) * 300 * time.Microsecond)
		f.Stop()
		left, _ := os.ReadDir(dir)
		for _, e := range left {
			if e.Name() != "out" {
				t.Errorf("round %d: %s is left at once after Stop", round, e.Name())
			}
		}
		if err := <-done; !errors.Is(err, ErrStopped) {
			t.Fatalf("round %d: Write = %v, want ErrStopped", round, err)
		}
		got, err := os.ReadFile(path)
		if err == nil && !bytes.Equal(got, contents[0]) && !bytes.Equal(got, contents[1]) {
			t.Fatalf("round %d: %d bytes that are no content as a whole", round, len(got))
		}
	}
	left, _ := os.ReadDir(dir)
	if len(left) > 1 {
		t.Errorf("%d files are left", len(left))
	}
}

func TestErrorsNameTheFile(t *testing.T) {
	err := Write(filepath.Join(t.TempDir(), "none", "x"), nil)
	if err == nil || strings.Contains(err.Error(), ".bpfcfg-") || !strings.Contains(err.Error(), "none") {
		t.Errorf("error %v: want the file's name and not the temporary one", err)
	}
}
