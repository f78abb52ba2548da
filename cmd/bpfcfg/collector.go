package main

import (
	"os"
	"runtime"
	"runtime/debug"
)

// By default the heap may double before Go's collector runs. That is too early for a small
// heap: a run over one object would collect every four megabytes, although everything it
// ever allocates would fit. For a large heap it is more than most machines can spare.
const (
	smallHeap = 32 << 20  // bytes up to which the heap may grow in any case
	roomyHeap = 96 << 20  // bytes in use up to which it may grow to three times as much
	largeHeap = 160 << 20 // bytes in use from which on it grows only by half

	// wantedMemory is the limit for the process as long as that suffices: a program of a million
	// instructions is to be checked in 600 megabytes.
	wantedMemory = 500 << 20
)

// growth returns the percentage of the memory in use by which the heap may grow before it is
// collected.
func growth(inUse uint64) int {
	switch {
	case inUse >= largeHeap:
		return 50
	case inUse >= roomyHeap:
		return 100
	}
	return int(max(200, 100*smallHeap/max(inUse, smallHeap>>3)))
}

// limit returns how many bytes the process may use before garbage is collected regardless of
// growth.
func limit(inUse uint64) int64 { return int64(max(wantedMemory, inUse+inUse/8)) }

// tuneCollector sets the collector to growth and limit, now and after each collection, unless the
// environment sets the collector.
func tuneCollector() {
	if os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetGCPercent(growth(0))
		debug.SetMemoryLimit(limit(0))
		afterCollection(new(collection), growth(0))
	}
}

// collection is garbage that is found by the next collection.
type collection struct{ _ [32]byte }

// afterCollection sets the collector again when a collection finds c.
func afterCollection(c *collection, old int) {
	runtime.SetFinalizer(c, func(c *collection) {
		var m runtime.MemStats // package runtime/metrics makes tables when a program starts
		runtime.ReadMemStats(&m)
		now := growth(m.NextGC * 100 / uint64(100+old))
		if now != old {
			debug.SetGCPercent(now)
		}
		if m.HeapAlloc > wantedMemory/2 {
			debug.SetMemoryLimit(limit(m.HeapAlloc))
		}
		afterCollection(c, now)
	})
}
