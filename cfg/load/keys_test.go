package load

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/testing/wellformed"
)

// TestStaticKeys checks keys against testdata/keys.s: a key used by two programs
// and a subprogram of both, another by one of them.
func TestStaticKeys(t *testing.T) {
	o := loadFile(t, "testdata/keys.o")
	for name, want := range map[string][]bytecode.Key{
		"one": {{Name: "fast", Jumps: []bytecode.KeyJump{{PC: 1, Next: 2, Target: 4, Taken: true},
			{PC: 6, Next: 7, Target: 8, Taken: true}}}},
		"two": {
			{Name: "slow", Jumps: []bytecode.KeyJump{{PC: 1, Next: 2, Target: 3}}},
			{Name: "fast", Jumps: []bytecode.KeyJump{{PC: 3, Next: 4, Target: 5}, {PC: 7, Next: 8, Target: 9, Taken: true}}},
		},
	} {
		p := program(t, o, name)
		if d := cmp.Diff(want, bytecode.Keys(p)); d != "" {
			t.Errorf("%s: %s", name, d)
		}
		if err := wellformed.Check(p); err != nil {
			t.Error(err)
		}
	}
	diags := strings.Join(program(t, o, "two").Diags, "\n")
	for _, want := range []string{
		`slot 5: static key "odd" lists an instruction that is no such jump`,
		`slot 3: belongs to two static keys, "fast" and "odd"`,
	} {
		if !strings.Contains(diags, want) {
			t.Errorf("no diagnostic %q in %q", want, diags)
		}
	}
	if d := program(t, o, "one").Diags; len(d) > 0 {
		t.Errorf("one: %q", d)
	}
}
