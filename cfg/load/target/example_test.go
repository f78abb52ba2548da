package target_test

import (
	"fmt"
	"os"

	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/cfg/load/target"
)

// An object as a loader changes it for a kernel, of which the types of another object stand
// here.
func Example() {
	const name = "../../../testdata/corpus/out/10_single_target.o"
	data, err := os.ReadFile(name)
	if err != nil {
		fmt.Println(err)
		return
	}
	object, err := load.ELF(name, data)
	if err != nil {
		fmt.Println(err)
		return
	}
	k, err := target.Read(name, data) // mostly vmlinux
	if err != nil {
		fmt.Println(err)
		return
	}
	made := k.Apply(object)
	fmt.Println(len(made.Programs) == len(object.Programs), len(made.Failed))
	// Output: true 0
}
