package where

import (
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	tests := map[string]Position{
		"+0x20":                         {Offset: 0x20},
		" +32\n":                        {Offset: 32},
		"handler+0x8a0":                 {Name: "handler", Offset: 0x8a0},
		"bpf_prog_6deef7357e7b4530+0x1": {Tag: "6deef7357e7b4530", Offset: 1},
		"bpf_prog_6deef7357e7b4530_f+0x8a0/0x900":     {Tag: "6deef7357e7b4530", Name: "f", Offset: 0x8a0, Len: 0x900},
		"bpf_prog_0123456789abcdef_a_b+0x17f [bpf]":   {Tag: "0123456789abcdef", Name: "a_b", Offset: 0x17f},
		"bpf_prog_0123+0x1":                           {Name: "bpf_prog_0123", Offset: 1}, // a function's own name
		"0xffffffffc0001234":                          {Offset: 0xffffffffc0001234, Absolute: true},
		"bpf_prog_0123456789abcdef_main+0x1/0x2[bpf]": {Tag: "0123456789abcdef", Name: "main", Offset: 1, Len: 2},
	}
	for in, want := range tests {
		if got, err := Parse(in); err != nil || got != want {
			t.Errorf("%q: %+v, %v, want %+v", in, got, err, want)
		}
	}
	for in, want := range map[string]string{
		"":                 "want +0xOFF",
		"main":             "want +0xOFF",
		"0x20":             "want +0xOFF", // too short for an address
		"+0x20/":           "want +0xOFF",
		"+0x100000000":     "the offset does not fit in 32 bits",
		"+1/0x1ffffffff":   "the length does not fit in 32 bits",
		"+99999999999":     "the offset does not fit in 32 bits",
		"a b+0x1":          "want +0xOFF",
		"\u202e+0x1\nmore": "want +0xOFF",
	} {
		if _, err := Parse(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", in, err, want)
		}
	}
}
