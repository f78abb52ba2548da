package config

import (
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// TestKnow removes each range from each other one: the bytes that stay unknown are those of the set
// difference, each in one range.
func TestKnow(t *testing.T) {
	const bytes = 8
	in := func(x, off, size int64) bool { return off <= x && x < off+size }
	for a := range int64(bytes) {
		for n := int64(1); a+n <= bytes; n++ {
			for off := range int64(bytes) {
				for size := int64(1); off+size <= bytes; size++ {
					left := know([]bytecode.DataSymbol{{Name: "v", Off: a, Size: n}}, off, size)
					for x := range int64(bytes) {
						times, want := 0, 0
						for _, u := range left {
							if in(x, u.Off, u.Size) {
								times++
							}
						}
						if in(x, a, n) && !in(x, off, size) {
							want = 1
						}
						if times != want {
							t.Fatalf("[%d,+%d) without [%d,+%d) is %+v", a, n, off, size, left)
						}
					}
				}
			}
		}
	}
}
