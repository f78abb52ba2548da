package pipeline

import "errors"

// ErrRewritten says why a program that a kernel has rewritten already is not
// rewritten again.
var ErrRewritten = errors.New("the program is the kernel's own, rewritten already: its code is the kernel's, " +
	"and is not predicted")
