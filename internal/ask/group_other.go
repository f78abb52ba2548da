//go:build !linux

package ask

import "os/exec"

// ownGroup does nothing: there is no user-mode Linux here.
func ownGroup(*exec.Cmd) {}
