package golden

import (
	"slices"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// TestWith changes one thing that is submitted beside the instructions, and expects it
// to be named.
func TestWith(t *testing.T) {
	base := func() *bytecode.Program {
		return &bytecode.Program{
			Type: "xdp", AttachType: 37,
			Maps: []bytecode.Map{
				{Name: "m", Type: 2, KeySize: 4, ValueSize: 8, MaxEntries: 4},
				{Name: ".rodata", Type: 2, ReadOnly: true, Value: []byte{1, 0, 0, 0, 2, 0, 0, 0, 9, 9, 9, 9, 9, 9, 9, 9},
					Symbols: []bytecode.DataSymbol{{Name: "a", Off: 0, Size: 4}, {Name: "b", Off: 4, Size: 4}}},
			},
			Relocs: []bytecode.Reloc{{Text: "offset of sock.sk_mark"}},
			Refs:   []bytecode.Ref{{Kind: bytecode.RefMapValue, Index: 1, Off: 4}},
		}
	}
	for _, c := range []struct {
		want   string
		change func(*bytecode.Program)
	}{
		{"type: tc attach 37 flags 0x0, was xdp", func(p *bytecode.Program) { p.Type = "tc" }},
		{"type: xdp attach 38", func(p *bytecode.Program) { p.AttachType = 38 }},
		{"type: xdp attach 37 flags 0x10", func(p *bytecode.Program) { p.Flags = 0x10 }},
		{"map:m: type 1", func(p *bytecode.Program) { p.Maps[0].Type = 1 }},
		{"map:m: type 2 key 8", func(p *bytecode.Program) { p.Maps[0].KeySize = 8 }},
		{"map:m: type 2 key 4 value 9", func(p *bytecode.Program) { p.Maps[0].ValueSize = 9 }},
		{"map:m: type 2 key 4 value 8 entries 5", func(p *bytecode.Program) { p.Maps[0].MaxEntries = 5 }},
		{"map:m: type 2 key 4 value 8 entries 4 flags 0x80", func(p *bytecode.Program) { p.Maps[0].Flags = 0x80 }},
		{"map:n is new", func(p *bytecode.Program) { p.Maps[0].Name = "n" }},
		{"map:m is gone", func(p *bytecode.Program) { p.Maps = p.Maps[1:] }},
		{"constant:.rodata:b: bytes 03000000., was bytes 02000000.", func(p *bytecode.Program) { p.Maps[1].Value[4] = 3 }},
		{"constant:.rodata: 16 bytes", func(p *bytecode.Program) { p.Maps[1].Value[15] = 0 }}, // of no variable
		{"relocations: 1 sha256", func(p *bytecode.Program) { p.Relocs[0].Text = "offset of sock.sk_type" }},
		{"references: 1 sha256", func(p *bytecode.Program) { p.Refs[0].Off = 0 }},
	} {
		p := base()
		c.change(p)
		cmp := &comparison{old: &File{With: with(base())}, new: &File{With: with(p)}}
		if !cmp.parts() || !slices.ContainsFunc(cmp.out, func(x Cause) bool { return strings.HasPrefix(x.Text, c.want) }) {
			t.Errorf("no cause says %q: %v", c.want, cmp.out)
		}
	}
	if same := (&comparison{old: &File{With: with(base())}, new: &File{With: with(base())}}); same.parts() {
		t.Errorf("the same program differs: %v", same.out)
	}
}
