package kernel_test

import (
	"fmt"

	"github.com/bpfcfg/bpfcfg/cfg/kernel"
)

func Example() {
	v, err := kernel.Parse("6.19.14+deb13-cloud-amd64")
	if err != nil {
		fmt.Println(err)
		return
	}
	f := kernel.Of(v)
	fmt.Println(f.Has(kernel.Gotox), f.Has(kernel.EndbrTargets))
	// Output: true false
}
