package jit_test

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/jit"
)

// sortedKeys returns the keys of m in order.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

type wholeProgram struct {
	Name, Kernel string
	Ksym         hexNumber
	StackDepth   int  `json:"stack_depth"`
	Walks        int  `json:"do_jit_calls"`
	Padding      bool `json:"padding_active"`
	Xlated, Code string
	XlatedOff    []int `json:"xlated_off"`
	CodeOff      []int `json:"code_off"`
}

// TestPrograms compares whole programs, among them chains of jumps that need
// many walks and end up padded, with kernels' code and maps of addresses.
func TestPrograms(t *testing.T) {
	var file struct{ Programs []wholeProgram }
	var vectors vectorFile
	readGzipJSON(t, "records/jit-programs.json.gz", &file)
	readGzipJSON(t, "records/jit-vectors.json.gz", &vectors)
	if len(file.Programs) != 210 {
		t.Fatalf("%d programs, want 210", len(file.Programs))
	}
	matched, total := map[string]int{}, map[string]int{}
	for i := range file.Programs {
		w := &file.Programs[i]
		k := vectors.Kernels[w.Kernel]
		prof := profileOf(t, w.Kernel, k)
		id := fmt.Sprintf("%s %s padding %v", w.Kernel, prof.Name, w.Padding)
		total[id]++
		if err := checkWhole(t, w, k, prof); err != nil {
			t.Errorf("%s %s: %v", w.Kernel, w.Name, err)
			continue
		}
		matched[id]++
	}
	for _, id := range sortedKeys(total) {
		t.Logf("%-45s %3d of %3d", id, matched[id], total[id])
	}
}

// checkWhole compares one program.
func checkWhole(t testing.TB, w *wholeProgram, k vectorKernel, prof jit.Profile) error {
	insns := insnsOf(t, w.Xlated)
	p := &jit.Program{
		Insns: insns,
		Funcs: []jit.Func{{Start: 0, End: bytecode.PC(len(insns)), StackDepth: w.StackDepth}},
		Addresses: jit.Addresses{
			Funcs:  []uint64{uint64(w.Ksym)},
			Symbol: func(name string) (uint64, bool) { v, ok := k.Symbols[name]; return uint64(v), ok },
		},
	}
	img, err := jit.Compile(p, prof)
	if err != nil {
		return err
	}
	if want := unhex(t, w.Code); !bytes.Equal(img.Code, want) {
		return fmt.Errorf("\n got %x\nwant %x", img.Code, want)
	}
	if img.Funcs[0].Walks != w.Walks {
		return fmt.Errorf("%d walks, want %d", img.Funcs[0].Walks, w.Walks)
	}
	for i, pc := range w.XlatedOff {
		want := w.CodeOff[i]
		got := int(img.Offsets[pc])
		if pc == 0 {
			got = 0 // the record of the first slot is the function's start
		}
		if got != want {
			return fmt.Errorf("slot %d at %d, want %d", pc, got, want)
		}
	}
	return nil
}
