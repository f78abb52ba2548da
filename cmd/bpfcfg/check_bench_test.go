package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// BenchmarkCheck checks 200 objects: the corpus ten times over, with the given
// number of inputs at a time.
func BenchmarkCheck(b *testing.B) {
	dir := b.TempDir()
	files, err := filepath.Glob("../../testdata/corpus/out/*.o")
	if err != nil || len(files) == 0 {
		b.Fatal(err, files)
	}
	n := 0
	for n < 200 {
		data, err := os.ReadFile(files[n%len(files)])
		if err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%03d.o", n)), data, 0o600); err != nil {
			b.Fatal(err)
		}
		n++
	}
	for _, jobs := range []string{"1", "2", "4"} {
		b.Run("jobs-"+jobs, func(b *testing.B) {
			for b.Loop() {
				status := run([]string{"check", dir, "--jobs", jobs, "--fail-on", "never", "--format", "json"},
					streams{out: io.Discard, err: os.Stderr})
				if status != exitClean {
					b.Fatalf("status %d", status)
				}
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "objects/s")
		})
	}
}
