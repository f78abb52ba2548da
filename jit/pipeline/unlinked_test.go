package pipeline_test

import (
	"encoding/hex"
	"os"
	"slices"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
)

// TestUnlinked checks the load of the address of a function that nothing calls and that
// is removed: it keeps its old distance, as Linux 7.3.4 and 6.12.117 were seen to do. The
// bytes are those of both.
func TestUnlinked(t *testing.T) {
	const recorded = "f30f1efa0f1f4400000f1f00554889e5f30f1efabf040000004883c70831c0c9c3cc"
	data, err := os.ReadFile(testenv.Path(t, "calls/address.o"))
	if err != nil {
		t.Fatal(err)
	}
	o, err := load.ELF("address.o", data)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(o.Programs, func(p *bytecode.Program) bool { return p.Name == "unused" })
	for _, name := range []string{"linux-7.3", "linux-6.12"} {
		prof, err := jit.LookupProfile(name)
		if err != nil {
			t.Fatal(err)
		}
		a, err := pipeline.Run(o.Programs[i], prof, rewrite.Options{})
		if err != nil || a.ImageErr != nil {
			t.Fatal(name, err, a.ImageErr)
		}
		if got := hex.EncodeToString(a.Image.Code); got != recorded {
			t.Errorf("%s: %s, kernels have %s", name, got, recorded)
		}
		if v := a.Verdict(); !v.Accept {
			t.Errorf("%s: refused: %s", name, v.Text())
		}
	}
}
