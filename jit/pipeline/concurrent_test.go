package pipeline_test

import (
	"bytes"
	"os"
	"sync"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
)

// TestConcurrent holds what docs/library.md promises: several goroutines may analyse
// one program, and may read one analysis. The race detector judges it.
func TestConcurrent(t *testing.T) {
	data, err := os.ReadFile("../../testdata/corpus/out/13_subprog_switch.o")
	if err != nil {
		t.Fatal(err)
	}
	obj, err := load.ELF("13_subprog_switch.o", data)
	if err != nil {
		t.Fatal(err)
	}
	prof, err := jit.LookupProfile(jit.DefaultProfile)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range obj.Programs {
		shared, err := pipeline.Run(p, prof, rewrite.Options{})
		if err != nil {
			t.Fatal(err)
		}
		var wait sync.WaitGroup
		for range 4 {
			wait.Go(func() {
				own, err := pipeline.Run(p, prof, rewrite.Options{})
				if err != nil {
					t.Error(err)
					return
				}
				if !bytes.Equal(own.Image.Code, shared.Image.Code) {
					t.Errorf("%s: two runs made different code", p.Name)
				}
				if !shared.Verify().OK() {
					t.Errorf("%s: the machine code does not do the same", p.Name)
				}
				for pc := range p.Insns {
					shared.Succ.Successors(bytecode.PC(pc))
				}
			})
		}
		wait.Wait()
	}
}
