// Package atomicfile writes whole files: a reader sees the old content or the new one, never a
// part.
//
//	var files atomicfile.Files
//	err := files.Write("cfg.svg", svg)
//
// A process that handles signals calls Stop before it ends, and no temporary file is
// left:
//
//	go func() { <-interrupted; files.Stop(); os.Exit(130) }()
//
// It does not create directories, does not follow symbolic links and does not
// listen to signals by itself.
package atomicfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// The errors that callers distinguish.
var (
	// ErrNotRegular is wrapped by Write when the path exists and is not a
	// regular file.
	ErrNotRegular = errors.New("not a regular file")
	// ErrStopped is wrapped by Write when Stop was called before the new
	// content was in place.
	ErrStopped = errors.New("stopped before the file was complete")
)

// Files writes files. The zero value is ready. Its methods may be called
// concurrently.
type Files struct {
	mu      sync.Mutex
	open    map[*os.File]bool // temporary files that exist
	stopped bool
}

// Write is Files.Write for a process that handles no signals.
func Write(path string, data []byte) error {
	var f Files
	return f.Write(path, data)
}

// Write replaces the file at path with data, with the permissions that it has, or 0666
// less the umask for a new one. On error the old content, or absence, of the file is unchanged and no
// temporary file is left.
func (f *Files) Write(path string, data []byte) error {
	return f.WriteFunc(path, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// WriteFunc is Write for content that content writes piece by piece, preferably in large pieces.
// Its error is returned like one of the system.
func (f *Files) WriteFunc(path string, content func(io.Writer) error) error {
	mode, err := checkTarget(path)
	if err != nil {
		return err
	}
	if err := f.replace(path, mode, content); err != nil {
		// The system names the temporary file, which means nothing to a user.
		var p *fs.PathError
		var l *os.LinkError
		switch {
		case errors.As(err, &p):
			err = p.Err
		case errors.As(err, &l):
			err = l.Err
		}
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// Stop removes the temporary files that exist and lets no file be replaced any more. It does not
// wait for a running Write: a slow disk does not delay the end of the process.
func (f *Files) Stop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stopped = true
	for tmp := range f.open {
		tmp.Close() // some systems do not remove open files
		os.Remove(tmp.Name())
	}
	clear(f.open)
}

// checkTarget refuses to replace anything but a regular, writable file: a rename would do so
// silently. It returns the permissions of the file, which the new content keeps.
func checkTarget(path string) (fs.FileMode, error) {
	st, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0o666 &^ umask(), nil
	}
	if err != nil {
		return 0, fmt.Errorf("write: %w", err)
	}
	if !st.Mode().IsRegular() {
		return 0, fmt.Errorf("write %s: %w (%s): name a regular file, or - for standard output",
			path, ErrNotRegular, kind(st.Mode()))
	}
	if st.Mode().Perm()&0o200 == 0 {
		return 0, fmt.Errorf("write %s: %w: make it writable, or name another file", path, fs.ErrPermission)
	}
	return st.Mode().Perm(), nil
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
func (f *Files) replace(path string, mode fs.FileMode, content func(io.Writer) error) error {
	tmp, err := f.create(filepath.Dir(path))
	if err != nil {
		return err
	}
	err = fill(tmp, mode, content)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stopped {
		return ErrStopped // Stop has removed it
	}
	delete(f.open, tmp)
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		os.Remove(tmp.Name())
	}
	return err
}

// create makes a temporary file that Stop knows from its first moment on.
func (f *Files) create(dir string) (*os.File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stopped {
		return nil, ErrStopped
	}
	tmp, err := os.CreateTemp(dir, ".bpfcfg-*")
	if err != nil {
		return nil, err
	}
	if f.open == nil {
		f.open = map[*os.File]bool{}
	}
	f.open[tmp] = true
	return tmp, nil
}

// fill writes content to f, makes it durable and closes f.
func fill(f *os.File, mode fs.FileMode, content func(io.Writer) error) error {
	err := content(f)
	if err == nil {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}
