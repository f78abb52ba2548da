package load_test

import (
	"fmt"
	"os"

	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/load"
)

func ExampleELF() {
	data, err := os.ReadFile("../../testdata/corpus/out/17_range_checked.o")
	if err != nil {
		fmt.Println(err)
		return
	}
	obj, err := load.ELF("17_range_checked.o", data)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, p := range obj.Programs {
		fmt.Println(p.Section, p.Name, p.Len())
		for _, t := range p.Tables {
			fmt.Println(" ", t.Name, len(t.Targets), "entries")
		}
	}
	for _, f := range obj.Failed { // the others are usable all the same
		fmt.Println(f.Err)
	}
	// Output:
	// syscall below 22
	//   BPF.JT.0.0 6 entries
	// syscall between 30
	//   BPF.JT.1.0 8 entries
	// syscall capped 24
	//   BPF.JT.2.0 5 entries
}

// Instructions that were made or loaded with cilium/ebpf become a program.
func ExampleFromAsm() {
	p, err := load.FromAsm(asm.Instructions{
		asm.JEq.Imm(asm.R1, 0, "out"),
		asm.Mov.Imm(asm.R0, 1),
		asm.Return(),
		asm.Mov.Imm(asm.R0, 0).WithSymbol("out"),
		asm.Return(),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for pc := bytecode.PC(0); pc < p.Len(); pc += p.Insns[pc].Slots() {
		fmt.Println(pc, p.Text(pc))
	}
	// Output:
	// 0 if r1 == 0x0 goto pc+2
	// 1 r0 = 1
	// 2 exit
	// 3 r0 = 0
	// 4 exit
}

// A program becomes instructions of cilium/ebpf, here to print them.
func ExampleToAsm() {
	p := &bytecode.Program{
		Name:     "one",
		Insns:    []bytecode.Insn{{Code: 0xb7, Imm: 1}, {Code: 0x95}},
		Subprogs: []bytecode.Subprogram{{Name: "one", Start: 0, End: 2}},
	}
	insns, err := load.ToAsm(p)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(insns)
	// Output:
	// one:
	// 	0: MovImm dst: r0 imm: 1
	// 	1: Exit
}
