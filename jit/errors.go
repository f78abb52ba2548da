package jit

import (
	"errors"
	"fmt"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// Reasons why Compile fails. Those after ErrUnsupported are failures of the
// kernel's own JIT, too.
var (
	// ErrInput: the Program contradicts itself.
	ErrInput = errors.New("malformed program")
	// ErrProfile: the Profile holds values that do not exist.
	ErrProfile = errors.New("invalid profile")
	// ErrUnsupported: an instruction that the kernel's JIT does not know, or
	// that the verifier would have replaced.
	ErrUnsupported = errors.New("unsupported instruction")
	// ErrNoConvergence: the size of the code kept changing.
	ErrNoConvergence = errors.New("no convergence after 20 walks")
	// ErrTooLong: the code of one instruction has more than 128 bytes.
	ErrTooLong = errors.New("code of one instruction exceeds 128 bytes")
	// ErrPadding: a jump that shrank left a gap that no NOP is meant for.
	ErrPadding = errors.New("unexpected jump padding")
	// ErrUnstable: a walk over final sizes produced different ones.
	ErrUnstable = errors.New("code size changed in the last walk")
)

// Error is a failure to compile, with its place.
type Error struct {
	Func string      // name of the function, empty when unknown
	PC   bytecode.PC // xlated slot in the program, -1 when there is no single one
	Text string      // the instruction at PC
	Why  string      // detail, may be empty
	Err  error       // one of the reasons above
}

// Error returns the message: function, slot, instruction, and cause.
func (e *Error) Error() string {
	s := "jit: "
	if e.Func != "" {
		s += fmt.Sprintf("function %q: ", e.Func)
	}
	if e.PC >= 0 {
		s += fmt.Sprintf("slot %d (%s): ", e.PC, e.Text)
	}
	s += e.Err.Error()
	if e.Why != "" {
		s += ": " + e.Why
	}
	return s
}

// Unwrap returns the reason.
func (e *Error) Unwrap() error { return e.Err }
