package bytecode

import (
	"reflect"
	"testing"
)

// The four encodings of the RFC series, in its selftest's order: goto_or_nop,
// nop_or_goto, gotol_or_nop, nop_or_gotol. Other values of Src are no key.
func TestKeys(t *testing.T) {
	p := &Program{
		Insns: []Insn{
			{Code: CodeGoto, Src: 1, Off: 4}, {Code: CodeGoto, Src: 3, Off: 3}, {Code: CodeGotol, Src: 1, Imm: 2},
			{Code: CodeGotol, Src: 3, Imm: 1}, {Code: CodeGoto, Src: 2}, {Code: CodeExit},
		},
		KeySites: []KeySite{{0, "fast"}, {2, "slow"}, {3, "fast"}, {4, "odd"}},
	}
	want := []Key{
		{"fast", []KeyJump{{0, 1, 5, true}, {3, 4, 5, false}}},
		{"", []KeyJump{{1, 2, 5, false}}},
		{"slow", []KeyJump{{2, 3, 5, true}}},
	}
	if got := Keys(p); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := Keys(&Program{Insns: []Insn{{Code: CodeGoto, Src: 1}, {Code: CodeGoto, Src: 1}}}); len(got) != 2 {
		t.Errorf("two jumps without a key: %+v", got)
	}
}
