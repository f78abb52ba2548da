package visits

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/record"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
)

// aLog has the shape of what a kernel prints at level 2: states, C lines, walks
// that are taken up again, precision marks.
const aLog = `func#0 @0
  0: (b7) r2 = 0	r2: _ -> 0
3: (95) exit	in a listing before the walk
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
	const other = "libbpf: prog 'g': -- BEGIN PROG LOAD LOG --\n0: R1=ctx()\n9: (95) exit\n-- END PROG LOAD LOG --\n"
	for name, c := range map[string]struct {
		in   string
		want []uint64
		err  string
	}{
		"log":          {in: aLog, want: []uint64{1, 1, 1, 2}},
		"crlf":         {in: strings.ReplaceAll(aLog, "\n", "\r\n"), want: []uint64{1, 1, 1, 2}},
		"long lines":   {in: "0: R1=ctx()\n0: (b7) r2 = 0 ;" + strings.Repeat(" 1: (b7)", 5000) + "\n2: (95) exit", want: []uint64{1, 0, 1, 0}},
		"veristat":     {in: "PROCESSING a.o/g, DURATION US: 1, VERDICT: success, VERIFIER LOG:\n0: R1=ctx()\n7: (95) exit\nPROCESSING a.o/f, DURATION US: 1, VERDICT: success, VERIFIER LOG:\n" + aLog, want: []uint64{1, 1, 1, 2}},
		"libbpf":       {in: other + "libbpf: prog 'f': -- BEGIN PROG LOAD LOG --\n0: R1_w=1\n0: (95) exit\n", want: []uint64{1, 0, 0, 0}},
		"counts":       {in: "# run of Monday\n\n0 12\n  3\t7 # exit\n0 1\n", want: []uint64{13, 0, 0, 7}},
		"large":        {in: "1 18446744073709551615\n1 1\n", want: []uint64{0, math.MaxUint64, 0, 0}},
		"none":         {in: "processed 5 insns\n", err: "no counts"},
		"empty":        {in: "", err: "no counts"},
		"level 1":      {in: "func#0 @0\nprocessed 5 insns (limit 1000000)\n", err: "no counts"},
		"others only":  {in: other, err: `no log of the program "f"`},
		"too far":      {in: "4: R1=1\n4: (95) exit\n", err: "line 2: slot 4: the program has only 4 slots"},
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
			case c.err == "" && (err != nil || !slices.Equal(got.Slots, c.want)):
				t.Errorf("%v, %v; want %v", got, err, c.want)
			}
		})
	}
}

// TestKernelLogs compares with the number of visits that kernels themselves
// give at the end of a log: "processed 44 insns".
func TestKernelLogs(t *testing.T) {
	logs := 0
	for _, name := range []string{"corpus.7.3.4.off", "corpus.6.19.14.off", "suite.7.3.4.off", "suite.6.19.14.off"} {
		r, err := record.Open(testenv.Path(t, "records/"+name+".jsonl.gz"), record.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		for rec, err := range r.Records() {
			if err != nil {
				t.Fatal(err)
			}
			// A refused program's last instruction is counted before it is printed;
			// a log as large as its buffer is not whole.
			if rec.Result == nil {
				continue // not loaded
			}
			load := rec.Result.Load
			if load == nil || !load.OK || load.Log == "" || len(load.Log) > 3<<20 {
				continue
			}
			log := load.Log
			c, err := Read(strings.NewReader(log), "x", len(rec.Job.Insns))
			if !strings.Contains(log, "0: R1=ctx") { // not of level 2
				continue
			}
			if err != nil || c.Total+c.Pruned != c.Walked {
				t.Errorf("%s: %s: %+v, %v", name, rec.Job.Name, c, err)
			}
			code, err := record.Decode(rec.Job.Insns)
			if err != nil {
				t.Fatal(err)
			}
			flow(t, name+": "+rec.Job.Name, c, code, log)
			logs++
		}
	}
	if logs < 50 {
		t.Errorf("only %d logs", logs)
	}
}

// flow states that the ways into a slot are as many as the visits of it and the
// ends of walks at it, but for where walks begin and calls return to (those with a
// callback, to themselves); and
// that a way leads to the next slot unless a jump or a call is at its start.
func flow(t *testing.T, name string, c *Counts, code []bytecode.Insn, log string) {
	t.Helper()
	in := make([]uint64, len(c.Slots))
	for k, n := range c.Passes {
		in[k[1]] += n
		class := code[k[0]].Code & 7
		jump := class == 5 || class == 6 // BPF_JMP, BPF_JMP32 (RFC 9669, section 3)
		if next := k[0] + int(code[k[0]].Slots()); k[1] != next && !jump {
			t.Errorf("%s: %d ways from %d to %d", name, n, k[0], k[1])
		}
	}
	ended := make([]uint64, len(c.Slots))
	for _, m := range safeAt.FindAllStringSubmatch(log, -1) {
		if at, err := strconv.Atoi(m[1]); err == nil && at < len(ended) {
			ended[at]++
		}
	}
	const call = 0x85
	for at, n := range c.Slots {
		begins := at == 0 || code[at-1].Code == bytecode.CodeExit || code[at-1].Code == call || code[at].Code == call
		if in[at] != n+ended[at] && !begins {
			t.Errorf("%s: %d ways into slot %d, %d visits and %d ends", name, in[at], at, n, ended[at])
		}
	}
}

// safeAt finds the slot at which a walk ends: "12: safe", "from 3 to 12: safe".
var safeAt = regexp.MustCompile(`(?m)(?:^|to )([0-9]+)(?: [^:\n]*)?: safe$`)

func FuzzRead(f *testing.F) {
	f.Add(aLog)
	f.Add("0 1\n1 2")
	f.Add("PROCESSING f, DURATION\n0: (95)")
	f.Fuzz(func(t *testing.T, in string) {
		got, err := Read(strings.NewReader(in), "f", 4)
		if (err == nil) != (got != nil) {
			t.Errorf("%v, %v", got, err)
		}
	})
}
