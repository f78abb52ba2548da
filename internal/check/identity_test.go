package check

import "testing"

// TestDeadIdentity: what is dead is in the fingerprint, so that an old baseline hides no
// code that dies later: other lines, other cases, other instructions where there are no
// lines.
func TestDeadIdentity(t *testing.T) {
	one, two := sourceLine{"a.c", 3, 1}, sourceLine{"a.c", 4, 2}
	r := &deadRegion{texts: map[sourceLine]string{one: "x++;", two: "y++;"}, shape: "exit\n"}
	bare := &deadRegion{texts: map[sourceLine]string{}, shape: "exit\n"}
	longer := &deadRegion{texts: map[sourceLine]string{}, shape: "call\nexit\n"}
	at := Finding{ID: DeadCode, Program: "p", Function: "f", Location: Location{File: "a.c", Line: 2, Text: "if (x) {"}}
	ids := map[string]string{}
	for name, id := range map[string]string{
		"one line": r.identity(at, []sourceLine{one}, ""), "another": r.identity(at, []sourceLine{two}, ""),
		"both": r.identity(at, []sourceLine{one, two}, ""), "a case": r.identity(at, []sourceLine{one}, "case 3"),
		"cases": r.identity(at, []sourceLine{one}, "cases 3-4"), "no lines": bare.identity(at, nil, ""),
		"no lines, more code": longer.identity(at, nil, ""),
	} {
		if other, ok := ids[id]; ok {
			t.Errorf("%s is the same finding as %s", name, other)
		}
		ids[id] = name
	}
}

// TestShape: numbers of an instruction and of names do not count, nor do their signs.
func TestShape(t *testing.T) {
	for text, want := range map[string]string{
		"":                             "",
		"r3 = *(u64 *)(r10 - 0x18)":    "r# = *(u# *)(r# - #)",
		"if w2 s> -8 goto +12 <L7>":    "if w# s> # goto # <L#>",
		"r1 += -+5":                    "r# += -#",
		".L.str.14 0x1fg":              ".L.str.# #g",
		"call bpf_map_lookup_elem#1":   "call bpf_map_lookup_elem##",
		"r0 = 0x10 ll; r4 <<= 32; 9a-": "r# = # ll; r# <<= #; #-",
	} {
		if got := shape(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
