package jit_test

import (
	"fmt"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/jit"
)

func ExampleCompile() {
	prof, err := jit.LookupProfile("linux-7.3+plain")
	if err != nil {
		fmt.Println(err)
		return
	}
	img, err := jit.Compile(&jit.Program{
		Insns: []bytecode.Insn{
			{Code: 0x18, Dst: 1, Src: bytecode.LdMapFD, Imm: 3}, {}, // r1 = map
			{Code: 0x85, Imm: 5}, // call bpf_ktime_get_ns
			{Code: 0x95},         // exit
		},
		Funcs: []jit.Func{{Name: "entry", Start: 0, End: 4}},
		Refs: []bytecode.Ref{
			{PC: 0, Kind: bytecode.RefMap, Name: "counts"},
			{PC: 2, Kind: bytecode.RefHelper, Index: 5, Name: "bpf_ktime_get_ns"},
		},
	}, prof)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%x\n", img.Code)
	fmt.Println(img.Offsets)
	for _, r := range img.Relocs {
		fmt.Println(r.Offset, r.Size, r.Kind, r.Target)
	}
	// Output:
	// f30f1efa0f1f4400000f1f00554889e5f30f1efa48bf0000000000000000e800000000c9c3cc
	// [20 30 30 35]
	// 22 8 abs64 map counts
	// 31 4 rel32 bpf_ktime_get_ns
}
