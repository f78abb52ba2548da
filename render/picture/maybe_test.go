package picture_test

import (
	"testing"

	"github.com/bpfcfg/bpfcfg/internal/testing/progen"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
	"github.com/bpfcfg/bpfcfg/render/picture"
)

// TestMaybe draws a branch on the number of the processor: Linux bounds it by those
// that the machine has (check_return_value of bpf_get_smp_processor_id), so that it may
// remove the block after the branch. The others it keeps.
func TestMaybe(t *testing.T) {
	var a progen.Asm
	a.Helper(8)                // bpf_get_smp_processor_id
	a.If(0x25, 0, 0, 500, "b") // if r0 > 500
	a.Emit(0xb7, 0, 0, 0, 0)
	a.Emit(0x95, 0, 0, 0, 0)
	a.Label("b")
	a.Emit(0xb7, 0, 0, 0, 1)
	a.Emit(0x95, 0, 0, 0, 0)
	prof, err := jit.LookupProfile(jit.DefaultProfile)
	if err != nil {
		t.Fatal(err)
	}
	an, err := pipeline.Run(a.Program("p"), prof, rewrite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := picture.Scene(an, "p.o")
	for i, b := range s.Blocks {
		if want := i > 0; !b.Reachable || b.Maybe != want || (b.Reason != "") != want {
			t.Errorf("%s: reachable %v, maybe %v, %q", b.Name, b.Reachable, b.Maybe, b.Reason)
		}
	}
}
