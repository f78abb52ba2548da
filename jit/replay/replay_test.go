package replay_test

import (
	"path/filepath"
	"testing"

	"github.com/bpfcfg/bpfcfg/internal/testenv"
	"github.com/bpfcfg/bpfcfg/jit/replay"
)

func TestRecords(t *testing.T) {
	for _, path := range testenv.Glob(t, "records/*.json*") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			var n [3]int
			bad := 0
			for res, err := range replay.File(path, replay.Options{}) {
				if err != nil {
					t.Fatal(err)
				}
				n[res.Match]++
				if res.Match == replay.Differs && bad < 6 {
					bad++
					t.Errorf("%s %s: %s", res.Name, res.Profile, res.Reason)
				}
			}
			t.Logf("same %d, differs %d, unknown %d", n[replay.Same], n[replay.Differs], n[replay.Unknown])
		})
	}
}
