//go:build linux && amd64

package live_test

import (
	"encoding/binary"
	"errors"
	"slices"
	"strconv"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/live"
	"github.com/bpfcfg/bpfcfg/internal/record"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
)

// TestVectors loads the programs that the recorded vectors were made from, one
// for each form of instruction, and compares what this machine makes of them:
// its mitigations need not be those of any recorded machine.
func TestVectors(t *testing.T) {
	testenv.NeedKernel(t)
	r, err := record.Open(testenv.Path(t, "records/jit-vectors.json.gz"), record.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	file, err := r.Vectors()
	if err != nil {
		t.Fatal(err)
	}
	k := live.NewKernel()
	prof := hostProfile(t, k)
	seen := map[string]bool{}
	loaded, refused := 0, 0
	for i := range file.Vectors {
		v := &file.Vectors[i]
		if seen[v.Name] {
			continue
		}
		p := vectorProgram(t, v)
		if p == nil {
			continue
		}
		lp, err := live.Load(p, live.LoadOptions{}, k)
		if errors.Is(err, live.ErrRefused) {
			refused++ // made for a newer kernel, or to be attached to something
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", v.Name, err)
			continue
		}
		seen[v.Name] = true
		loaded++
		t.Run(v.Name, func(t *testing.T) { same(t, lp.Capture, prof) })
	}
	t.Logf("%s: %d programs, %d refused", k.Release(), loaded, refused)
	const least = 200
	if loaded < least {
		t.Errorf("only %d vectors could be loaded", loaded)
	}
}

// vectorProgram returns the program of a vector, nil when the vector does not
// tell all that is needed to load it.
func vectorProgram(t *testing.T, v *record.Vector) *bytecode.Program {
	t.Helper()
	insns, err := bytecode.Decode(v.Source, binary.LittleEndian)
	if err != nil {
		t.Fatal(err)
	}
	p := &bytecode.Program{
		Name: "vector", Type: record.ProgTypeName(strconv.FormatUint(uint64(v.ProgType), 10)), Flags: v.ProgFlags, Insns: insns,
	}
	if len(v.Table) > 0 || len(v.Maps) > 1 {
		return nil
	}
	for _, m := range v.Maps {
		if m.Extra != 0 || m.ProgFill != nil || m.Freeze {
			return nil
		}
		p.Maps = append(p.Maps, bytecode.Map{Name: "m", Type: m.Type, KeySize: m.Key, ValueSize: m.Value, MaxEntries: m.Max, Flags: m.Flags})
	}
	starts := []bytecode.PC{0}
	for pc := bytecode.PC(0); pc < p.Len(); pc += p.Insns[pc].Slots() {
		in := p.Insns[pc]
		switch f := p.Flow(pc); {
		case f.Kind == bytecode.FlowCall, f.Kind == bytecode.FlowFuncAddr:
			starts = append(starts, f.Callee)
		case in.IsKfuncCall(), in.IsWide() && in.Src == bytecode.LdBTFID:
			return nil // a type number of another kernel
		case in.IsWide() && in.Src != bytecode.LdImm64:
			if len(p.Maps) != 1 {
				return nil
			}
			ref := bytecode.Ref{PC: pc, Kind: bytecode.RefMap}
			if in.Src == bytecode.LdMapValue || in.Src == bytecode.LdMapIdxValue {
				ref.Kind, ref.Off = bytecode.RefMapValue, int64(uint32(p.Insns[pc+1].Imm))
			}
			p.Refs = append(p.Refs, ref)
		}
	}
	slices.Sort(starts)
	starts = append(slices.Compact(starts), p.Len())
	for i, s := range starts[:len(starts)-1] {
		p.Subprogs = append(p.Subprogs, bytecode.Subprogram{Start: s, End: starts[i+1]})
	}
	return p
}

// TestWholePrograms loads the recorded whole programs: random ones, and chains of
// jumps that make the compiler pad.
func TestWholePrograms(t *testing.T) {
	testenv.NeedKernel(t)
	r, err := record.Open(testenv.Path(t, "records/jit-programs.json.gz"), record.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	file, err := r.Programs()
	if err != nil {
		t.Fatal(err)
	}
	k := live.NewKernel()
	prof := hostProfile(t, k)
	loaded, padded, refused := 0, 0, map[string]int{}
	for i := range file.Programs {
		w := &file.Programs[i]
		insns, err := bytecode.Decode(w.Xlated, binary.LittleEndian)
		if err != nil {
			t.Fatal(err)
		}
		for j := range insns {
			// Length and packet type of a socket buffer, where the recorded
			// kernels have them, and where a program asks for them.
			switch in := &insns[j]; {
			case in.Code == 0x61 && in.Src == bytecode.R1 && in.Off == 112:
				in.Off = 0
			case in.Code == 0x71 && in.Src == bytecode.R1 && in.Off == 128:
				in.Code, in.Off = 0x61, 4
			}
		}
		p := &bytecode.Program{Name: "whole", Type: "socket_filter", Insns: insns,
			Subprogs: []bytecode.Subprogram{{End: bytecode.PC(len(insns))}}}
		lp, err := live.Load(p, live.LoadOptions{}, k)
		if errors.Is(err, live.ErrRefused) {
			refused[err.Error()]++ // what the verifier itself has put in cannot be submitted
			continue
		}
		if err != nil {
			t.Fatalf("%s: %v", w.Name, err)
		}
		loaded++
		if w.Padding {
			padded++
		}
		t.Run(w.Name, func(t *testing.T) { same(t, lp.Capture, prof) })
	}
	t.Logf("%s: %d programs, %d of them recorded with padding, refused: %v", k.Release(), loaded, padded, refused)
	if loaded < 20 || padded == 0 {
		t.Errorf("only %d programs could be loaded, %d with padding", loaded, padded)
	}
}
