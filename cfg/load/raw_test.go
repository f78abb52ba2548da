package load

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/testing/wellformed"
)

// rawSample calls a function, takes the address of one, and refers to a map
// and a kernel function; the calls out of the program are at the end.
const rawSample = `8510000009000000 1841000006000000 0000000000000000 1811000004000000 0000000000000000
	8520000022000000 183200002a000000 0000000000000000 9500000000000000 b700000001000000 9500000000000000
	8510000055000000 9500000000000000`

func TestRaw(t *testing.T) {
	p, err := Raw("x", []byte(rawSample), binary.LittleEndian)
	if err != nil {
		t.Fatal(err)
	}
	if err := wellformed.Check(p); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]bytecode.Subprogram{
		{Name: "x", Start: 0, End: 8}, {Start: 8, End: 10}, {Start: 10, End: 13},
	}, p.Subprogs); d != "" {
		t.Errorf("subprograms: %s", d)
	}
	if d := cmp.Diff([]bytecode.Ref{
		{PC: 1, Kind: bytecode.RefFunc, Index: 8},
		{PC: 3, Kind: bytecode.RefUnknown, Name: "map descriptor 4"},
		{PC: 5, Kind: bytecode.RefKfunc, Name: "kernel function 34"},
		{PC: 6, Kind: bytecode.RefBTFID, Index: 42},
	}, p.Refs); d != "" {
		t.Errorf("references: %s", d)
	}
	if d := cmp.Diff([]string{"slot 11: refers to a function at slot 97, outside of the program"}, p.Diags); d != "" {
		t.Errorf("diagnostics: %s", d)
	}
	bin, err := hex.DecodeString(strings.Join(strings.Fields(rawSample), ""))
	if err != nil {
		t.Fatal(err)
	}
	b, err := Raw("x", bin, binary.LittleEndian)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(p, b); d != "" {
		t.Errorf("text against binary: %s", d)
	}
	be, err := Raw("x", bytecode.Encode(p.Insns, binary.BigEndian), binary.BigEndian)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(p, be); d != "" {
		t.Errorf("little-endian against big-endian: %s", d)
	}
}

func TestRawErrors(t *testing.T) {
	for _, c := range []struct {
		name, data string
		want       error
	}{
		{"empty", "", ErrNoPrograms},
		{"half a slot", "\x95\x00\x00\x00", ErrTruncated},
		{"15 digits more", rawSample + "950000000000000", ErrTruncated},
		{"too long", strings.Repeat("\x95\x00\x00\x00\x00\x00\x00\x00", MaxInsns+1), ErrTooLarge},
	} {
		p, err := Raw("file", []byte(c.data), binary.LittleEndian)
		if p != nil || !errors.Is(err, c.want) || !strings.HasPrefix(err.Error(), "load file: ") {
			t.Errorf("%s: %v, %v; want %v", c.name, p, err, c.want)
		}
	}
	if _, err := Raw("file", []byte("\x7fELF\x02\x01\x01\x00"), binary.LittleEndian); err == nil ||
		!strings.Contains(err.Error(), "this is an ELF file") {
		t.Errorf("object: %v", err)
	}
}

// FuzzRaw checks that there is an error or a program that holds its
// invariants and encodes back to the input.
func FuzzRaw(f *testing.F) {
	f.Add([]byte(rawSample), false)
	f.Add([]byte("\x85\x10\x00\x00\xff\xff\xff\xff"), true)
	f.Fuzz(func(t *testing.T, data []byte, big bool) {
		var order binary.ByteOrder = binary.LittleEndian
		if big {
			order = binary.BigEndian
		}
		p, err := Raw("f", data, order)
		if (p == nil) == (err == nil) {
			t.Fatalf("%v and %v", p, err)
		}
		if err != nil {
			return
		}
		if err := wellformed.Check(p); err != nil {
			t.Fatal(err)
		}
		if !isHex(data) && string(bytecode.Encode(p.Insns, order)) != string(data) {
			t.Fatalf("%x does not encode back", data)
		}
	})
}
