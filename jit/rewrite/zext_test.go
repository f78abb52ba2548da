package rewrite

import (
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/jit"
)

// TestCmpxchgResult checks the zero extension after a 32-bit compare-and-exchange whose
// result nothing but the exit reads. Kernels 7.3.4 and 6.19.14 decided it with selftest
// tcp_ca_write_sk_pacing (write_sk_pacing_init, which returns nothing): 7.3.4 has the
// extension, 6.19.14 has none. Of a struct_ops it is not known here what it returns.
func TestCmpxchgResult(t *testing.T) {
	const stxW, cmpxchg = 0xc3, 0xf1 // 4 bytes
	for _, c := range []struct {
		profile, typ string
		slots        int
		unpredicted  bool
	}{
		{"linux-7.3", "struct_ops", 5, false},
		{"linux-6.19", "struct_ops", 5, true},
		{"linux-6.19", "xdp", 5, false},
	} {
		p := program(movK(bytecode.R0, 1), movK(bytecode.R2, 2),
			bytecode.Insn{Code: stxW, Dst: bytecode.R10, Src: bytecode.R2, Off: -8, Imm: cmpxchg}, exit())
		if p.Type = c.typ; c.typ == "struct_ops" {
			p.AttachTo = "struct tcp_congestion_ops"
		}
		prof, err := jit.LookupProfile(c.profile)
		if err != nil {
			t.Fatal(err)
		}
		res, err := Predict(p, known(p), prof, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got := len(res.Program.Insns); got != c.slots || (len(res.Unpredicted) > 0) != c.unpredicted {
			t.Errorf("%s for %s: %d slots, unpredicted %v", c.typ, c.profile, got, res.Unpredicted)
		}
	}
}
