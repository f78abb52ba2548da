package hazard_test

import (
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/internal/testing/progen"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
	"github.com/bpfcfg/bpfcfg/succ"
	"github.com/bpfcfg/bpfcfg/succ/hazard"
	"github.com/bpfcfg/bpfcfg/succ/rules"
)

// FuzzFind searches random programs with a few changed fields for hazards: each
// that is found has a path of instructions of the program, which ends at it.
func FuzzFind(f *testing.F) {
	f.Add(uint64(1), uint16(0), uint8(0), int32(0))
	f.Add(uint64(2), uint16(5), uint8(0x0d), int32(-1))
	prof, err := jit.LookupProfile("linux-7.3")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, seed uint64, at uint16, code uint8, imm int32) {
		p := progen.Random(seed%1_000_000, 10+int(seed%50))
		if at != 0 {
			in := &p.Insns[int(at)%len(p.Insns)]
			in.Code, in.Imm = code, imm
		}
		r, err := succ.Resolve(p, succ.Options{})
		if err != nil {
			return
		}
		facts := rewrite.Facts{IndirectTarget: make([]cfg.Truth, p.Len())}
		x, err := rewrite.Predict(p, facts, prof, rewrite.Options{})
		if err != nil {
			return
		}
		for _, h := range hazard.Find(p, r, x, rules.Linux73()) {
			if h.PC < 0 || h.PC >= p.Len() || h.Text == "" {
				t.Fatalf("%+v", h)
			}
			for _, pc := range h.Path {
				if pc < 0 || pc >= p.Len() {
					t.Fatalf("path %v of %d slots", h.Path, p.Len())
				}
			}
		}
	})
}
