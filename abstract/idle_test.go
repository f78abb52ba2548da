package abstract

import (
	"testing"

	"github.com/bpfcfg/bpfcfg/internal/testing/progen"
)

// TestIdle is TestWalkAll for programs in which slots of the stack are read, or not, in many ways.
func TestIdle(t *testing.T) {
	compared, shorter := 0, 0
	for seed := range uint64(500) {
		if whole, less := compareWalks(t, progen.Idle(seed), seed); whole {
			if compared++; less {
				shorter++
			}
		}
	}
	if compared < 200 || shorter < 150 {
		t.Error("the programs do not try it")
	}
	t.Logf("%d programs compared, the walk of %d was shorter", compared, shorter)
}
