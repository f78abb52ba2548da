package succ_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/succ"
	"github.com/bpfcfg/bpfcfg/succ/rules"
)

// TestOddTables resolves jumps through labels that are in no jump table. What each
// label returns is in testdata/odd.c; the test reads it off the instruction at the
// target, so that it depends on no slot numbers. Linux refuses all but one of the
// programs.
func TestOddTables(t *testing.T) {
	data, err := os.ReadFile("testdata/odd.o")
	if err != nil {
		t.Fatal(err)
	}
	o, err := load.ELF("odd.o", data)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]struct {
		status  succ.Status
		returns []int32
		reason  string // part of
		refusal string // part of; empty when Linux accepts
		note    string // part of a diagnostic
	}{
		"strided":       {succ.Exact, []int32{1, 2, 3}, "in [0,2]", "no jump tables found", `"strided.tab"`},
		"single":        {succ.Exact, []int32{1, 2}, "entry at byte 0", "", ""},
		"diff":          {succ.Exact, []int32{1, 2, 3}, "label difference", "unreachable insn", ""},
		"constdiff":     {succ.Unresolved, nil, "computed at", "pointer arithmetic on insn prohibited", ""},
		"frozen_data":   {succ.Exact, []int32{1, 2}, "in [0,1]", "no jump tables found", `"frozen_data.tab"`},
		"two_in_struct": {succ.Exact, []int32{1, 2, 3}, "in [0,1]", "no jump tables found", `"two_in_struct.tab"`},
	}
	for _, p := range o.Programs {
		w, ok := want[p.Name]
		if !ok {
			t.Errorf("%s: not expected", p.Name)
			continue
		}
		delete(want, p.Name)
		r, err := succ.Resolve(p, succ.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Indirect) != 1 {
			t.Errorf("%s: %d indirect jumps", p.Name, len(r.Indirect))
			continue
		}
		in := r.Indirect[0]
		var returns []int32
		for _, pc := range in.Exact {
			returns = append(returns, p.Insns[pc].Imm)
		}
		slices.Sort(returns)
		if in.Status != w.status || !slices.Equal(returns, w.returns) || !strings.Contains(in.Reason, w.reason) {
			t.Errorf("%s: %s, returns %v, %q; want %+v", p.Name, in.Status, returns, in.Reason, w)
		}
		if v := rules.Linux73().Check(p, r); v.Accept != (w.refusal == "") || !strings.Contains(v.Message, w.refusal) {
			t.Errorf("%s: verdict %+v, want %q", p.Name, v, w.refusal)
		}
		if notes := strings.Join(p.Diags, "\n"); (notes == "") != (w.note == "") || !strings.Contains(notes, w.note) {
			t.Errorf("%s: diagnostics %q, want %q", p.Name, notes, w.note)
		}
	}
	for name := range want {
		t.Errorf("no program %s", name)
	}
}
