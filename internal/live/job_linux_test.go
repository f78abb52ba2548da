//go:build linux && amd64

package live

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/cilium/ebpf/btf"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
)

// TestJob states that a program comes back from the job of a record as it was:
// what a record does not hold is left out of the comparison.
func TestJob(t *testing.T) {
	programs := 0
	for _, file := range testenv.Glob(t, "corpus/out*/*.o") {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		o, err := load.ELF(filepath.Base(file), data)
		if err != nil {
			t.Fatal(err)
		}
		types, err := btf.LoadSpecFromReader(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range o.Programs {
			programs++
			src := &Source{Name: p.Name, Program: p, License: o.License, Types: types}
			job, err := JobOf(src)
			if err != nil {
				t.Fatal(err)
			}
			q, err := job.Program()
			if err != nil {
				t.Errorf("%s: %s: %v", file, p.Name, err)
				continue
			}
			for i, m := range q.Maps { // a kernel begins with zeros
				if p.Maps[i].Value == nil && len(bytes.Trim(m.Value, "\x00")) == 0 {
					q.Maps[i].Value = nil
				}
			}
			opts := []cmp.Option{
				cmpopts.IgnoreFields(bytecode.Program{}, "Section", "Diags", "KeySites", "Refs"),
				cmpopts.IgnoreFields(bytecode.Map{}, "Symbols", "Code", "Name"),
				cmpopts.IgnoreFields(bytecode.Subprogram{}, "Args", "From"),
				cmpopts.EquateEmpty(),
			}
			if d := cmp.Diff(p, q, opts...); d != "" {
				t.Errorf("%s: %s: program (-), from its job (+):\n%s", file, p.Name, d)
			}
			if d := cmp.Diff(places(p), places(q)); d != "" {
				t.Errorf("%s: %s: references:\n%s", file, p.Name, d)
			}
		}
	}
	if programs < 40 {
		t.Errorf("only %d programs", programs)
	}
}

// places returns what references lead to, without their names.
func places(p *bytecode.Program) []bytecode.Ref {
	var out []bytecode.Ref
	for _, r := range p.Refs {
		if r.Kind != bytecode.RefHelper && r.Kind != bytecode.RefFunc {
			r.Name = ""
			out = append(out, r)
		}
	}
	return out
}

// TestJobInner states that what the maps in a map of maps are like comes back from a job.
func TestJobInner(t *testing.T) {
	inner := &bytecode.Map{Name: "in", Type: 2, KeySize: 4, ValueSize: 8, MaxEntries: 3, NoKptrs: true}
	mapAddr := bytecode.Insn{Code: 0x18, Dst: 1, Src: bytecode.LdMapFD}
	p := &bytecode.Program{Type: "xdp", Subprogs: []bytecode.Subprogram{{End: 6}},
		Insns: []bytecode.Insn{mapAddr, {}, mapAddr, {}, {Code: 0xb7}, {Code: bytecode.CodeExit}},
		Refs:  []bytecode.Ref{{PC: 0, Kind: bytecode.RefMap}, {PC: 2, Kind: bytecode.RefMap, Index: 1}},
		Maps: []bytecode.Map{
			{Name: "m", Type: 13, KeySize: 4, ValueSize: 4, MaxEntries: 2, Inner: inner},
			{Name: "plain", Type: 2, KeySize: 4, ValueSize: 4, MaxEntries: 2},
		}}
	job, err := JobOf(&Source{Name: "p", Program: p})
	if err != nil {
		t.Fatal(err)
	}
	q, err := job.Program()
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(inner, q.Maps[0].Inner, cmpopts.IgnoreFields(bytecode.Map{}, "Name")); d != "" {
		t.Errorf("the inner map (-program +from the job):\n%s", d)
	}
	if q.Maps[1].Name != "plain" || q.Maps[1].Inner != nil {
		t.Errorf("the second map is %+v", q.Maps[1])
	}
}
