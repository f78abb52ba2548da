package ask

import (
	"os/exec"
	"syscall"
)

// ownGroup makes a command a group of processes, all of which end with it:
// user-mode Linux consists of several.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
