package golden_test

import (
	"fmt"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/golden"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
	"github.com/bpfcfg/bpfcfg/succ"
)

// exampleLayout analyses and compiles a program without indirect jumps.
func exampleLayout(insns ...bytecode.Insn) (string, error) {
	p := &bytecode.Program{
		Name:     "f",
		Insns:    insns,
		Subprogs: []bytecode.Subprogram{{Name: "f", End: bytecode.PC(len(insns))}},
	}
	prof, err := jit.LookupProfile("linux-7.3")
	if err != nil {
		return "", err
	}
	r, err := succ.Resolve(p, succ.Options{})
	if err != nil {
		return "", err
	}
	x, err := rewrite.Predict(p, rewrite.Facts{}, prof, rewrite.Options{})
	if err != nil {
		return "", err
	}
	img, err := jit.Compile(x.Program, prof)
	if err != nil {
		return "", err
	}
	in := golden.Input{Program: p, Succ: r, Xlated: x.Xlated, Funcs: x.Program.Funcs, Image: img}
	return golden.Text(in), nil
}

func ExampleText() {
	text, err := exampleLayout(
		bytecode.Insn{Code: 0xb7, Dst: 0, Imm: 1},         // r0 = 1
		bytecode.Insn{Code: 0x15, Dst: 1, Off: 1, Imm: 0}, // if r1 == 0 goto +1
		bytecode.Insn{Code: 0xb7, Dst: 0, Imm: 2},         // r0 = 2
		bytecode.Insn{Code: 0x95},                         // exit
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(text)
	// Output:
	// # bpfcfg layout 2
	// profile linux-7.3
	// program f  insns 4  xlated 4  image 38  sha256 7fd5d4a4233ada9e  code bd22e8a7be39aec3
	// with type  \- attach 0 flags 0x0
	// func f  code +0x0..+0x26  38
	// b0    insn 0..1  code +0x14..+0x1e  10  741fa676  if r1 == 0x0 → b2 | b1
	// b1    insn 2..2  code +0x1e..+0x23  5  53a4dca0  → b2
	// b2    insn 3..3  code +0x23..+0x26  3  ef4b1330  exit
}

func ExampleCompare() {
	old, err := exampleLayout(bytecode.Insn{Code: 0xb7, Dst: 0, Imm: 1}, bytecode.Insn{Code: 0x95})
	if err != nil {
		fmt.Println(err)
		return
	}
	now, err := exampleLayout(bytecode.Insn{Code: 0xb7, Dst: 0, Imm: 1}, bytecode.Insn{Code: 0x07, Dst: 0, Imm: 1},
		bytecode.Insn{Code: 0x95})
	if err != nil {
		fmt.Println(err)
		return
	}
	a, err := golden.Parse(old)
	if err != nil {
		fmt.Println(err)
		return
	}
	b, err := golden.Parse(now)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, c := range golden.Compare(a, b) {
		fmt.Println(c)
	}
	// Output:
	// the program changed: 2 → 3 insns, 28 → 32 bytes of machine code
	// b0: its instructions changed, 2 → 3 slots, 8 → 12 bytes
}
