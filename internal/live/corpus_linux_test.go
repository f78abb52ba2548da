//go:build linux && amd64

package live_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf/btf"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/internal/compare"
	"github.com/bpfcfg/bpfcfg/internal/host"
	"github.com/bpfcfg/bpfcfg/internal/live"
	"github.com/bpfcfg/bpfcfg/internal/replay"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
	"github.com/bpfcfg/bpfcfg/jit/verify"
)

// object is a loaded object file with its types.
type object struct {
	name string
	*load.Object
	types *btf.Spec
}

// objects returns the objects of the corpus that match.
func objects(t *testing.T, pattern string) []object {
	t.Helper()
	var out []object
	for _, file := range testenv.Glob(t, pattern) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		o, err := load.ELF(filepath.Base(file), data)
		if err != nil {
			t.Fatal(err)
		}
		types, err := btf.LoadSpec(file)
		if err != nil && !errors.Is(err, btf.ErrNotFound) {
			t.Fatal(err)
		}
		out = append(out, object{filepath.Base(file), o, types})
	}
	return out
}

// TestPlainCorpus loads every program of the corpus without indirect jumps, and
// compares all that the kernel made of it: our code for its rewritten program
// with its bytes, all of them; the control flow of its bytes with the rewritten
// program's; and what was predicted from the source with both.
func TestPlainCorpus(t *testing.T) {
	testenv.NeedKernel(t)
	programs, predicted := corpus(t, "corpus/out-plain/*.o")
	const most = 10 // programs whose accesses to kernel structures, or links of numbers, only the kernel knows
	if programs < 18 || predicted < programs-most {
		t.Errorf("%d programs, %d predicted", programs, predicted)
	}
}

// TestCorpus is the same for the corpus with indirect jumps, on kernels that have
// them: jump tables are compared, too.
func TestCorpus(t *testing.T) {
	testenv.NeedKernel(t)
	if !hostProfile(t, live.NewKernel()).Gotox {
		t.Skip("this kernel has no indirect jumps")
	}
	programs, predicted := corpus(t, "corpus/out/*.o")
	const most = 11 // programs that access socket buffers
	if programs < 25 || predicted < programs-most {
		t.Errorf("%d programs, %d predicted", programs, predicted)
	}
}

// corpus loads and compares the programs of the objects that match, and returns
// how many there were, and how many of them could be predicted.
func corpus(t *testing.T, pattern string) (programs, predicted int) {
	t.Helper()
	k := live.NewKernel()
	prof := hostProfile(t, k)
	for _, o := range objects(t, pattern) {
		for _, p := range o.Programs {
			t.Run(o.name+"#"+p.Name, func(t *testing.T) {
				lp, err := live.Load(p, live.LoadOptions{License: o.License, Types: o.types}, k)
				if errors.Is(err, live.ErrRefused) && strings.HasPrefix(o.name, "24_") {
					t.Skipf("tables in data sections are for no kernel: %v", err)
				}
				if errors.Is(err, live.ErrRefused) && prof.Version != "7.3" {
					t.Skipf("made for Linux 7.3: %v", err)
				}
				if err != nil {
					t.Fatal(err)
				}
				programs++
				same(t, lp.Capture, prof)
				if asPredicted(t, p, lp, prof) {
					predicted++
				}
			})
		}
	}
	t.Logf("%s: %d programs, all bytes the same; %d as predicted from source", k.Release(), programs, predicted)
	return programs, predicted
}

// hostProfile returns the profile of the running machine.
func hostProfile(t *testing.T, k *live.Kernel) jit.Profile {
	t.Helper()
	r, err := host.Derive(k)
	if err != nil {
		t.Fatal(err)
	}
	return r.Profile
}

// same demands that our code of a captured program is the kernel's, and that
// the kernel's has the program's control flow.
func same(t *testing.T, c *replay.Capture, prof jit.Profile) {
	t.Helper()
	res := c.Compare(prof)
	if res.Match != replay.Same {
		t.Errorf("%v: %s", res.Match, res.Reason)
		return
	}
	if len(c.Code) == 0 || res.Bytes != len(c.Code) {
		t.Errorf("%d of %d bytes were compared", res.Bytes, len(c.Code))
	}
	for _, m := range verify.Check(res.Program, res.Image, pipeline.VerifyKernel(res.Machine)).Mismatches {
		t.Error(m)
	}
}

// asPredicted compares a loaded program with its prediction, and reports
// whether there was one.
func asPredicted(t *testing.T, p *bytecode.Program, lp *live.Program, prof jit.Profile) bool {
	t.Helper()
	a, err := pipeline.Run(p, prof, rewrite.Options{Blind: live.Blinds()})
	if err != nil || a.ImageErr != nil {
		t.Fatalf("%v %v", err, a.ImageErr)
	}
	c := lp.Capture
	seen := &compare.Observed{Xlated: c.Dump, Code: c.Code}
	for _, table := range c.Tables {
		var list []compare.Entry
		for _, e := range table.Entries {
			list = append(list, compare.Entry{Xlated: e.Xlated, Jitted: e.Jitted})
		}
		seen.Tables = append(seen.Tables, list)
	}
	known := false
	for _, o := range compare.Predicted(a, seen) {
		known = known || o.Known
		if o.Known && !o.Same && !live.Blinds() {
			t.Errorf("%s: %s", o.What, o.Detail)
		}
	}
	return known
}

// TestChangedByteIsFound demands that the comparison is one: each changed byte
// of the kernel's code must be noticed, or be among the inputs that the result
// says were read from the code itself.
func TestChangedByteIsFound(t *testing.T) {
	testenv.NeedKernel(t)
	k := live.NewKernel()
	prof := hostProfile(t, k)
	o := objects(t, "corpus/out-plain/08_two_tables_one_gotox.o")[0]
	lp, err := live.Load(o.Programs[0], live.LoadOptions{License: o.License, Types: o.types}, k)
	if err != nil {
		t.Fatal(err)
	}
	c := lp.Capture
	notes := c.Compare(prof).Recovered
	taken := 0
	for i := range c.Code {
		changed := *c
		changed.Code = slices.Clone(c.Code)
		changed.Code[i] ^= 0x11
		res := changed.Compare(prof)
		switch {
		case res.Match != replay.Same:
		case slices.Equal(res.Recovered, notes):
			t.Errorf("byte +%#x may be anything, and nothing says so", i)
		default:
			taken++ // an odd frame size, say: the program does not contradict it
		}
	}
	const most = 4 // the bytes of the frame's size
	if taken > most {
		t.Errorf("%d changed bytes were taken for inputs", taken)
	}
}

// TestOpen loads programs as other loaders do, with source lines, and reads them
// back by number and by name: subprograms, lines and maps must be those of the
// source. Nothing may be left when it is over.
func TestOpen(t *testing.T) {
	testenv.NeedKernel(t)
	k := live.NewKernel()
	prof := hostProfile(t, k)
	list := objects(t, "corpus/out-plain/1[39]_*.o")
	if prof.Gotox {
		list = append(list, objects(t, "corpus/out/19_*.o")...) // with a jump table
	}
	for _, o := range list {
		p := o.Programs[0]
		lp, unload, err := live.Hold(p, live.LoadOptions{License: o.License, Types: o.types, SourceLines: true}, k)
		if err != nil {
			t.Fatal(err)
		}
		func() {
			defer unload()
			got, err := live.Open(fmt.Sprint(lp.ID), k)
			if err != nil {
				t.Fatal(err)
			}
			same(t, got.Capture, prof)
			asSource(t, got.Program, p)
			if _, err := live.Open("name="+p.Name, k); err != nil && !strings.Contains(err.Error(), "programs have this name") {
				t.Errorf("by name: %v", err)
			}
			runsThrough(t, got, prof)
		}()
		gone(t, lp.ID)
	}
}

// asSource compares a program that was read with its source.
func asSource(t *testing.T, got, src *bytecode.Program) {
	t.Helper()
	if !got.Rewritten || got.Name != src.Name || got.Type != src.Type {
		t.Errorf("rewritten %t, name %q, type %q; the source has %q, %q", got.Rewritten, got.Name, got.Type, src.Name,
			src.Type)
	}
	names := func(p *bytecode.Program) []string {
		var out []string
		for _, s := range p.Subprogs {
			out = append(out, s.Name)
		}
		return out
	}
	if !slices.Equal(names(got), names(src)) {
		t.Errorf("functions %q, the source has %q", names(got), names(src))
	}
	lines := map[bytecode.Line]bool{}
	for _, l := range src.Lines {
		l.PC = 0
		lines[l] = true
	}
	if len(got.Lines) < len(src.Lines)/2 {
		t.Errorf("%d lines, the source has %d", len(got.Lines), len(src.Lines))
	}
	for _, l := range got.Lines {
		if l.PC = 0; !lines[l] {
			t.Errorf("line %+v is not one of the source", l)
		}
	}
	for _, m := range got.Maps {
		if !slices.ContainsFunc(src.Maps, func(s bytecode.Map) bool {
			return s.Name == m.Name &&
				s.ValueSize == m.ValueSize
		}) {
			t.Errorf("map %q of %d bytes is not one of the source", m.Name, m.ValueSize)
		}
	}
}

// runsThrough demands that a program of the kernel gets through the whole line,
// with the kernel's own code at its end.
func runsThrough(t *testing.T, lp *live.Program, prof jit.Profile) {
	t.Helper()
	a, err := compare.Compiled(lp.Program, lp.Capture.Compare(prof), lp.Capture.Code)
	if err != nil || a.ImageErr != nil {
		t.Fatalf("%v %v", err, a.ImageErr)
	}
	if string(a.Image.Code) != string(lp.Capture.Code) {
		t.Error("the image does not have the kernel's bytes")
	}
	for _, in := range a.Succ.Indirect {
		if len(in.Range) == 0 {
			t.Errorf("the indirect jump at %d has no targets: %s", in.PC, in.Reason)
		}
	}
	for i, b := range a.Graph.Blocks {
		if !a.Succ.Facts.Reached(b.Start) {
			t.Errorf("block %d of a program without dead code cannot be reached", i)
		}
	}
	if b, err := pipeline.Run(lp.Program, prof, rewrite.Options{}); err != nil || !errors.Is(b.RewriteErr,
		pipeline.ErrRewritten) {
		t.Errorf("a rewritten program is rewritten again: %v %v", err, b.RewriteErr)
	}
}

// gone demands that a program is not loaded any more. The kernel takes a moment.
func gone(t *testing.T, id uint32) {
	t.Helper()
	for range 100 {
		ids, err := live.IDs()
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(ids, id) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("program %d is still loaded", id)
}

// TestRefused demands clear words for what the kernel or the loader refuses.
func TestRefused(t *testing.T) {
	testenv.NeedKernel(t)
	exit := bytecode.Insn{Code: bytecode.CodeExit}
	one := func(p bytecode.Program) *bytecode.Program {
		p.Subprogs = []bytecode.Subprogram{{Name: "f", End: bytecode.PC(len(p.Insns))}}
		return &p
	}
	wide := []bytecode.Insn{{Code: bytecode.CodeLdImm64, Dst: 1, Src: bytecode.LdMapFD}, {}, {Code: 0xb7}, exit}
	tests := []struct {
		name string
		p    *bytecode.Program
		want string
	}{
		{"no type", one(bytecode.Program{Insns: []bytecode.Insn{{Code: 0xb7}, exit}}), "type is unknown"},
		{"type that is none", one(bytecode.Program{Type: "nonsense", Insns: []bytecode.Insn{{Code: 0xb7}, exit}}),
			"nonsense"},
		{"no result", one(bytecode.Program{Type: "xdp", Insns: []bytecode.Insn{exit}}), "EACCES: R0 !read_ok"},
		{"opcode", one(bytecode.Program{Type: "xdp", Insns: []bytecode.Insn{{Code: 0x8d}, exit}}),
			"EINVAL: unknown opcode 8d"},
		{"field relocation", one(bytecode.Program{Type: "xdp", Insns: []bytecode.Insn{{Code: 0xb7}, exit},
			Relocs: []bytecode.Reloc{{PC: 0, Kind: bytecode.RelocCORE, Part: bytecode.PartImm}}}), "CO-RE"},
		{"map of maps", one(bytecode.Program{Type: "xdp", Insns: wide, Maps: []bytecode.Map{{Name: "m", Type: 12}},
			Refs: []bytecode.Ref{{PC: 0, Kind: bytecode.RefMap}}}), "inner maps is not known"},
		{"map without definition", one(bytecode.Program{Type: "xdp", Insns: wide, Maps: []bytecode.Map{{Name: "m"}},
			Refs: []bytecode.Ref{{PC: 0, Kind: bytecode.RefMap}}}), "not known"},
		{"kernel function", one(bytecode.Program{Type: "xdp", Insns: []bytecode.Insn{{Code: bytecode.CodeCall, Src: 2}, exit},
			Refs: []bytecode.Ref{{PC: 0, Kind: bytecode.RefKfunc, Name: "no_such_function"}}}), "no_such_function"},
	}
	for _, tt := range tests {
		if _, err := live.Load(tt.p, live.LoadOptions{}, live.NewKernel()); err == nil || !strings.Contains(err.Error(),
			tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}
