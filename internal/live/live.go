// Package live reads programs of the running kernel: the rewritten program, its machine code, the
// line records that relate the two, and the instruction arrays.
//
//	p, err := live.Open("name=xdp_pass", live.NewKernel())
//	fmt.Println(p.Program.Name, p.Program.Len(), len(p.Capture.Code))
//	res := p.Capture.Compare(profile)       // our code against the kernel's
//
// What a kernel shows is the program after the verifier, so a Program of this package has Rewritten
// set: it is not to be rewritten again. The dump hides some properties, which Program.Diags lists:
// whether a tail call is direct, which loads may fault, the instructions before rewriting. Maps,
// subprograms, called functions and source lines come from other information of the kernel.
//
// Package live also loads programs for a moment (Load), to see the kernel's result. It never
// attaches or pins one, and changes no setting. Everything needs Linux on x86-64 and the right to
// use bpf(2).
//
// Sources: bpf_prog_get_info_by_fd and bpf_insn_prepare_dump in
// kernel/bpf/syscall.c, kernel/bpf/bpf_insn_array.c, Linux 6.18 and 7.3.
package live

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/cilium/ebpf/btf"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/replay"
)

// The errors that callers distinguish. Returned errors wrap one of them.
var (
	ErrUnsupported = errors.New("the running kernel can only be read on Linux on x86-64")
	ErrNoSuch      = errors.New("no such program: list loaded programs with `bpftool prog`")
	ErrPermission  = errors.New("not permitted: run as root, or with CAP_BPF, CAP_PERFMON and CAP_SYS_ADMIN")
	ErrNoBPF       = errors.New("this kernel has no bpf(2): it was built without CONFIG_BPF_SYSCALL")
	ErrRefused     = errors.New("the kernel refused the program")
	ErrHidden      = errors.New("the kernel hides its programs from this user: run as root, and see kernel.kptr_restrict")
)

// Program is a program of the running kernel.
type Program struct {
	ID      uint32
	Tag     string // 16 hexadecimal digits, as in the names of its symbols
	Program *bytecode.Program
	Capture *replay.Capture
	// Symbols holds the name of each function as stack traces show it, without
	// "bpf_prog_" and the tag.
	Symbols []string

	// Log is the verifier's, with LoadOptions.LogLevel.
	Log string

	lineNumbers []int // by line of Capture
	verified    uint32
}

// Refusal is the kernel's verdict on a program that it does not load. It wraps
// ErrRefused.
type Refusal struct {
	Errno string // "EACCES"
	Line  string // of the log that says why, empty when there is none
	Log   string
}

// Error returns the verdict in one line.
func (r *Refusal) Error() string {
	if r.Line == "" {
		return fmt.Sprintf("%v: %s", ErrRefused, r.Errno)
	}
	return fmt.Sprintf("%v: %s: %s", ErrRefused, r.Errno, r.Line)
}

// Unwrap returns ErrRefused.
func (r *Refusal) Unwrap() error { return ErrRefused }

// LoadOptions are the options of Load.
type LoadOptions struct {
	License    string    // "GPL" when empty
	Types      *btf.Spec // of the object, nil when it has none
	AttachType uint32    // 0 takes that of the section
	// SourceLines gives the kernel the program's source lines, as other loaders
	// do, in place of a record for each instruction.
	SourceLines bool
	// LogLevel requests the verifier's log, also of a program that it accepts:
	// 1 or 2, see Program.Log. With 0 only a Refusal has one.
	LogLevel uint32
}

// Selector selects a program.
type Selector struct {
	ID   uint32 // not 0
	Name string // not empty
	Pin  string // not empty
}

// ParseSelector reads "17", "name=NAME" or "pin=PATH".
func ParseSelector(s string) (Selector, error) {
	if name, ok := strings.CutPrefix(s, "name="); ok && name != "" {
		return Selector{Name: name}, nil
	}
	if path, ok := strings.CutPrefix(s, "pin="); ok && path != "" {
		return Selector{Pin: path}, nil
	}
	id, err := strconv.ParseUint(s, 10, 32)
	if err != nil || id == 0 {
		return Selector{}, fmt.Errorf("live:%s: want live:ID, live:name=NAME or live:pin=PATH", s)
	}
	return Selector{ID: uint32(id)}, nil
}

// Open reads the program that the selector names; see ParseSelector. If several programs have the
// name, the error lists their numbers.
func Open(selector string, k *Kernel) (*Program, error) {
	sel, err := ParseSelector(selector)
	if err != nil {
		return nil, err
	}
	p, err := open(sel, k)
	if err != nil {
		return nil, fmt.Errorf("live:%s: %w", selector, err)
	}
	return p, nil
}
