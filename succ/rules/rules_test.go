package rules

import (
	"encoding/binary"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// Short instructions of the cases.
var (
	exit   = bytecode.Insn{Code: bytecode.CodeExit}
	mov0   = bytecode.Insn{Code: 0xb7}
	goto0  = bytecode.Insn{Code: bytecode.CodeGoto}
	ld64   = bytecode.Insn{Code: bytecode.CodeLdImm64, Dst: 1}
	ld64hi = bytecode.Insn{}
)

// jump returns a goto with an offset, call a subprogram call.
func jump(off int16) bytecode.Insn {
	return bytecode.Insn{Code: bytecode.CodeGoto, Off: off}
}

func call(dist int32) bytecode.Insn {
	return bytecode.Insn{Code: bytecode.CodeCall, Src: bytecode.CallSubprogram, Imm: dist}
}

// TestSelftests holds programs and messages of Linux 7.3's own tests
// (tools/testing/selftests/bpf/progs/verifier_cfg.c, verifier_loops1.c and
// test_verifier's jump.c, calls.c and ld_imm64.c), in our own encoding.
func TestSelftests(t *testing.T) {
	for _, c := range []struct {
		name  string
		insns []bytecode.Insn
		want  string
	}{
		{"ok", []bytecode.Insn{mov0, exit}, ""},
		{"unreachable", []bytecode.Insn{exit, exit}, "unreachable insn 1"},
		{"unreachable2", []bytecode.Insn{jump(1), mov0, exit}, "unreachable insn 1"},
		{"out of range jump", []bytecode.Insn{jump(1), exit}, "jump out of range from insn 0 to 2"},
		{"out of range jump2", []bytecode.Insn{jump(-2), exit}, "jump out of range from insn 0 to -1"},
		{"loop (back-edge)", []bytecode.Insn{jump(-1), exit}, "unreachable insn 1"},
		{"no exit", []bytecode.Insn{mov0, mov0}, "last insn is not an exit or jmp"},
		{"half a load", []bytecode.Insn{mov0, ld64}, "invalid bpf_ld_imm64 insn"},
		{"into a load", []bytecode.Insn{
			{Code: 0x15, Off: 1}, ld64, ld64hi, mov0, exit,
		}, "jump into the middle of ldimm64 insn 1"},
		{"recursion", []bytecode.Insn{call(1), exit, call(-1), exit}, "recursive call from () to ()"},
		{"nowhere", []bytecode.Insn{call(5), exit}, "call to invalid destination"},
		{"callx", []bytecode.Insn{{Code: bytecode.CodeCallx, Dst: 1}, exit}, "unknown opcode 8d"},
		{"goto +0", []bytecode.Insn{mov0, goto0, exit}, ""},
		{"gotox without a table", []bytecode.Insn{{Code: bytecode.CodeGotox}},
			"no jump tables found for subprog starting at 0"},
	} {
		p := &bytecode.Program{Insns: c.insns}
		p.Subprogs = []bytecode.Subprogram{{Start: 0, End: p.Len()}}
		v := Linux73().Static(p)
		if v.Accept != (c.want == "") || v.Message != c.want {
			t.Errorf("%s: accept %v, %q; want %q", c.name, v.Accept, v.Message, c.want)
		}
	}
}

// FuzzStatic states that every program has a verdict, and that a refusal comes
// with a message and an instruction of the program or none.
func FuzzStatic(f *testing.F) {
	f.Add([]byte{0x85, 0x10, 0, 0, 1, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0, 0x0d, 0, 0, 0, 0, 0, 0, 0}, uint8(2))
	f.Fuzz(func(t *testing.T, data []byte, target uint8) {
		data = data[:len(data)/8*8]
		insns, err := bytecode.Decode(data, binary.LittleEndian)
		if err != nil || len(insns) == 0 {
			return
		}
		p := &bytecode.Program{Insns: insns, Tables: []bytecode.JumpTable{
			{Targets: []bytecode.PC{bytecode.PC(target), 0}, FDArray: true},
		}}
		p.Subprogs = []bytecode.Subprogram{{Start: 0, End: p.Len()}}
		v := Linux73().Static(p)
		if v.Accept != (v.Message == "") || v.PC < -1 || v.PC >= p.Len() {
			t.Fatalf("verdict %+v", v)
		}
	})
}
