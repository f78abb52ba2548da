package ask

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/bpfcfg/bpfcfg/internal/ask/wire"
)

// Kernel parameters: a quiet kernel without random addresses, which ends at once
// when it gets into trouble. A name that the kernel does not know becomes an
// environment variable of the first process.
const (
	parameters     = "quiet panic=-1 oops=panic audit=0 random.trust_cpu=on " + wire.Guest + "=1"
	parametersQEMU = "console=ttyS0 nokaslr no_timer_check softlockup_panic=1 selinux=0 apparmor=0"
)

// qemu returns the command of a virtual machine: one processor, no devices but
// two serial lines and a virtio port, no network, no disk.
func (b *boots) qemu(ctx context.Context, first int) (*exec.Cmd, []string, error) {
	initrd, err := b.initrd(first)
	if err != nil {
		return nil, nil, err
	}
	cpu := b.CPU
	if cpu == "" {
		cpu = "max"
	}
	file := func(id, name string) string { // commas are doubled in QEMU's options
		return "file,id=" + id + ",path=" + strings.ReplaceAll(filepath.Join(b.dir, name), ",", ",,")
	}
	cmd := exec.CommandContext(ctx, b.QEMU,
		"-M", "q35", "-accel", "tcg", "-cpu", cpu, "-smp", "1", "-m", fmt.Sprint(b.memory()),
		"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
		"-chardev", file("console", consoleName), "-serial", "chardev:console",
		"-chardev", file("line", serialName), "-serial", "chardev:line",
		"-device", "virtio-serial-pci", "-chardev", file("out", outName),
		"-device", "virtserialport,chardev=out,name="+wire.Port,
		"-kernel", b.Machine.VM, "-initrd", initrd,
		"-append", strings.TrimSpace(parametersQEMU+" "+parameters+" "+b.Append))
	return cmd, []string{filepath.Join(b.dir, outName), filepath.Join(b.dir, serialName)}, nil
}

// uml returns the command of user-mode Linux. Its root file system is a directory
// of the host, the messages come in a file in it.
func (b *boots) uml(ctx context.Context, first int) (*exec.Cmd, []string, error) {
	root, err := b.root(first)
	if err != nil {
		return nil, nil, err
	}
	program, err := filepath.Abs(b.Machine.UML)
	if err != nil {
		return nil, nil, err
	}
	args := []string{
		fmt.Sprintf("mem=%dM", b.memory()), "root=/dev/root", "rootfstype=hostfs", "rootflags=" + root, "rw",
		"init=/init", "con=null", "con0=null,fd:1",
	}
	cmd := exec.CommandContext(ctx, program, append(append(args, strings.Fields(parameters)...),
		strings.Fields(b.Append)...)...)
	cmd.Dir = b.dir
	cmd.Env = append(os.Environ(), "HOME="+b.dir, "TMPDIR="+b.dir) // where it keeps its memory and its socket
	ownGroup(cmd)
	return cmd, []string{filepath.Join(root, outName)}, nil
}
