package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestMaxFile gives files of 1 MiB and of a byte more to a run that takes 1 MiB:
// the second is refused for its size, whatever it holds.
func TestMaxFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "long")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"", "raw:", "record:"} {
		for _, tt := range []struct {
			size  int64
			large bool
		}{{1 << 20, false}, {1<<20 + 1, true}} {
			if err := os.Truncate(path, tt.size); err != nil {
				t.Fatal(err)
			}
			var out, errs bytes.Buffer
			status := run([]string{"list", "--max-file", "1", kind + path}, streams{out: &out, err: &errs})
			if strings.Contains(errs.String(), "larger than --max-file 1") != tt.large || tt.large && status != exitInput {
				t.Errorf("%s%d bytes: status %d: %s", kind, tt.size, status, &errs)
			}
		}
	}
}
