package load

import (
	"fmt"
	"testing"
)

// TestStructOps states that a struct_ops knows the member that it is set to: of
// testdata/graph/ops.c, whose structure has ssthresh, cong_avoid and undo_cwnd in order.
func TestStructOps(t *testing.T) {
	o := loadFile(t, "../../testdata/graph/ops.o")
	for name, want := range map[string]string{
		"half_ssthresh": "struct tcp_congestion_ops ssthresh 0",
		"half_avoid":    "struct tcp_congestion_ops cong_avoid 1",
		"half_undo":     "struct tcp_congestion_ops undo_cwnd 2",
		"route":         "  0", // another type
	} {
		p := program(t, o, name)
		if got := fmt.Sprintf("%s %s %d", p.AttachTo, p.AttachMember, p.AttachType); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
