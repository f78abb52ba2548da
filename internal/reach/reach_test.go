package reach_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/bpfcfg/bpfcfg/internal/reach"
)

func Example() {
	calls := [][]int{{1}, {2}, nil, nil}
	fmt.Println(reach.From(calls, []bool{true, false, false, false}))
	fmt.Println(reach.To(calls, []bool{false, true, false, false}))
	// Output:
	// [true true true false]
	// [true true false false]
}

// TestCycle: a cycle and an edge to the node itself end, and the argument stays as it is.
func TestCycle(t *testing.T) {
	next := [][]int{{1}, {0, 1, 3}, {0}, {3}}
	from := []bool{true, false, false, false}
	if got := reach.From(next, from); !slices.Equal(got, []bool{true, true, false, true}) {
		t.Error(got)
	}
	if got := reach.To(next, from); !slices.Equal(got, []bool{true, true, true, false}) {
		t.Error(got)
	}
	if !slices.Equal(from, []bool{true, false, false, false}) {
		t.Error("the nodes that were given changed")
	}
}
