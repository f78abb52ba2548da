//go:build unix

package atomicfile

import (
	"io/fs"
	"syscall"
)

// umask returns the process's file mode creation mask. Reading it means
// setting it for a moment; a file that another goroutine creates meanwhile is
// merely more private.
func umask() fs.FileMode {
	m := syscall.Umask(0o077)
	syscall.Umask(m)
	return fs.FileMode(m) & 0o777
}
