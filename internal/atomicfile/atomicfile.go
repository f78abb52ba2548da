// Package atomicfile writes whole files: a reader sees the old content or the
// new, never a part.
//
//	err := atomicfile.Write("cfg.svg", svg)
//
// It does not create directories and does not follow symbolic links.
package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
)

// ErrNotRegular is wrapped by Write when the path exists and is not a regular
// file.
var ErrNotRegular = errors.New("not a regular file")

// Write replaces the file at path with data, with permissions 0644 less the
// umask. On error the old content, or absence, of the file is unchanged and no
// temporary file is left. An interrupt from the keyboard is held back while the
// file is written, which is short since data is complete.
func Write(path string, data []byte) (err error) {
	if err := checkTarget(path); err != nil {
		return err
	}
	held := make(chan os.Signal, 1)
	signal.Notify(held, os.Interrupt)
	defer func() {
		signal.Stop(held)
		select {
		case <-held:
			if err == nil {
				err = fmt.Errorf("write %s: interrupted after the file was complete", path)
			}
		default:
		}
	}()
	return replace(path, data)
}

// checkTarget refuses what a rename would silently replace.
func checkTarget(path string) error {
	st, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("write: %w", err)
	}
	if !st.Mode().IsRegular() {
		return fmt.Errorf("write %s: %w (%s): name a regular file, or - for standard output",
			path, ErrNotRegular, kind(st.Mode()))
	}
	return nil
}

// kind names a file mode's type.
func kind(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "directory"
	case m&fs.ModeSymlink != 0:
		return "symbolic link"
	case m&fs.ModeDevice != 0:
		return "device"
	default:
		return "special file"
	}
}

// replace writes a temporary file beside path and renames it.
func replace(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".bpfcfg-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	tmp := f.Name()
	if err := fill(f, data); err != nil {
		os.Remove(tmp)
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(tmp, path); err != nil {
		os.Remove(tmp)
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// fill writes data to f, makes it durable and closes f.
func fill(f *os.File, data []byte) error {
	_, err := f.Write(data)
	if err == nil {
		err = f.Chmod(0o666 &^ umask())
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
