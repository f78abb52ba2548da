package main

import (
	"slices"
	"sync/atomic"
	"testing"
	"time"
)

// Results come in order, no more than two a worker wait, and an end is an end.
func TestInOrder(t *testing.T) {
	for _, workers := range []int{1, 2, 7} {
		for _, n := range []int{0, 1, 5, 100} {
			var started, finished atomic.Int64
			var got, want []int
			inOrder(n, workers, func(i int) int {
				if ahead := started.Add(1) - finished.Load(); ahead > int64(2*workers+1) {
					t.Errorf("%d workers: %d results wait", workers, ahead)
				}
				time.Sleep(time.Duration((i*7)%5) * 100 * time.Microsecond)
				return i * i
			}, func(i, v int) bool {
				finished.Add(1)
				got = append(got, v)
				return true
			})
			for i := range n {
				want = append(want, i*i)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%d workers, %d things: %v", workers, n, got)
			}
		}
		var got []int
		inOrder(100, workers, func(i int) int { return i }, func(i, _ int) bool {
			got = append(got, i)
			return i < 3
		})
		if !slices.Equal(got, []int{0, 1, 2, 3}) {
			t.Errorf("%d workers: did not end: %v", workers, got)
		}
	}
}
