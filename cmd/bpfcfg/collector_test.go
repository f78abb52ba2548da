package main

import "testing"

// TestGrowth: what is collected next is never below the small heap, and large heaps grow by
// half.
func TestGrowth(t *testing.T) {
	for inUse := uint64(1 << 20); inUse < 1<<40; inUse += inUse / 3 {
		next := inUse + inUse*uint64(growth(inUse))/100
		if inUse >= smallHeap>>3 && next < smallHeap {
			t.Errorf("with %d bytes in use the heap grows to %d", inUse, next)
		}
		if inUse >= largeHeap && next > inUse*3/2 {
			t.Errorf("with %d bytes in use the heap grows to %d", inUse, next)
		}
	}
}

// TestLimit: the limit is never below what is wanted, and leaves room above what is in use.
func TestLimit(t *testing.T) {
	for inUse := uint64(0); inUse < 1<<40; inUse += inUse/3 + 1<<20 {
		if l := limit(inUse); l < wantedMemory || l < int64(inUse+inUse/8) {
			t.Errorf("with %d bytes in use the limit is %d", inUse, l)
		}
	}
}
