package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/internal/testing/native"
)

// Programs as their bytes; results by hand.
func TestRun(t *testing.T) {
	for _, c := range []struct {
		name, args, program string
		want                uint64
		interpreterOnly     bool
	}{
		{"constant", "", "b700000005000000 9500000000000000", 5, false},
		{"white space", "", "b7 00 00 00 05 00 00 00\n95 00 00 00 00 00 00 00\n", 5, false},
		{"memory", "8877665544332211", "7910000000000000 9500000000000000", 0x1122334455667788, false},
		{"length of memory", "88776655", "bf20000000000000 9500000000000000", 4, false},
		{"no memory", "", "bf10000000000000 9500000000000000", 0, false},
		{"debug", "--debug", "bf20000000000000 9500000000000000", 0, false},
		// r1 = 7; call 5; exit
		{"unwind with a number", "", "b701000007000000 8500000005000000 9500000000000000", 7, true},
		// r1 = 0; call 5; r0 = 9; exit
		{"unwind with zero ends", "", "b701000000000000 8500000005000000 b700000009000000 9500000000000000", 0, true},
		// r1 = 3; r2 = 5; callx r2; exit
		{"callx by number", "", "b701000003000000 b702000005000000 8d02000000000000 9500000000000000", 3, true},
	} {
		for _, mode := range []string{"", "--jit"} {
			if mode != "" && c.interpreterOnly {
				continue
			}
			args := append(strings.Fields(c.args), strings.Fields(mode)...)
			got, err := run(args, strings.NewReader(c.program))
			if errors.Is(err, native.ErrUnsupported) {
				t.Logf("%s %s: %v", c.name, mode, err)
				continue
			}
			if err != nil || got != c.want {
				t.Errorf("%s %s: %#x, %v, want %#x", c.name, mode, got, err, c.want)
			}
		}
	}
}

func TestRunErrors(t *testing.T) {
	for _, c := range []struct{ args, program, want string }{
		{"", "", "file is empty"},
		{"", "b7", "whole number of 8-byte slots"},
		{"", "xy", "invalid byte"},
		{"zz", "9500000000000000", "memory"},
		{"--what", "9500000000000000", "unknown argument"},
		{"", "7910000000000000 9500000000000000", "slot 0: access to 0x0"},
		{"", "8500000063000000 9500000000000000", "helper 99 is not modelled"},
		{"", "0500ffff00000000", "step limit"},
		{"--jit --profile linux-1.0", "9500000000000000", `older than all kernels`},
	} {
		_, err := run(strings.Fields(c.args), strings.NewReader(c.program))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s on %q: error %v, want %q", c.args, c.program, err, c.want)
		}
	}
}
