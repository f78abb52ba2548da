package calls_test

import (
	"fmt"

	"github.com/bpfcfg/bpfcfg/abstract/calls"
)

func Example() {
	p, ok := calls.Helper(112) // bpf_probe_read_user
	fmt.Println(ok, p.Args[0].Use, p.Args[0].Size)
	q, ok := calls.Kfunc("bpf_iter_num_new")
	fmt.Println(ok, q.Args[0].Use, int(q.Args[0].Size))
	// Output:
	// true write next
	// true write 8
}
