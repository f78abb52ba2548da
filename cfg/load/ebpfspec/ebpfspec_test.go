package ebpfspec

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
	"github.com/bpfcfg/bpfcfg/internal/testing/wellformed"
)

// object returns the programs of an object, by name.
func object(t *testing.T, path string) map[string]*bytecode.Program {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	o, err := load.ELF(path, data)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]*bytecode.Program{}
	for _, p := range o.Programs {
		out[p.Name] = p
	}
	return out
}

// TestFromCollection compares programs that cilium/ebpf read with the same ones
// as this project's own loader read them.
func TestFromCollection(t *testing.T) {
	programs, global := 0, 0
	others, err := filepath.Glob("../testdata/*.o")
	if err != nil {
		t.Fatal(err)
	}
	paths := append(testenv.Glob(t, "corpus/out-plain/*.o"), append(others, "testdata/global.o")...)
	for _, path := range paths {
		spec, err := ebpf.LoadCollectionSpec(path)
		if err != nil {
			t.Logf("%s: not for cilium/ebpf: %v", path, err)
			continue
		}
		got, err := FromCollection(spec)
		if errors.Is(err, ErrNotInSpec) && filepath.Base(path) == "exception.o" {
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		truth := object(t, path)
		for _, p := range got {
			want := truth[p.Name]
			if want == nil {
				t.Errorf("%s: %s is not a program", path, p.Name)
				continue
			}
			programs++
			global += sameProgram(t, path, want, p)
		}
	}
	if programs < 15 || global != 3 { // the functions of_* in testdata/global.c
		t.Errorf("only %d programs, %d global functions", programs, global)
	}
}

// sameProgram compares, and returns the number of global functions. Orders of
// functions and maps are each loader's own; that .data.rel.ro holds
// constants is told by its name.
func sameProgram(t *testing.T, path string, want, got *bytecode.Program) int {
	t.Helper()
	if err := wellformed.Check(got); err != nil {
		t.Errorf("%s: %v", path, err)
	}
	if got.Section != want.Section || got.Type != want.Type || got.Flags != want.Flags {
		t.Errorf("%s: %s: section %q, type %q, flags %#x; want %q, %q, %#x", path, want.Name, got.Section, got.Type,
			got.Flags, want.Section, want.Type, want.Flags)
	}
	if len(want.Subprogs) == 1 && len(want.Maps) == 0 {
		if d := cmp.Diff(want.Insns, got.Insns); d != "" {
			t.Errorf("%s: %s: %s", path, want.Name, d)
		}
		if d := cmp.Diff(want.Refs, got.Refs); d != "" {
			t.Errorf("%s: %s: %s", path, want.Name, d)
		}
	}
	byName := cmpopts.SortSlices(func(a, b bytecode.Map) bool { return a.Name < b.Name })
	if d := cmp.Diff(kernelRefs(want), kernelRefs(got)); d != "" {
		t.Errorf("%s: %s: %s", path, want.Name, d)
	}
	wantMaps := slices.Clone(want.Maps)
	for i := range wantMaps {
		wantMaps[i].Flags &^= 1 << 10 // BPF_F_MMAPABLE: libbpf maps data sections into memory, cilium/ebpf does not
	}
	if d := cmp.Diff(wantMaps, got.Maps, byName, cmpopts.IgnoreFields(bytecode.Map{}, "Symbols")); d != "" {
		t.Errorf("%s: %s: maps: %s", path, want.Name, d)
	}
	global := 0
	for _, w := range want.Subprogs {
		i := slices.IndexFunc(got.Subprogs, func(s bytecode.Subprogram) bool { return s.Name == w.Name })
		if i < 0 {
			t.Errorf("%s: %s: no function %s", path, want.Name, w.Name)
			continue
		}
		g := got.Subprogs[i]
		w.Start, w.End, g.Start, g.End = 0, 0, 0, 0
		w.From = 0 // a specification has copies, and not what they are copies of
		if d := cmp.Diff(w, g); d != "" {
			t.Errorf("%s: %s: %s", path, want.Name, d)
		}
		if g.Global && i > 0 {
			global++
		}
	}
	return global
}

// kernelRefs returns the kernel's functions and variables that a program refers
// to, sorted.
func kernelRefs(p *bytecode.Program) []string {
	var out []string
	for _, r := range p.Refs {
		if r.Kind == bytecode.RefKfunc || r.Kind == bytecode.RefKsym {
			out = append(out, fmt.Sprint(r.Kind, r.Name, p.Insns[r.PC].Imm))
		}
	}
	slices.Sort(out)
	return out
}

// TestRoundTrip takes every program of the corpus to a specification and back,
// and compares what cilium/ebpf would hand to the kernel with the program.
func TestRoundTrip(t *testing.T) {
	taken, refused := 0, map[error]int{}
	for _, path := range append(testenv.Glob(t, "corpus/out/*.o"), testenv.Glob(t, "corpus/out-plain/*.o")...) {
		for _, want := range object(t, path) {
			spec, err := ToSpec(want)
			switch {
			case errors.Is(err, ErrNotInSpec):
				refused[ErrNotInSpec]++
				continue
			case errors.Is(err, ErrEncoding):
				refused[ErrEncoding]++
				continue
			case err != nil:
				t.Errorf("%s: %v", path, err)
				continue
			}
			if len(want.Tables) > 0 {
				t.Errorf("%s: %s: jump tables are lost without a word", path, want.Name)
			}
			taken++
			got, err := FromSpec(spec)
			if err != nil {
				t.Errorf("%s: %v", path, err)
				continue
			}
			if d := cmp.Diff(want.Insns, got.Insns); d != "" {
				t.Errorf("%s: %s: %s", path, want.Name, d)
			}
			if got.Type != want.Type || got.Section != want.Section || got.Flags != want.Flags {
				t.Errorf("%s: %s: %q %q %#x", path, want.Name, got.Type, got.Section, got.Flags)
			}
			if !bytes.Equal(marshal(t, spec.Instructions), bytecode.Encode(want.Insns, binary.LittleEndian)) {
				t.Errorf("%s: %s: cilium/ebpf encodes something else", path, want.Name)
			}
		}
	}
	if taken < 20 || refused[ErrNotInSpec] < 20 {
		t.Errorf("%d programs taken, refused %v", taken, refused)
	}
}

// marshal returns what cilium/ebpf makes of instructions.
func marshal(t *testing.T, insns asm.Instructions) []byte {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("skipped: cilium/ebpf encodes calls of Linux on Linux alone")
	}
	var b bytes.Buffer
	for i := range insns {
		if _, err := insns[i].Marshal(&b, binary.LittleEndian); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

// TestEncoding demands of random instructions that each is refused or encoded
// as it was, and that both happen.
func TestEncoding(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	same, refused := 0, 0
	for range 20000 {
		in := bytecode.Insn{Code: uint8(r.Uint32()), Dst: bytecode.Reg(r.UintN(11)), Src: bytecode.Reg(r.UintN(11)),
			Off: []int16{0, 0, 1, 8, 16, 32, int16(r.Uint32())}[r.UintN(7)], Imm: int32(r.Uint32() >> r.UintN(32))}
		if in.Code == bytecode.CodeInvalid { // stands for the second half of a wide load
			continue
		}
		p := &bytecode.Program{Name: "p", Insns: []bytecode.Insn{in}}
		if in.IsWide() {
			p.Insns = append(p.Insns, bytecode.Insn{Imm: int32(r.Uint32())})
		}
		p.Subprogs = []bytecode.Subprogram{{Name: "p", End: p.Len()}}
		spec, err := ToSpec(p)
		if err != nil {
			refused++
			continue
		}
		if got := marshal(t, spec.Instructions); !bytes.Equal(got, bytecode.Encode(p.Insns, binary.LittleEndian)) {
			t.Fatalf("%+v: cilium/ebpf makes % x of it", in, got)
		}
		same++
	}
	if same < 1000 || refused < 100 {
		t.Errorf("%d the same, %d refused", same, refused)
	}
}

// TestException refuses a program whose exception callback cilium/ebpf has left
// after.
func TestException(t *testing.T) {
	spec, err := ebpf.LoadCollectionSpec("../testdata/exception.o")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := FromSpec(spec.Programs["thrower"]); !errors.Is(err, ErrNotInSpec) {
		t.Errorf("taken without its callback: %v", err)
	}
}

// TestRefusals distinguishes the errors.
func TestRefusals(t *testing.T) {
	body := asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()}
	if _, err := FromSpec(&ebpf.ProgramSpec{Name: "w", Type: ebpf.WindowsXDP, Instructions: body}); !errors.Is(err,
		ErrSystem) {
		t.Errorf("a program of Windows: %v", err)
	}
	wrong := []asm.Instruction{
		{OpCode: asm.InvalidOpCode},
		{OpCode: asm.Mov.Op(asm.ImmSource), Dst: 16},
		{OpCode: asm.Mov.Op(asm.ImmSource), Constant: 1 << 40},
		{OpCode: asm.SDiv.Op(asm.RegSource), Offset: 3},
		{OpCode: asm.FetchAdd.OpCode(asm.DWord), Constant: 0xe1}, // the immediate of an exchange
		asm.WindowsFnMapLookupElem.Call(),
	}
	for _, in := range wrong {
		_, err := FromSpec(&ebpf.ProgramSpec{Name: "w", Instructions: asm.Instructions{in, asm.Return()}})
		if !errors.Is(err, load.ErrAsm) {
			t.Errorf("%+v: %v", in, err)
		}
	}
	cast := []bytecode.Insn{{Code: 0xbf, Dst: 1, Src: 2, Off: 1, Imm: 1}, {Code: 0x95}} // addr_space_cast
	p := &bytecode.Program{Name: "c", Insns: cast, Subprogs: []bytecode.Subprogram{{Name: "c", End: 2}}}
	if _, err := ToSpec(p); !errors.Is(err, ErrEncoding) {
		t.Errorf("a cast between address spaces: %v", err)
	}
	p.Type = "new"
	if _, err := ToSpec(p); !errors.Is(err, ErrNotInSpec) {
		t.Errorf("an unknown type: %v", err)
	}
}

// TestAtomics repairs what the constructors of cilium/ebpf 0.22 leave without
// the immediate that RFC 9669 section 5.3 gives.
func TestAtomics(t *testing.T) {
	for want, op := range map[int32]asm.AtomicOp{0x00: asm.AddAtomic, 0x01: asm.FetchAdd, 0x41: asm.FetchOr,
		0x51: asm.FetchAnd, 0xa1: asm.FetchXor, 0xe1: asm.Xchg, 0xf1: asm.CmpXchg} {
		p, err := FromSpec(&ebpf.ProgramSpec{Name: "a", Instructions: asm.Instructions{
			op.Mem(asm.R1, asm.R2, asm.DWord, 8), asm.Return()}})
		if err != nil {
			t.Fatal(err)
		}
		if p.Insns[0].Imm != want {
			t.Errorf("%v: immediate %#x, want %#x", op, p.Insns[0].Imm, want)
		}
	}
}
