// Package native runs compiled images on this machine's CPU, without a kernel:
//
//	x, err := pipeline.Predict(p, prof)          // prof: plain returns and jumps
//	code, err := native.Load(p, x, prof, native.Options{})
//	defer code.Close()
//	r0, err := code.Run(ctx)                     // ctx changes as the program writes
//	code.Value(0)                                // what the first map holds now
//
// It proves that the bytes do what the program says: code is placed in memory,
// jump tables are built from the image's own offsets (jit.Image.Tables), as the
// kernel fills its instruction arrays, and the program is called with R1 pointing
// to a context, on a stack of its own.
//
// Parts of a kernel are replaced or refused: array maps are memory with the kernel's layout, the
// few helpers listed in stubs.go have a few bytes of code, and anything else is an error that wraps
// ErrMissing. Code that touches per-CPU data or the real layout of kernel objects, as most accesses
// to packet contexts do, cannot run here.
//
// A wrong image can crash the process or worse, so tests run images in a process of their own. No
// command executes images.
package native

import (
	"errors"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// Errors of Load.
var (
	// ErrUnsupported is wrapped on machines other than linux/amd64, and when
	// memory cannot be made executable.
	ErrUnsupported = errors.New("native execution is not possible here")
	// ErrMissing is wrapped when the image needs a part of a kernel that has no replacement.
	ErrMissing = errors.New("needs a kernel")
)

// Options of Load.
type Options struct {
	// CtxSize is how many bytes of context there is room for; 0 is 4096.
	CtxSize int
}

// MayGoto is how often may_goto continues in images that Load has placed: the initial count of the
// kernel's timed form (BPF_MAX_TIMED_LOOPS, include/linux/bpf.h, Linux 7.3). After that, no time is
// left.
const MayGoto = 0xffff

// RandomNumber is what the helper bpf_get_prandom_u32 returns here.
const RandomNumber = 0x9e37_79b9

// ProbeByte is what the helpers that read kernel memory fill in.
const ProbeByte = 0x5a

// Jiffies is the value of the kernel's tick counter here.
const Jiffies = 4_300_000_000

// arrayMap reports whether a map's values are memory here.
func arrayMap(m *bytecode.Map) bool { return m.Type == 2 }

// roundUp returns n rounded up to a multiple of to, a power of two.
func roundUp(n, to int) int { return (n + to - 1) &^ (to - 1) }
