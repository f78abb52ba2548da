package interp_test

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/internal/testing/interp"
)

const exit = bytecode.CodeExit

// run runs instructions with a configuration.
func run(t *testing.T, p *bytecode.Program, cfg interp.Config, in interp.Input) (uint64, error) {
	t.Helper()
	vm, err := interp.New(p, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return vm.Run(in)
}

// TestErrors checks that what cannot be carried out is an error with its slot.
func TestErrors(t *testing.T) {
	array := []bytecode.Map{{
		Name: "m", Type: 2, KeySize: 4, ValueSize: 8, MaxEntries: 1, ReadOnly: true, Value: make([]byte, 8),
	}}
	value := []bytecode.Ref{{PC: 0, Kind: bytecode.RefMapValue}}
	for _, c := range []struct {
		name  string
		insns []bytecode.Insn
		want  string
	}{
		{"falls off the end", []bytecode.Insn{{Code: 0xb7}}, "slot 1: outside the program"},
		{"jumps before the start", []bytecode.Insn{{Code: 0x05, Off: -5}}, "slot -4: outside the program"},
		{"jumps just before the start", []bytecode.Insn{{Code: 0x05, Off: -2}}, "slot -1: outside the program"},
		{"endless loop", []bytecode.Insn{{Code: 0x05, Off: -1}}, "slot 0: step limit reached"},
		{"below the stack", []bytecode.Insn{{Code: 0x79, Src: 10, Off: -520}}, "offset -8 of stack frame 0"},
		{"above the stack", []bytecode.Insn{{Code: 0x79, Src: 10, Off: -4}}, "8 bytes at offset 508 of stack frame 0"},
		{"null pointer", []bytecode.Insn{{Code: 0xb7, Dst: 1}, {Code: 0x7a, Dst: 1}}, "slot 1: access to 0x0"},
		{"past the context", []bytecode.Insn{{Code: 0x71, Src: 1, Off: 8}}, "offset 8 of context, which has 8"},
		{"write to r10", []bytecode.Insn{{Code: 0xb7, Dst: 10}}, "write to register 10"},
		{"register 12", []bytecode.Insn{{Code: 0xbf, Dst: 12}}, "register 12 or 0 does not exist"},
		{"read-only map", []bytecode.Insn{{Code: 0x18, Dst: 1, Src: 2}, {}, {Code: 0x7a, Dst: 1}}, "read-only"},
		{"wide load at the end", []bytecode.Insn{{Code: 0x18, Dst: 1}}, "without a second slot"},
		{"jump to a number", []bytecode.Insn{{Code: bytecode.CodeGotox, Dst: 5}}, "jump to 0x0, which is no instruction"},
		{"unknown helper", []bytecode.Insn{{Code: 0x85, Imm: 77}}, "helper 77 is not modelled"},
		{"unknown kfunc", []bytecode.Insn{{Code: 0x85, Src: 2}}, `kernel function "" is not modelled`},
		{"no such code", []bytecode.Insn{{Code: 0x07, Off: 3}}, "no such operation"},
		{"no such load", []bytecode.Insn{{Code: 0x99, Src: 10, Off: -8}}, "no such load"},
		{"atomic on a byte", []bytecode.Insn{{Code: 0xd3, Dst: 10, Off: -8}}, "atomic operation on 1 bytes"},
		{"endless recursion", []bytecode.Insn{{Code: 0x85, Src: 1, Imm: -1}}, "more than 8 nested calls"},
	} {
		p := &bytecode.Program{Name: c.name, Insns: c.insns, Maps: array}
		if c.insns[0].Src == bytecode.LdMapValue && c.insns[0].IsWide() {
			p.Refs = value
		}
		_, err := run(t, p, interp.Config{Steps: 1000}, interp.Input{Ctx: make([]byte, 8)})
		var at *interp.Error
		if err == nil || !strings.Contains(err.Error(), c.want) || !errors.As(err, &at) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
	}
	if _, err := interp.New(&bytecode.Program{}, interp.Config{}); err == nil {
		t.Error("an empty program is taken")
	}
}

// TestEdges checks what observers see of a program with each kind of step.
func TestEdges(t *testing.T) {
	p := &bytecode.Program{
		Insns: []bytecode.Insn{
			{Code: 0xb7, Dst: 1, Imm: 2},         // 0: r1 = 2
			{Code: 0x15, Dst: 1, Imm: 2, Off: 1}, // 1: if r1 == 2 goto 3
			{Code: exit},
			{Code: 0x05, Off: 1}, // 3: goto 5
			{Code: exit},
			{Code: 0x85, Src: 1, Imm: 8}, // 5: call 14
			{Code: 0x18, Dst: 2, Src: 4}, // 6: r2 = function 14
			{},
			{Code: 0x85, Imm: 181},       // 8: call bpf_loop
			{Code: 0x18, Dst: 3, Src: 2}, // 9: r3 = table
			{},
			{Code: 0x79, Dst: 3, Src: 3}, // 11: r3 = *(u64 *)(r3 +0)
			{Code: bytecode.CodeGotox, Dst: 3},
			{Code: exit},                 // 13
			{Code: 0xb7, Dst: 0, Imm: 1}, // 14: r0 = 1
			{Code: exit},
		},
		Tables: []bytecode.JumpTable{{Name: "jt", Targets: []bytecode.PC{13}}},
		Refs: []bytecode.Ref{
			{PC: 6, Kind: bytecode.RefFunc, Index: 14}, {PC: 9, Kind: bytecode.RefTable},
		},
	}
	type step struct {
		from, to bytecode.PC
		kind     interp.EdgeKind
	}
	var got []step
	steps := 0
	r0, err := run(t, p, interp.Config{
		Helpers: interp.CommonHelpers(),
		OnStep:  func(bytecode.PC, *interp.Regs) { steps++ },
		OnEdge:  func(from, to bytecode.PC, k interp.EdgeKind) { got = append(got, step{from, to, k}) },
	}, interp.Input{})
	want := []step{
		{0, 1, interp.Next}, {1, 3, interp.Taken}, {3, 5, interp.Jump}, {5, 14, interp.Call}, {14, 15, interp.Next},
		{5, 6, interp.Return}, {6, 8, interp.Next}, {8, 14, interp.Callback}, {14, 15, interp.Next}, {8, 9, interp.Next},
		{9, 11, interp.Next}, {11, 12, interp.Next}, {12, 13, interp.Indirect},
	}
	if err != nil || r0 != 1 {
		t.Errorf("r0 = %d, %v; want 1: bpf_loop stops after one round", r0, err)
	}
	if !slices.Equal(got, want) || steps != 14 {
		t.Errorf("%d steps, edges %v, want %v", steps, got, want)
	}
}

// TestMayGoto checks the number of rounds: a budget of n lets may_goto go on n
// times.
func TestMayGoto(t *testing.T) {
	p := &bytecode.Program{Insns: []bytecode.Insn{
		{Code: 0xb7},                         // r0 = 0
		{Code: bytecode.CodeMayGoto, Off: 2}, // may_goto +2
		{Code: 0x07, Imm: 1},                 // r0 += 1
		{Code: 0x05, Off: -3},                // goto -3
		{Code: exit},
	}}
	for _, n := range []int{1, 7, 1000} {
		if r0, err := run(t, p, interp.Config{MayGoto: n}, interp.Input{}); err != nil || r0 != uint64(n) {
			t.Errorf("budget %d: r0 = %d, %v", n, r0, err)
		}
	}
}

// TestPacketLoad checks the legacy loads: high byte first, and R0 = 0 and the end
// of the function when there is no such byte (RFC 9669 section 5.6 and
// kernel/bpf/verifier.c check_ld_abs, Linux 7.3).
func TestPacketLoad(t *testing.T) {
	packet := []byte{1, 2, 3, 4, 5, 6}
	for _, c := range []struct {
		insn bytecode.Insn
		want uint64
	}{
		{bytecode.Insn{Code: 0x20, Imm: 1}, 0x1000000000000 | 0x02030405},
		{bytecode.Insn{Code: 0x28, Imm: 4}, 0x1000000000000 | 0x0506},
		{bytecode.Insn{Code: 0x30, Imm: 5}, 0x1000000000000 | 0x06},
		{bytecode.Insn{Code: 0x50, Src: 7, Imm: 1}, 0x1000000000000 | 0x04},
		{bytecode.Insn{Code: 0x20, Imm: 3}, 0},
		{bytecode.Insn{Code: 0x30, Imm: -1}, 0},
	} {
		p := &bytecode.Program{Insns: []bytecode.Insn{
			{Code: 0xb7, Dst: 7, Imm: 2}, c.insn,
			{Code: 0x18, Dst: 1}, {Imm: 1 << 16}, {Code: 0x4f, Dst: 0, Src: 1}, // r0 |= 1 << 48
			{Code: exit},
		}}
		if r0, err := run(t, p, interp.Config{}, interp.Input{Packet: packet}); err != nil || r0 != c.want {
			t.Errorf("%+v: r0 = %#x, %v, want %#x", c.insn, r0, err, c.want)
		}
	}
}

// TestStackArgs passes a sixth and a seventh argument (Linux 7.3).
func TestStackArgs(t *testing.T) {
	p := &bytecode.Program{Insns: []bytecode.Insn{
		{Code: 0xb7, Dst: 1, Imm: 5},
		{Code: 0x7b, Dst: 11, Src: 1, Off: -8},   // sixth
		{Code: 0x7a, Dst: 11, Off: -16, Imm: 70}, // seventh
		{Code: 0x85, Src: 1, Imm: 1},
		{Code: exit},
		{Code: 0x79, Dst: 0, Src: 11, Off: 8},
		{Code: 0x79, Dst: 2, Src: 11, Off: 16},
		{Code: 0x0f, Dst: 0, Src: 2},
		{Code: exit},
	}}
	if r0, err := run(t, p, interp.Config{}, interp.Input{}); err != nil || r0 != 75 {
		t.Errorf("r0 = %d, %v, want 75", r0, err)
	}
}

// TestHash checks a hash map through helpers: update, lookup, delete, and that
// it gets full.
func TestHash(t *testing.T) {
	p := &bytecode.Program{
		Insns: []bytecode.Insn{{Code: exit}},
		Maps:  []bytecode.Map{{Name: "h", Type: 1, KeySize: 2, ValueSize: 4, MaxEntries: 2}},
	}
	vm, err := interp.New(p, interp.Config{})
	if err != nil {
		t.Fatal(err)
	}
	h := vm.Map("h")
	if h.Lookup([]byte{1, 1}) != 0 {
		t.Error("an empty map has an element")
	}
	if !h.Update([]byte{1, 1}, []byte{9, 0, 0, 0}) || !h.Update([]byte{2, 2}, []byte{8, 0, 0, 0}) {
		t.Fatal("two elements do not fit")
	}
	if h.Update([]byte{3, 3}, []byte{7, 0, 0, 0}) {
		t.Error("a third element fits")
	}
	b, err := vm.Bytes(h.Lookup([]byte{1, 1}), 4, true)
	if err != nil || b[0] != 9 {
		t.Errorf("value %v, %v", b, err)
	}
	if h.Value(0) != nil {
		t.Error("a hash has elements by number")
	}
}

// FuzzRun checks that no program makes the interpreter panic or run for ever, and
// that an error names a slot.
func FuzzRun(f *testing.F) {
	for _, seed := range []struct{ code, ctx string }{
		{"\xb7\x00\x00\x00\x05\x00\x00\x00\x95\x00\x00\x00\x00\x00\x00\x00", "context!"},
		{"\x18\x12\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" +
			"\x8d\x01\x00\x00\x00\x00\x00\x00", ""},
		{"X\xf8000000", "0"}, // a register that does not exist, in a packet load
		{"\x85\x10\x00\x00\xff\xff\xff\xff\xc3\x1a\xf8\xff\x01\x01\x00\x00" +
			"\xe5\x00\xfe\xff\x00\x00\x00\x00", "\x01"},
	} {
		f.Add([]byte(seed.code), []byte(seed.ctx))
	}
	f.Fuzz(func(t *testing.T, code, ctx []byte) {
		p, err := load.Raw("fuzz", code, binary.LittleEndian)
		if err != nil {
			return
		}
		p.Maps = []bytecode.Map{
			{Name: "m", Type: 2, KeySize: 4, ValueSize: 8, MaxEntries: 3},
			{Name: "h", Type: 1, KeySize: 4, ValueSize: 8, MaxEntries: 3},
		}
		for pc, in := range p.Insns {
			if in.IsWide() && in.Src != 0 {
				p.Refs = append(p.Refs, bytecode.Ref{
					PC: bytecode.PC(pc), Kind: bytecode.RefKind(in.Src), Index: int(in.Imm), Off: int64(in.Off),
				})
			}
		}
		vm, err := interp.New(p, interp.Config{
			Helpers: interp.CommonHelpers(), Kfuncs: interp.CommonKfuncs(), Steps: 2000, CallNumbers: len(ctx)%2 == 0,
		})
		if err != nil {
			return
		}
		_, err = vm.Run(interp.XDPInput(ctx))
		var at *interp.Error
		if err != nil && !errors.As(err, &at) {
			t.Fatalf("error without a slot: %v", err)
		}
		if vm.Steps() > 2000 {
			t.Fatalf("%d steps", vm.Steps())
		}
	})
}

// BenchmarkRun measures a loop of arithmetic, loads and stores.
func BenchmarkRun(b *testing.B) {
	p := &bytecode.Program{Insns: []bytecode.Insn{
		{Code: 0xb7, Dst: 2, Imm: 100_000},
		{Code: 0x7b, Dst: 10, Src: 2, Off: -8},
		{Code: 0x79, Dst: 3, Src: 10, Off: -8},
		{Code: 0x0f, Dst: 0, Src: 3},
		{Code: 0x17, Dst: 2, Imm: 1},
		{Code: 0x55, Dst: 2, Off: -5},
		{Code: exit},
	}}
	vm, err := interp.New(p, interp.Config{})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := vm.Run(interp.Input{}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(vm.Steps()), "ns/insn")
}
