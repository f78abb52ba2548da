package ebpfspec_test

import (
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/cfg/load/ebpfspec"
	"github.com/bpfcfg/bpfcfg/succ"
)

// A tool that loads objects with cilium/ebpf asks where the programs can go,
// before the kernel does.
func ExampleFromCollection() {
	spec, err := ebpf.LoadCollectionSpec("../../../testdata/corpus/out-plain/13_subprog_switch.o")
	if err != nil {
		fmt.Println(err)
		return
	}
	programs, err := ebpfspec.FromCollection(spec)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, p := range programs {
		r, err := succ.Resolve(p, succ.Options{})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(p.Type, p.Name, p.Len(), "slots,", len(p.Subprogs), "functions,", len(r.Graph.Blocks), "blocks")
		for _, m := range p.Maps {
			fmt.Println("  map", m.Name, m.ValueSize, "bytes")
		}
	}
	// Output:
	// syscall main_ 451 slots, 3 functions, 140 blocks
	//   map .bss 8 bytes
}

// A program that was built with cilium/ebpf, there and back.
func ExampleToSpec() {
	p, err := ebpfspec.FromSpec(&ebpf.ProgramSpec{
		Name: "count", Type: ebpf.XDP,
		Instructions: asm.Instructions{
			asm.FetchAdd.Mem(asm.R1, asm.R0, asm.DWord, 0), // cilium/ebpf 0.22 would forget the "fetch"
			asm.Return(),
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(p.Text(0))

	spec, err := ebpfspec.ToSpec(p)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(spec.Type, len(spec.Instructions), "instructions, immediate", spec.Instructions[0].Constant)
	// Output:
	// r0 = atomic64_fetch_add((u64 *)(r1 +0), r0)
	// XDP 2 instructions, immediate 1
}
