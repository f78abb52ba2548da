package bytecode_test

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/record"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
)

// logged is an instruction in any of the lists that a verifier log has, up to
// its text:
//
//	7: (67) r1 <<= 3              ; R1=scalar(…)
//	      7: .1........ (67) r1 <<= 3
//	  >>> 7 | (67) r1 <<= 3
var logged = regexp.MustCompile(`(\d+)(?:: | \| )(?:[0-9.]{10} )?\(([0-9a-f]{2})\) $`)

// levels are the bits of a log level that select instructions (BPF_LOG_LEVEL in
// include/linux/bpf_verifier.h); a third selects only statistics.
const levels = 3

// Every instruction that a kernel wrote in a log has our text.
func TestTextKernel(t *testing.T) {
	// The other variants of a machine differ in machine code, not in logs.
	for _, path := range testenv.Glob(t, "records/*.off.jsonl.gz") {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".jsonl.gz"), func(t *testing.T) {
			t.Parallel()
			r, err := record.Open(path, record.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			n, logs := 0, 0
			for rec, err := range r.Records() {
				if err != nil {
					t.Fatal(err)
				}
				if rec.Kind == record.KindResult && rec.Result.Load != nil && len(rec.Job.Insns) > 0 {
					n += sameLog(t, rec)
					if level := rec.Job.LogLevel; level == nil || *level&levels != 0 {
						logs++
					}
				}
			}
			if n < 20 && logs > 0 {
				t.Errorf("only %d instructions in the logs", n)
			}
		})
	}
}

// sameLog compares the instructions in the log of a record with our text, and
// returns how many there are.
func sameLog(t *testing.T, rec *record.Record) int {
	p, err := rec.Job.Program()
	if err != nil {
		t.Errorf("%s: %v", rec.Job.Name, err)
		return 0
	}
	_, log, _ := strings.Cut(rec.Result.Load.Log, "\n") // the first line of a long log is cut
	seen := map[string]bool{}                           // and an instruction is in it many times
	for line := range strings.Lines(log) {
		at := strings.Index(line, ") ") + 2
		if at < 7 || line[at-5] != '(' {
			continue
		}
		key, _, _ := strings.Cut(line, ";")
		if seen[key] {
			continue
		}
		seen[key] = true
		m := logged.FindStringSubmatch(line[:at])
		if m == nil {
			continue
		}
		pc, _ := strconv.Atoi(m[1])
		code, _ := strconv.ParseUint(m[2], 16, 8)
		if why := sameText(p, bytecode.PC(pc), uint8(code), strings.TrimSpace(line[at:])); why != "" {
			t.Errorf("%s: %s%s", rec.Job.Name, line, why)
		}
	}
	return len(seen)
}

var (
	address = regexp.MustCompile(`= 0x[0-9a-f]+`)
	number  = regexp.MustCompile(`#\d+`)
)

// sameText compares the text of an instruction with what a log has after the
// opcode, which goes on with the verifier's state. It returns what is wrong.
func sameText(p *bytecode.Program, pc bytecode.PC, code uint8, log string) string {
	if pc >= p.Len() {
		return "outside the program"
	}
	in, got := p.Insns[pc], p.Text(pc)
	switch {
	case in.Code != code && code == bytecode.CodeGoto && p.Flow(pc).Kind == bytecode.FlowCond:
		// The verifier hard-wired a branch before it wrote the list
		// (kernel/bpf/const_fold.c bpf_prune_dead_branches, Linux 7.3).
		return ""
	case in.Code != code:
		return fmt.Sprintf("opcode %02x here", in.Code)
	case code == bytecode.CodeGotol && strings.Contains(log, " jmp "):
		return "" // a kernel before 6.6 does not know it
	case p.Flow(pc).Kind == bytecode.FlowKey:
		// No kernel knows static keys.
		got = strings.NewReplacer("_or_nop", "", "nop_or_", "").Replace(got)
	case code == bytecode.CodeMayGoto && in.Src != 0 && strings.HasPrefix(log, "if r0 (null) "):
		return "" // the kernel's table has no name for it
	case in.IsWide() && in.Src != bytecode.LdImm64 || in.IsWide() && strings.ContainsAny(got, "["):
		// The kernel prints the address after a reference.
		got = got[:strings.Index(got, " = ")] + " = 0x"
		log = address.ReplaceAllString(log, "= 0x")
	case in.IsKfuncCall():
		got, log = number.ReplaceAllString(got, "#"), number.ReplaceAllString(log, "#")
	case in.IsSubprogramCall():
		got, _, _ = strings.Cut(got, "#") // the kernel has no names there
	}
	if rest, ok := strings.CutPrefix(log, got); !ok || rest != "" && rest[0] != ' ' && rest[0] != '\t' {
		return "have " + got
	}
	return ""
}
