package replay

import (
	"strconv"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/record"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
	"github.com/bpfcfg/bpfcfg/jit"
)

// captured returns what user space can read of a recorded program while it is
// loaded: not its log, and not the program as it was submitted.
func captured(t *testing.T, rec *record.Record) *Capture {
	t.Helper()
	dump, err := record.Decode(rec.Result.Prog.Xlated)
	if err != nil {
		t.Fatal(err)
	}
	c := &Capture{Name: rec.Job.Name, Dump: dump, Code: rec.Result.Prog.Jited, Symbols: map[string]uint64{}}
	for _, f := range rec.Result.Prog.Funcs {
		addr, err := strconv.ParseUint(strings.TrimPrefix(f.Addr, "0x"), 16, 64)
		if err != nil {
			t.Fatal(err)
		}
		c.Funcs = append(c.Funcs, CapturedFunc{Start: -1, Addr: addr, Off: int(f.Off), Len: int(f.Len)})
	}
	for _, l := range rec.Result.Prog.Lines {
		if !rec.Result.Prog.LinesWrong {
			c.Lines = append(c.Lines, CapturedLine{Insn: -1, Slot: bytecode.PC(l.Xlated), Func: l.Func, Off: int(l.Off)})
		}
	}
	for _, m := range rec.Result.Maps {
		var e []CapturedEntry
		for _, x := range m.Insns {
			e = append(e, CapturedEntry{x.Orig, x.Xlated, x.Jited})
		}
		if e != nil {
			c.Tables = append(c.Tables, CapturedTable{m.Name, e})
		}
	}
	return c
}

// TestCapture compares recorded programs as if they were loaded now, with less
// than the record holds.
func TestCapture(t *testing.T) {
	for _, file := range testenv.Glob(t, "records/c-*.*.default.jsonl.gz") {
		r, err := record.Open(file, record.Options{SkipLogs: true})
		if err != nil {
			t.Fatal(err)
		}
		var prof jit.Profile
		same := 0
		for rec, err := range r.Records() {
			if err != nil {
				t.Fatal(err)
			}
			if e := rec.Env; e != nil {
				if prof, err = jit.ProfileForEnv(e.Release, e.Cmdline, e.CPUFlags, e.CPUBugs, e.Vulnerabilities); err != nil {
					t.Fatal(err)
				}
			}
			if rec.Job == nil || noCode(rec) != "" {
				continue
			}
			c := captured(t, rec)
			if unblinded(c.Dump, prof.AXReg) && strings.Contains(file, "harden") {
				continue
			}
			if res := c.Compare(prof); res.Match != Same {
				t.Errorf("%s %s: %v %s", file, c.Name, res.Match, res.Reason)
				continue
			}
			same++
			broken(t, c, prof)
		}
		if same == 0 {
			t.Errorf("%s: nothing was compared", file)
		}
		r.Close()
	}
}

// broken demands that captures which lie are found out, without a panic.
func broken(t *testing.T, c *Capture, prof jit.Profile) {
	t.Helper()
	for what, change := range map[string]func(c *Capture){
		"no code":         func(c *Capture) { c.Code = nil },
		"no functions":    func(c *Capture) { c.Funcs = nil },
		"no program":      func(c *Capture) { c.Dump = nil },
		"shorter program": func(c *Capture) { c.Dump = c.Dump[:len(c.Dump)-1] },
		"shorter code":    func(c *Capture) { c.Code = c.Code[:len(c.Code)-1] },
		"wrong start": func(c *Capture) {
			c.Funcs = append([]CapturedFunc{{Start: 1 << 30, Len: 1}}, c.Funcs...)
		},
		"other last byte": func(c *Capture) {
			c.Code = append([]byte(nil), c.Code...)
			c.Code[len(c.Code)-1] ^= 1
		},
	} {
		d := *c
		change(&d)
		if res := d.Compare(prof); res.Match == Same {
			t.Errorf("%s, %s: still the same", c.Name, what)
		} else if res.Reason == "" {
			t.Errorf("%s, %s: %v without a reason", c.Name, what, res.Match)
		}
	}
}
