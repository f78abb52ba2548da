package rules

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/internal/record"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
)

// static matches the kernel's lines that come from what Static checks.
var static = regexp.MustCompile(`uses reserved fields|^unknown opcode|^invalid may_goto|^R\d+ is invalid` +
	`|^Failed to properly initialize|^no jump tables|^jump table for insn|^jump out of range|^last insn` +
	`|^unreachable insn|^jump into the middle|^recursive call|^call to invalid|^too many subprograms` +
	`|^invalid access to map value pointer|bpf_ld_imm64|^BPF_LD_IMM64|^invalid BPF_`)

// TestRecords compares with the verdicts of real 7.3 kernels: a program that
// loaded passes, one that was refused for a reason of ours is refused with the
// kernel's message, and one that was refused for another reason passes here.
func TestRecords(t *testing.T) {
	accepted, refused, passed := 0, 0, 0
	for _, file := range testenv.Glob(t, "records/*.7.3.4.*.jsonl.gz") {
		r, err := record.Open(file, record.Options{SkipLogs: true})
		if err != nil {
			t.Fatal(err)
		}
		for rec, err := range r.Records() {
			if err != nil {
				t.Fatal(err)
			}
			if rec.Job == nil || rec.Result == nil || rec.Result.Load == nil || len(rec.Job.DropCaps) > 0 {
				continue
			}
			p, err := rec.Job.Program()
			if err != nil {
				continue
			}
			name := filepath.Base(file) + " " + rec.Job.Name
			load := rec.Result.Load
			v := Linux73().Static(p)
			switch {
			case load.OK:
				accepted++
				if !v.Accept {
					t.Errorf("%s: loaded, but %q at %d", name, v.Message, v.PC)
				}
			case static.MatchString(load.Error):
				refused++
				if v.Accept || v.Message != load.Error || v.Errno != load.Errno {
					t.Errorf("%s: %s %q, kernel says %s %q", name, v.Errno, v.Message, load.Errno, load.Error)
				}
			default:
				passed++
				if !v.Accept && !strings.Contains(load.Error, v.Message) {
					t.Errorf("%s: %q at %d, kernel says %q", name, v.Message, v.PC, load.Error)
				}
			}
		}
		r.Close()
	}
	t.Logf("loaded and accepted %d, refused with the same message %d, refused by later checks %d", accepted, refused, passed)
	if refused < 50 {
		t.Errorf("only %d refusals were compared", refused)
	}
}
