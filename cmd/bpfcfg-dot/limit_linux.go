package main

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// limitAddressSpace limits what this process may map. Go and WebAssembly
// reserve far more than they use, so the limit is on top of what is mapped
// already.
func limitAddressSpace(bytes uint64) error {
	mapped, err := addressSpace()
	if err != nil {
		return err
	}
	limit := mapped + bytes
	return unix.Setrlimit(unix.RLIMIT_AS, &unix.Rlimit{Cur: limit, Max: limit})
}

// addressSpace returns how many bytes this process has mapped: the first field
// of /proc/self/statm, in pages.
func addressSpace() (uint64, error) {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, err
	}
	var pages uint64
	if _, err := fmt.Sscan(string(b), &pages); err != nil {
		return 0, fmt.Errorf("/proc/self/statm: %w", err)
	}
	return pages * uint64(os.Getpagesize()), nil
}
