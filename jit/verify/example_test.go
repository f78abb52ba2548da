package verify_test

import (
	"fmt"
	"os"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
	"github.com/bpfcfg/bpfcfg/jit/verify"
	"github.com/bpfcfg/bpfcfg/succ"
)

// The whole line from an object to machine code that is checked: load, resolve,
// rewrite as the verifier does, compile, verify.
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
	r, err := succ.Resolve(p, succ.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	// What the verifier learned: where the program can be, how much stack it uses.
	facts := rewrite.Facts{Seen: make([]bool, p.Len()), IndirectTarget: make([]bool, p.Len())}
	for i := range p.Subprogs {
		facts.StackDepth = append(facts.StackDepth, r.Facts.StackDepth(i))
	}
	for pc := range facts.Seen {
		facts.Seen[pc] = r.Facts.Reached(bytecode.PC(pc))
	}
	for _, in := range r.Indirect {
		for _, to := range in.Range {
			facts.IndirectTarget[to] = true
		}
	}
	prof, err := jit.LookupProfile("linux-7.3")
	if err != nil {
		fmt.Println(err)
		return
	}
	x, err := rewrite.Predict(p, facts, prof, rewrite.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	img, err := jit.Compile(x.Program, prof)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(p.Len(), "slots,", len(x.Program.Insns), "after rewriting,", len(img.Code), "bytes of x86-64")
	fmt.Println(len(verify.Check(x.Program, img, prof).Mismatches), "mismatches")

	img.Code[40] ^= 1 // one bit of the machine code
	fmt.Println(verify.Check(x.Program, img, prof).Mismatches[0])
	// Output:
	// 57 slots, 53 after rewriting, 270 bytes of x86-64
	// 0 mismatches
	// classify: insn 5 (if r3 > r2 goto pc+26) at +0x28: cmp %rsi,%r10: should be CMP of RDX and RSI
}
