package rules

import (
	"os"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
)

// TestUnwind states what kernels make of exceptions that go on at landing pads. Linux up
// to 7.3 refuses LLVM 24's instructions (verifier.c check_jmp_fields) and what only an
// exception reaches by LLVM 23's table, which it knows nothing of. No public tree decides
// what comes after: nothing is certain there.
func TestUnwind(t *testing.T) {
	for _, tt := range []struct {
		file, set, refuses, may string
		pc                      bytecode.PC
	}{
		{"clang23.o", "linux-6.12", "last insn is not an exit or jmp", "", 23},
		{"clang23.o", "linux-7.3", "last insn is not an exit or jmp", "", 23},
		{"clang23.o", "linux-next", "", "last insn is not an exit or jmp", 23},
		{"clang24.o", "linux-6.6", "unknown opcode e5", "", 2},
		{"clang24.o", "linux-6.12", "invalid may_goto off 24 imm 0", "", 2},
		{"clang24.o", "linux-7.3", "invalid may_goto imm 0", "", 2},
		{"clang24.o", "linux-next", "", UnwindText, 2},
	} {
		s, err := Lookup(tt.set)
		if err != nil {
			t.Fatal(err)
		}
		v, err := s.Judge(unwinding(t, tt.file))
		if err != nil {
			t.Fatal(err)
		}
		pc, may := v.PC, ""
		if v.May != nil {
			pc, may = v.May.PC, v.May.Message
		}
		if v.Message != tt.refuses || v.Accept != (tt.refuses == "") || may != tt.may || pc != tt.pc {
			t.Errorf("%s on %s: %+v, may %+v", tt.file, tt.set, v, v.May)
		}
	}
}

// TestUnwindOther checks that a program with landing pads can still be refused for
// certain: for what they change nothing about.
func TestUnwindOther(t *testing.T) {
	p := unwinding(t, "clang24.o")
	s, err := Lookup("linux-next")
	if err != nil {
		t.Fatal(err)
	}
	p.Insns[4].Dst = 12
	if v := s.Static(p); v.Accept || v.Message != "R12 is invalid" {
		t.Errorf("%+v", v)
	}
}

// unwinding loads a program of the case.
func unwinding(t *testing.T, file string) *bytecode.Program {
	t.Helper()
	data, err := os.ReadFile(testenv.Path(t, "cases/unwind/"+file))
	if err != nil {
		t.Fatal(err)
	}
	o, err := load.ELF(file, data)
	if err != nil {
		t.Fatal(err)
	}
	return o.Programs[0]
}
