package main

import (
	"fmt"
	"time"

	"github.com/bpfcfg/bpfcfg/internal/ask"
	"github.com/bpfcfg/bpfcfg/internal/input"
)

// machineFlags say how to start a kernel of the user's.
type machineFlags struct {
	QEMU   string        `name:"qemu" help:"QEMU executable (default: qemu-system-x86_64)." placeholder:"FILE"`
	CPU    string        `name:"cpu" help:"Processor that QEMU emulates (default: max)." placeholder:"MODEL"`
	Append string        `help:"Additional kernel parameters, such as mitigations=off." placeholder:"TEXT"`
	Memory int           `help:"Memory of the guest in MiB (default: 1024)." placeholder:"MIB"`
	Stall  time.Duration `help:"Give up when the kernel does not answer for this time (default: 5m)." placeholder:"TIME"`
}

// asker returns how to ask a machine. Programs are adapted (CO-RE) to the first of the files of
// types if --btf names one, else to the kernel's own types.
func (f *machineFlags) asker(m ask.Machine, types []string) (ask.Asker, error) {
	a := ask.Asker{Machine: m, QEMU: f.QEMU, CPU: f.CPU, Append: f.Append, Memory: f.Memory, Stall: f.Stall}
	if f.Memory < 0 || f.Stall < 0 {
		return a, usagef("--memory and --stall must not be negative")
	}
	if len(types) > 0 && types[0] != "host" {
		data, err := input.Read(types[0], nil)
		if err != nil {
			return a, inputError(fmt.Errorf("--btf: %w", err))
		}
		a.Types = data
	}
	return a, nil
}
