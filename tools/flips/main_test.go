package main

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
	"github.com/bpfcfg/bpfcfg/jit"
)

// TestFlips flips a part of the bits of images with tail calls, switches and
// several functions, and states that none that changes a control transfer is
// accepted.
func TestFlips(t *testing.T) {
	if _, err := exec.LookPath("objdump"); err != nil {
		t.Skip("skipped: GNU objdump, the judge, is not installed (Debian package binutils)")
	}
	var sum tally
	for _, name := range []string{"linux-7.3", "linux-7.3+plain", "linux-6.19", "linux-6.18"} {
		prof, err := jit.LookupProfile(name)
		if err != nil {
			t.Fatal(err)
		}
		dir := "corpus/out/"
		if name == "linux-6.18" { // knows no indirect jumps
			dir = "corpus/out-plain/"
		}
		for _, file := range []string{"22_tail_dispatch.o", "13_subprog_switch.o"} {
			images, err := compile(testenv.Path(t, dir+file), prof)
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range images {
				u, err := count(a, 13) // no divisor of 8: all bits of a byte get their turn
				if err != nil {
					t.Fatal(err)
				}
				sum.add(u)
			}
		}
	}
	t.Logf("%d flips, %d change a control transfer, %d others are accepted", sum.flips, sum.transfers, sum.accepted)
	if sum.transfers < 500 {
		t.Errorf("only %d flips change a control transfer", sum.transfers)
	}
	for _, h := range sum.holes {
		t.Error("accepted:", h)
	}
}

// TestJudge holds flips whose effect is read in the Intel SDM (volume 2, opcode
// map): the judge must see those that change a transfer, and no others.
func TestJudge(t *testing.T) {
	if _, err := exec.LookPath("objdump"); err != nil {
		t.Skip("skipped: GNU objdump, the judge, is not installed (Debian package binutils)")
	}
	code := []byte{
		0x74, 0x02, // 0: je 4
		0x31, 0xc0, // 2: xor eax, eax
		0xeb, 0x01, // 4: jmp 7
		0x90,       // 6: nop
		0xc9, 0xc3, // 7: leave; ret
	}
	for _, c := range []struct {
		at, bit int
		want    string // part of what changes, empty for nothing
	}{
		{0, 0, "jne"}, {1, 0, "je 0x5"}, {2, 1, ""}, {3, 0, ""}, {4, 3, "jrcxz"}, {8, 3, "lret"}, {6, 1, ""},
	} {
		f := []flip{{at: c.at, bit: c.bit}}
		if err := judge(code, f); err != nil {
			t.Fatal(err)
		}
		if got := f[0].change; (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("byte %d, bit %d: %q, want %q", c.at, c.bit, got, c.want)
		}
	}
}
