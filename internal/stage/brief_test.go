package stage_test

import (
	"os"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/internal/stage"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
)

// TestNothingLeftOut: a short listing repeats what it must, and does not say that lists
// stand elsewhere.
func TestNothingLeftOut(t *testing.T) {
	data, err := os.ReadFile(testenv.Path(t, "corpus/out/03_threaded_vm.o"))
	if err != nil {
		t.Fatal(err)
	}
	o, err := load.ELF("03_threaded_vm.o", data)
	if err != nil {
		t.Fatal(err)
	}
	prof, err := jit.LookupProfile(jit.DefaultProfile)
	if err != nil {
		t.Fatal(err)
	}
	a, err := pipeline.Run(o.Programs[0], prof, rewrite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"cfg", "succ"} {
		var b strings.Builder
		if err := stage.All()[name].Text(&b, &stage.View{Program: a.Program, Analysis: a, Brief: true}); err != nil {
			t.Fatal(err)
		}
		if s := b.String(); s == "" || strings.Contains(s, "stand at another") {
			t.Errorf("stage %s leaves lists out:\n%s", name, s)
		}
	}
}
