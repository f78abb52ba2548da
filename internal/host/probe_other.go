//go:build !linux || !amd64

package host

import "github.com/bpfcfg/bpfcfg/internal/live"

// probe does nothing: there is no kernel to load into.
func (d *deriver) probe(*live.Kernel) {}
