package soundness

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/bpfcfg/bpfcfg/internal/testing/progen"
)

// TestStack executes programs that are all about what stack bytes hold.
func TestStack(t *testing.T) {
	rnd := rand.New(rand.NewPCG(*seedFlag, 8))
	var c total
	for i := 0; c.steps < *stepsFlag; i++ {
		seed := *seedFlag<<32 + uint64(i)
		s := &subject{name: fmt.Sprintf("stack, seed %d", seed), p: progen.Stack(seed, i%4 > 0), typ: "syscall"}
		for range 8 {
			ctx := make([]byte, 64)
			c.run(t, s, mutate(rnd, mutate(rnd, input{ctx: ctx})), rnd)
		}
	}
	c.report(t)
}
