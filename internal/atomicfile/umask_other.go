//go:build !unix

package atomicfile

import "io/fs"

// umask returns 022: systems without a mask have no group or world bits either.
func umask() fs.FileMode { return 0o022 }
