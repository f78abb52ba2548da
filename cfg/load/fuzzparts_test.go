package load

import (
	"bytes"
	"encoding/binary"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/internal/testing/wellformed"
)

// typesOf returns the contents of .BTF and .BTF.ext of an object.
func typesOf(f *testing.F, path string) (types, ext []byte) {
	f.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	e, err := parseELF(data)
	if err != nil {
		f.Fatal(err)
	}
	return e.sections[e.sectionNamed(".BTF")].data, e.sections[e.sectionNamed(".BTF.ext")].data
}

// FuzzBTFExt checks what is read of .BTF.ext, with the types that it refers to:
// records are in order of slots, lines at most one a slot, no more of them than
// there are bytes, and what they name can be looked up.
func FuzzBTFExt(f *testing.F) {
	for _, path := range []string{"testdata/library.o", "testdata/kernel.o", "testdata/order.be.o"} {
		types, ext := typesOf(f, path)
		f.Add(types, ext)
	}
	f.Fuzz(func(t *testing.T, types, ext []byte) {
		b, err := parseBTF(types, binary.LittleEndian)
		if err != nil {
			return
		}
		e, err := parseBTFExt(ext, b, func(name string) int { return len(name) % 3 })
		if (e == nil) == (err == nil) {
			t.Fatalf("%v and %v", e, err)
		}
		if err != nil {
			return
		}
		n := 0
		for _, v := range e.funcs {
			n += len(v)
			if !slices.IsSortedFunc(v, func(a, b funcInfo) int { return int(a.slot - b.slot) }) {
				t.Fatal("functions out of order")
			}
			for _, info := range v {
				b.args(info.typ, "xdp")
			}
		}
		for _, v := range e.lines {
			n += len(v)
			for i, info := range v {
				if i > 0 && v[i-1].slot >= info.slot {
					t.Fatal("two lines of a slot, or out of order")
				}
				if s := b.str(info.text); len(s) > maxName || strings.ContainsRune(s, 0) {
					t.Fatalf("text %q", s)
				}
			}
		}
		for _, v := range e.core {
			n += len(v)
			for _, info := range v {
				b.corePath(info)
			}
		}
		if n > len(ext)/8 {
			t.Fatalf("%d records in %d bytes", n, len(ext))
		}
	})
}

// FuzzFunctions checks what is read of the BTF of a loaded program.
func FuzzFunctions(f *testing.F) {
	types, _ := typesOf(f, "testdata/library.o")
	for id := range uint32(20) {
		f.Add(types, id, id+1, "xdp")
	}
	f.Fuzz(func(t *testing.T, types []byte, a, b uint32, progType string) {
		info := [][2]uint32{{7, a}, {0, b}, {7, b}}
		out, err := Functions(types, binary.LittleEndian, info, progType)
		if (out == nil) == (err == nil) {
			t.Fatalf("%v and %v", out, err)
		}
		for i, s := range out {
			if i > 0 && out[i-1].Start > s.Start || len(s.Args) > maxArgs || s.Args != nil && !s.Global {
				t.Fatalf("%+v", out)
			}
		}
		if again, _ := Functions(types, binary.LittleEndian, info, progType); !reflect.DeepEqual(out, again) {
			t.Fatal("a second run differs")
		}
	})
}

// FuzzAsm takes instructions that cilium/ebpf reads, turns them into a program
// and back: the program holds its invariants, and the way back gives it again.
func FuzzAsm(f *testing.F) {
	f.Add(straight(3))
	f.Add(append([]byte("\x85\x10\x00\x00\x01\x00\x00\x00\x95\x00\x00\x00\x00\x00\x00\x00"), straight(2)...))
	f.Fuzz(func(t *testing.T, code []byte) {
		insns, err := asm.AppendInstructions(nil, bytes.NewReader(code), binary.LittleEndian, "linux")
		if err != nil {
			return
		}
		p, err := FromAsm(insns)
		if (p == nil) == (err == nil) {
			t.Fatalf("%v and %v", p, err)
		}
		if err != nil {
			return
		}
		if err := wellformed.Check(p); err != nil {
			t.Fatal(err)
		}
		back, err := ToAsm(p)
		if err != nil {
			return
		}
		again, err := FromAsm(back)
		if err != nil || !reflect.DeepEqual(p.Insns, again.Insns) {
			t.Fatalf("%v: %v became %v", err, p.Insns, again.Insns)
		}
	})
}
