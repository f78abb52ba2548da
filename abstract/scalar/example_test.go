package scalar_test

import (
	"fmt"

	"github.com/bpfcfg/bpfcfg/abstract/scalar"
)

// The index of a jump table: if r1 > 4 goto out; r1 <<= 3.
func Example() {
	r1, _, possible := scalar.Refine(scalar.JGT.Negate(), false, scalar.Unknown(), scalar.Const(4))
	r1 = scalar.ALU(scalar.Lsh, false, r1, scalar.Const(3))
	members, _ := r1.Enumerate(10)
	fmt.Println(possible, r1.Umax(), r1.Var, members)
	// Output: true 32 (0x0; 0x38) [0 8 16 24 32]
}

// A bit test that fails: the kernel forgets that the index is at most 5, and
// would read one entry more.
func ExampleRefine() {
	index := scalar.ALU(scalar.And, false, scalar.Unknown(), scalar.Const(7))
	index, _, _ = scalar.Refine(scalar.JLE, false, index, scalar.Const(5))
	ours, _, _ := scalar.Refine(scalar.JNSET, false, index, scalar.Const(1))
	kernel, _ := scalar.KernelRefine(scalar.JNSET, false, index, scalar.Const(1))
	fmt.Println(ours.Umax(), kernel.Umax())
	// Output: 4 6
}
