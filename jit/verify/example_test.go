package verify_test

import (
	"fmt"
	"os"

	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
	"github.com/bpfcfg/bpfcfg/jit/verify"
)

// Machine code is checked against the program that it was made from, and a
// changed bit is found.
func Example() {
	data, err := os.ReadFile("../../cmd/bpfcfg/sample/sample.o")
	if err != nil {
		fmt.Println(err)
		return
	}
	obj, err := load.ELF("sample.o", data)
	if err != nil {
		fmt.Println(err)
		return
	}
	p := obj.Programs[0]
	prof, err := jit.LookupProfile("linux-7.3")
	if err != nil {
		fmt.Println(err)
		return
	}
	a, err := pipeline.Run(p, prof, rewrite.Options{})
	if err != nil || a.ImageErr != nil {
		fmt.Println(err, a.ImageErr)
		return
	}
	x, img := a.Rewrite, a.Image
	fmt.Println(p.Len(), "slots,", len(x.Program.Insns), "after rewriting,", len(img.Code), "bytes of x86-64")
	fmt.Println(len(verify.Check(x.Program, img, pipeline.VerifyKernel(prof)).Mismatches), "mismatches")

	img.Code[40] ^= 1 // one bit of the machine code
	fmt.Println(verify.Check(x.Program, img, pipeline.VerifyKernel(prof)).Mismatches[0])
	// Output:
	// 57 slots, 53 after rewriting, 270 bytes of x86-64
	// 0 mismatches
	// classify: insn 5 (if r3 > r2 goto pc+26) at +0x28: cmp %rsi,%r10: should be cmp %rsi,%rdx
}
