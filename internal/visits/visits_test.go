package visits

import (
	"math"
	"slices"
	"strings"
	"testing"
)

// aLog has the shape of what a kernel prints at level 2: states, C lines, walks
// that are taken up again, precision marks.
const aLog = `func#0 @0
0: R1=ctx() R10=fp0
; int f(void *ctx) @ a.c:3
0: (b7) r2 = 0                        ; R2_w=0
1: (25) if r1 > 0x5 goto pc+1         ; R1_w=scalar(umax=5)
mark_precise: frame0: last_idx 1 first_idx 0 subseq_idx -1
mark_precise: frame0: regs=r1 stack= before 0: (b7) r2 = 0
2: (95) exit

from 1 to 3: R0_w=scalar(umin=6) R10=fp0
3: (95) exit
from 1 to 3: safe
3: (95) exit
processed 5 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
`

func TestRead(t *testing.T) {
	const other = "libbpf: prog 'g': -- BEGIN PROG LOAD LOG --\n9: (95) exit\n-- END PROG LOAD LOG --\n"
	for name, c := range map[string]struct {
		in   string
		want []uint64
		err  string
	}{
		"log":          {in: aLog, want: []uint64{1, 1, 1, 2}},
		"crlf":         {in: strings.ReplaceAll(aLog, "\n", "\r\n"), want: []uint64{1, 1, 1, 2}},
		"long lines":   {in: "0: (b7) r2 = 0 ;" + strings.Repeat(" 1: (b7)", 5000) + "\n2: (95) exit", want: []uint64{1, 0, 1, 0}},
		"veristat":     {in: "PROCESSING a.o/g, DURATION US: 1, VERDICT: success, VERIFIER LOG:\n7: (95) exit\nPROCESSING a.o/f, DURATION US: 1, VERDICT: success, VERIFIER LOG:\n" + aLog, want: []uint64{1, 1, 1, 2}},
		"libbpf":       {in: other + "libbpf: prog 'f': -- BEGIN PROG LOAD LOG --\n0: (95) exit\n", want: []uint64{1, 0, 0, 0}},
		"counts":       {in: "# run of Monday\n\n0 12\n  3\t7 # exit\n0 1\n", want: []uint64{13, 0, 0, 7}},
		"large":        {in: "1 18446744073709551615\n1 1\n", want: []uint64{0, math.MaxUint64, 0, 0}},
		"none":         {in: "processed 5 insns\n", err: "no counts"},
		"empty":        {in: "", err: "no counts"},
		"level 1":      {in: "func#0 @0\nprocessed 5 insns (limit 1000000)\n", err: "no counts"},
		"others only":  {in: other, err: `no log of a program "f"`},
		"too far":      {in: "4: (95) exit\n", err: "line 1: slot 4: the program has 4"},
		"count far":    {in: "0 1\n99 1\n", err: "line 2: slot 99"},
		"huge slot":    {in: "18446744073709551615 1\n", err: "slot 18446744073709551615"},
		"bad count":    {in: "0 1\n1 -1\n", err: `line 2: "1 -1" is not SLOT COUNT`},
		"not a number": {in: "0 1\nx\n", err: "is not SLOT COUNT"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Read(strings.NewReader(c.in), "f", 4)
			switch {
			case c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)):
				t.Errorf("error %v, want %q", err, c.err)
			case c.err == "" && (err != nil || !slices.Equal(got, c.want)):
				t.Errorf("%v, %v; want %v", got, err, c.want)
			}
		})
	}
}

func FuzzRead(f *testing.F) {
	f.Add(aLog)
	f.Add("0 1\n1 2")
	f.Add("PROCESSING f, DURATION\n0: (95)")
	f.Fuzz(func(t *testing.T, in string) {
		got, err := Read(strings.NewReader(in), "f", 4)
		if (err == nil) != (len(got) == 4) {
			t.Errorf("%v, %v", got, err)
		}
	})
}
