// Package ask starts a kernel of the user's, in QEMU or as user-mode Linux, lets it load programs,
// and returns its answers as records.
//
//	a := ask.Asker{Machine: ask.Machine{VM: "vmlinuz"}}
//	err := a.Run(ctx, work, func(r *record.Record) error { … })
//
// The program that calls it is the first process of that kernel, too (package
// guest), so it must be a static one. Neither rights nor KVM are needed: QEMU
// emulates the processor. Nothing is downloaded, and nothing of the machine is
// visible to the guest but the objects that it gets.
//
// The time between two messages and the memory of the guest are bounded. A program
// that takes the kernel down is answered by a record of kind crash, and the others
// are loaded in another boot.
package ask

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/bpfcfg/bpfcfg/internal/ask/wire"
	"github.com/bpfcfg/bpfcfg/internal/record"
)

// Machine says which kernel to start: exactly one of its members is not empty.
type Machine struct {
	VM  string // kernel image for QEMU
	UML string // user-mode Linux, an executable
}

// Kinds of Machine in the names of inputs.
const (
	kindVM  = "vm"
	kindUML = "uml"
)

// ParseMachine splits "vm:IMAGE:OBJECT" or "uml:BINARY:OBJECT". A name that begins with neither is
// not an error: ok is false.
func ParseMachine(name string) (m Machine, object string, ok bool, err error) {
	kind, rest, _ := strings.Cut(name, ":")
	if kind != kindVM && kind != kindUML {
		return m, "", false, nil
	}
	image, object, found := strings.Cut(rest, ":")
	if !found || image == "" || object == "" {
		return m, "", true, fmt.Errorf("%s: want %s:KERNEL:OBJECT or %s:KERNEL:OBJECT#PROGRAM", name, kind, kind)
	}
	if kind == kindVM {
		return Machine{VM: image}, object, true, nil
	}
	return Machine{UML: image}, object, true, nil
}

// Path returns the file of the kernel.
func (m Machine) Path() string {
	if m.VM != "" {
		return m.VM
	}
	return m.UML
}

// String returns the machine as in the names of inputs, without an object.
func (m Machine) String() string {
	if m.VM != "" {
		return kindVM + ":" + m.VM
	}
	return kindUML + ":" + m.UML
}

// Label returns a short name of the kernel: that of its file.
func (m Machine) Label() string { return filepath.Base(m.Path()) }

// Asker holds the settings for asking a machine. The zero value of each member but Machine is a
// default.
type Asker struct {
	Machine Machine
	QEMU    string        // program; qemu-system-x86_64 by default
	CPU     string        // model for QEMU; max by default
	Append  string        // further kernel parameters
	Memory  int           // MiB of the guest; 1024 by default
	Stall   time.Duration // longest time without a message; 5 minutes by default
	Types   []byte        // BTF to use instead of the kernel's own
	Log     uint32        // level of the verifier's log: 0 to 2
	Tell    func(text string)

	self func() ([]byte, error) // of tests, instead of the running program
}

// Work lists the programs to load.
type Work struct {
	Items []wire.Item       // in order; File is a key of Files
	Files map[string][]byte // of the guest's file system, by name without a slash
}

// ErrAsk is wrapped by all errors of Run but those of emit and of the context.
var ErrAsk = errors.New("cannot ask")

// Run starts the machine, as often as needed to ask about all of the work, and
// passes each record to emit: one of kind env first, then one for each item in
// order. Memory is bounded by the largest record.
func (a Asker) Run(ctx context.Context, work Work, emit func(*record.Record) error) error {
	b, err := a.prepare(work)
	if err != nil {
		return fmt.Errorf("%w %v: %w", ErrAsk, a.Machine, err)
	}
	defer b.remove()
	for first, failures := 0, 0; ; {
		next, err := b.boot(ctx, first, emit)
		switch {
		case errors.Is(err, errEarly) && failures < maxFailures:
			// An emulated machine on a busy host fails to boot now and then.
			failures++
			continue
		case err != nil && (ctx.Err() != nil || errors.Is(err, errEmit)):
			return err
		case err != nil:
			return fmt.Errorf("%w %v: %w", ErrAsk, a.Machine, err)
		case next >= len(work.Items):
			return nil
		}
		first, failures = next, 0
	}
}

// maxFailures is how often in a row a silent machine is started again.
const maxFailures = 1

// errEarly says that a machine stopped before it had begun with a program.
var errEarly = errors.New("the kernel stopped before it had loaded anything")

// errEmit marks errors of the caller's emit.
var errEmit = errors.New("")

// memory returns the guest's memory in MiB.
func (a *Asker) memory() int {
	const usual = 1024
	if a.Memory <= 0 {
		return usual
	}
	return a.Memory
}

// stall returns the longest time without a message.
func (a *Asker) stall() time.Duration {
	if a.Stall <= 0 {
		return 5 * time.Minute
	}
	return a.Stall
}

// tell reports progress, if there is a listener.
func (a *Asker) tell(format string, args ...any) {
	if a.Tell != nil {
		a.Tell(fmt.Sprintf(format, args...))
	}
}
