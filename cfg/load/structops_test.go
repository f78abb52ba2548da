package load

import (
	"fmt"
	"testing"
)

// TestStructOps checks to which member of its structure each struct_ops program is assigned: the
// structure in testdata/graph/ops.c has ssthresh, cong_avoid and undo_cwnd, in this order.
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
