package stage

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg"
)

// TestListOnce repeats lists until the document is long, and then names the place.
func TestListOnce(t *testing.T) {
	long := make([]int, maxListed+1)
	for _, all := range []bool{false, true} {
		o := newOnceLists(all)
		if got, same := listOnce(o, []int{3, 4}, 7); same != nil || !slices.Equal(got, []int{3, 4}) {
			t.Errorf("first: %v, %v", got, same)
		}
		if got, same := listOnce(o, []int{3, 4}, 8); same != nil || len(got) != 2 {
			t.Errorf("in a short document: %v, %v", got, same)
		}
		listOnce(o, long, 9)
		got, same := listOnce(o, []int{3, 4}, 10)
		if all && (same != nil || len(got) != 2) || !all && (same == nil || *same != 7 || got != nil) {
			t.Errorf("in a long document, all %v: %v, %v", all, got, same)
		}
		if got, same := listOnce(o, []int{4, 3}, 11); same != nil || len(got) != 2 {
			t.Errorf("new: %v, %v", got, same)
		}
		fan := []cfg.Edge{{To: 3, Kind: cfg.Indirect}, {To: 4, Kind: cfg.Indirect}, {To: 5, Kind: cfg.FallThrough}}
		want := `[{"same":7,"kind":"indirect"},{"to":5,"kind":"fall-through"}]`
		if all {
			want = `[{"to":3,"kind":"indirect"},{"to":4,"kind":"indirect"},{"to":5,"kind":"fall-through"}]`
		}
		if text, _ := json.Marshal(o.edges(fan, 12)); string(text) != want {
			t.Errorf("edges, all %v: %s, want %s", all, text, want)
		}
	}
}
