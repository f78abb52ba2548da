//go:build !linux || !amd64

// Package sysbpf is the bpf(2) system call of Linux on x86-64; elsewhere it is
// empty.
package sysbpf
