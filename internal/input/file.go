package input

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/internal/object"
)

// MaxFile is the size limit of an input file in bytes.
const MaxFile = 256 << 20

// ErrTooLarge is the cause when an input exceeds MaxFile.
var ErrTooLarge = errors.New("larger than the limit of 256 MiB")

// Read returns the content of a regular file, or of standard input for
// "-".
func Read(file string, stdin io.Reader) ([]byte, error) {
	f, name, err := OpenFile(file, stdin)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readLimited(f, name)
}

// OpenFile opens a regular file, or standard input for "-". It also returns the name for
// messages.
func OpenFile(file string, stdin io.Reader) (io.ReadCloser, string, error) {
	if file == "-" && stdin != nil {
		return io.NopCloser(stdin), "standard input", nil
	}
	st, err := os.Stat(file)
	if err != nil {
		return nil, "", Cause(file, err)
	}
	switch {
	case st.IsDir():
		return nil, "", fmt.Errorf("%s: is a directory: name a file in it", file)
	case !st.Mode().IsRegular() && !substituted(file, st):
		return nil, "", fmt.Errorf("%s: not a regular file: copy it to a regular file, or pipe it in with -", file)
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, "", Cause(file, err)
	}
	return f, file, nil
}

// substituted reports whether a file is an open pipe of this process, as the shell's
// <(command) makes it. Opening any other pipe could block for ever.
func substituted(file string, st os.FileInfo) bool {
	return st.Mode()&fs.ModeNamedPipe != 0 &&
		(strings.HasPrefix(file, "/dev/fd/") || strings.HasPrefix(file, "/proc/self/fd/"))
}

// ReadOnce reports whether an input can be read only once.
func ReadOnce(input string) bool {
	file, ok := object.File(input)
	if !ok {
		return input == "-"
	}
	st, err := os.Stat(file)
	return err == nil && !st.Mode().IsRegular()
}

// readLimited reads r to its end, at most MaxFile bytes.
func readLimited(r io.Reader, name string) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, MaxFile+1))
	if err != nil {
		return nil, Cause(name, err)
	}
	if len(data) > MaxFile {
		return nil, fmt.Errorf("%s: %w", name, ErrTooLarge)
	}
	return data, nil
}

// Cause gives err with the file named once.
func Cause(file string, err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return fmt.Errorf("%s: %w", file, err)
}

// readWithin is Read with a limit on the size. A regular file that is larger is not read
// at all.
func readWithin(file string, stdin io.Reader, l load.Limits) ([]byte, error) {
	if err := fits(file, l); err != nil {
		return nil, err
	}
	return Read(file, stdin)
}

// fits returns an error if a regular file is larger than the limits allow.
func fits(file string, l load.Limits) error {
	st, err := os.Stat(file)
	if l.File == 0 || err != nil || !st.Mode().IsRegular() || st.Size() <= int64(l.File) {
		return nil
	}
	return fmt.Errorf("%s: %d bytes, larger than --max-file %d: %w", file, st.Size(), l.File>>20, load.ErrTooLarge)
}
