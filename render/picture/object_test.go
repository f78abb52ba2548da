package picture

import "testing"

// TestTogether checks labels of lines that stand for several tail calls.
func TestTogether(t *testing.T) {
	for _, tt := range []struct {
		labels []string
		to     string
		want   string
	}{
		{[]string{"jmp[1]"}, "filter", "jmp[1]"},
		{[]string{"jmp[1]", "jmp[0]", "jmp[2]", "jmp[7]"}, "jmp", "[0-2, 7]"},
		{[]string{"jmp[0]", "jmp[1]", "jmp[?]"}, "jmp", "[0, 1, ?]"},
		{[]string{"a[0]", "b[0]", "b[1]"}, "p", "a[0], b[0, 1]"},
		{[]string{"ssthresh", "undo_cwnd"}, "p", "ssthresh, undo_cwnd"},
	} {
		if got := together(tt.labels, tt.to); got != tt.want {
			t.Errorf("%q to %s: %q, want %q", tt.labels, tt.to, got, tt.want)
		}
	}
}
