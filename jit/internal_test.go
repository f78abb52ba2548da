package jit

import (
	"errors"
	"fmt"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// TestPad checks which gaps a shrunken jump may leave: 4 in front of a
// conditional jump, 3 in front of a goto or later exit, 2 or 5 in place of a
// goto that vanished; anything else fails as in do_jit.
func TestPad(t *testing.T) {
	tests := []struct {
		name    string
		size    int32 // of the jump in its short form
		allowed paddings
		want    map[int32]string
	}{
		{"conditional", 2, padCond, map[int32]string{0: "", 4: "0f1f4000"}},
		{"goto", 2, padGoto, map[int32]string{0: "", 3: "0f1f00"}},
		{"vanished", 0, padNone, map[int32]string{0: "", 2: "6690", 5: "0f1f440000"}},
	}
	for _, tt := range tests {
		for gap := int32(-2); gap <= 8; gap++ {
			c := function{
				prog: &Program{}, fn: &Func{}, insns: make([]bytecode.Insn, 1),
				padding: true, addrs: []int32{100, 103 + tt.size + gap},
			}
			c.x.Put(1, 2, 3) // a comparison
			c.pad(tt.size, tt.allowed)
			want, ok := tt.want[gap]
			if got := fmt.Sprintf("%x", c.x.Bytes()[3:]); got != want || ok != (c.err == nil) {
				t.Errorf("%s, gap %d: %s, %v", tt.name, gap, got, c.err)
			}
			if !ok && !errors.Is(c.err, ErrPadding) {
				t.Errorf("%s, gap %d: %v", tt.name, gap, c.err)
			}
		}
	}
}

// TestParseVersion checks what counts as a release.
func TestParseVersion(t *testing.T) {
	tests := map[string]version{
		"7.3": 7003, "7.3.4": 7003, "6.19.14+deb13-cloud-amd64": 6019, "6.6-rc1": 6006, "10.0": 10000,
		"": 0, "7": 0, "a.b": 0, "7.": 0, "-1.2": 0, "7.1000": 0, "99999999.1": 0,
	}
	for s, want := range tests {
		if got := parseVersion(s); got != want {
			t.Errorf("parseVersion(%q) = %d, want %d", s, got, want)
		}
	}
}
