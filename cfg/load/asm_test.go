package load

import (
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/google/go-cmp/cmp"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
	"github.com/bpfcfg/bpfcfg/internal/testing/wellformed"
)

// TestFromAsmObject compares with the instructions that cilium/ebpf reads from
// objects without jump tables, which are all it can read.
func TestFromAsmObject(t *testing.T) {
	programs := 0
	for _, path := range testenv.Glob(t, "corpus/out-plain/*.o") {
		spec, err := ebpf.LoadCollectionSpec(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range loadFile(t, path).Programs {
			p, err := FromAsm(spec.Programs[want.Name].Instructions)
			if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			if err := wellformed.Check(p); err != nil {
				t.Fatal(err)
			}
			// Cilium leaves out the linking of maps, and orders functions its own way.
			if len(want.Subprogs) == 1 {
				if d := cmp.Diff(want.Insns, p.Insns); d != "" {
					t.Errorf("%s: %s: %s", path, want.Name, d)
				}
				if d := cmp.Diff(want.Lines, p.Lines); d != "" {
					t.Errorf("%s: %s: %s", path, want.Name, d)
				}
			}
			if len(want.Subprogs) != len(p.Subprogs) || p.Subprogs[0].Name != want.Name {
				t.Errorf("%s: %s: %v, want %v", path, want.Name, p.Subprogs, want.Subprogs)
			}
			programs++
		}
	}
	if programs < 15 {
		t.Errorf("only %d programs", programs)
	}
}

// TestAsmRoundTrip checks that a program survives the way to cilium/ebpf and back.
func TestAsmRoundTrip(t *testing.T) {
	for _, path := range append(testenv.Glob(t, "corpus/out/*.o"), "testdata/order.o", "testdata/data.o") {
		for _, want := range loadFile(t, path).Programs {
			insns, err := ToAsm(want)
			if err != nil {
				t.Fatal(err)
			}
			p, err := FromAsm(insns)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want.Insns, p.Insns); d != "" {
				t.Errorf("%s: %s: %s", path, want.Name, d)
			}
			for i, s := range p.Subprogs {
				if hasCallx(want) {
					break // functions that only data points at cannot be told from labels
				}
				w := want.Subprogs[i]
				if s.Name != w.Name || s.Start != w.Start || s.End != w.End {
					t.Errorf("%s: %s: subprogram %+v, want %+v", path, want.Name, s, w)
				}
			}
		}
	}
}

// TestFromAsmBuilt checks instructions made by cilium's constructors: the
// sub-opcodes, as RFC 9669 encodes them, and references by symbol.
func TestFromAsmBuilt(t *testing.T) {
	p, err := FromAsm(asm.Instructions{
		asm.Mov.Imm(asm.R1, 3).WithSymbol("main"),
		asm.SDiv.Reg(asm.R1, asm.R2),
		asm.MovSX16.Reg(asm.R1, asm.R2),
		asm.FetchAdd.Mem(asm.R1, asm.R2, asm.DWord, 8),
		asm.LoadMapPtr(asm.R1, 0).WithReference("m"),
		asm.Ja.Label("out"),
		asm.Call.Label("sub"),
		asm.Return().WithSymbol("out"),
		asm.Mov.Imm(asm.R0, 0).WithSymbol("sub"),
		asm.Return(),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := wellformed.Check(p); err != nil {
		t.Fatal(err)
	}
	want := decodeHex(t, strings.Join(strings.Fields(`
		b701000003000000 3f21010000000000 bf21100000000000 db21080001000000
		1811000000000000 0000000000000000 0500010000000000 8510000001000000
		9500000000000000 b700000000000000 9500000000000000`), ""))
	if d := cmp.Diff(want, p.Insns); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]bytecode.Subprogram{{Name: "main", End: 9}, {Name: "sub", Start: 9, End: 11}}, p.Subprogs); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]bytecode.Ref{{PC: 4, Kind: bytecode.RefMap}}, p.Refs); d != "" {
		t.Error(d)
	}
	p, err = FromAsm(asm.Instructions{asm.Call.Label("nowhere"), asm.Return()})
	if err != nil || p.PendingAt(0) != bytecode.PartCall || p.Refs[0].Name != "nowhere" {
		t.Errorf("call of an undefined symbol: %v, %+v", err, p)
	}
}
