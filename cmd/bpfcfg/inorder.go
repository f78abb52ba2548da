package main

import (
	"sync"
	"sync/atomic"
)

// inOrder works on n things, some at a time, and hands each result to done in the order of the
// things. At most two results per worker wait for their turn. It ends early when
// done returns false.
func inOrder[T any](n, workers int, work func(i int) T, done func(i int, v T) bool) {
	workers = max(1, min(workers, n))
	window := 2 * workers
	results := make([]chan T, window) // of the i-th thing: i modulo window
	for i := range results {
		results[i] = make(chan T, 1)
	}
	var stopped atomic.Bool
	free, next := make(chan struct{}, window), make(chan int)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := range next {
				results[i%window] <- work(i)
			}
		})
	}
	wg.Go(func() {
		defer close(next)
		for i := range n {
			free <- struct{}{}
			if stopped.Load() {
				return
			}
			next <- i
		}
	})
	defer wg.Wait()
	for i := range n {
		v := <-results[i%window]
		on := done(i, v)
		if !on {
			stopped.Store(true)
		}
		<-free
		if !on {
			return
		}
	}
}
