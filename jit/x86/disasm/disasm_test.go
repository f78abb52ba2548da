package disasm

import (
	"encoding/hex"
	"testing"
)

// TestDecode holds encodings from the Intel SDM volume 2, as GNU objdump prints
// them, except for nops, which are named by their length here.
func TestDecode(t *testing.T) {
	for _, c := range []struct{ bytes, text string }{
		{"f30f1efa", "endbr64"},
		{"f3480f1ef8", "ibhf"},
		{"90", "nop"},
		{"6690", "nop2"},
		{"0f1f00", "nop3"},
		{"0f1f440000", "nop5"},
		{"4889e5", "mov %rsp,%rbp"},
		{"ffe0", "jmp *%rax"},
		{"41ffe6", "jmp *%r14"},
		{"cc", "int3"},
		{"c9", "leaveq"},
		{"c3", "retq"},
		{"eb10", "jmp 0x12"},
		{"0f8500010000", "jne 0x106"},
		{"e8fbffffff", "callq 0x0"},
		{"c4e2e9f7f6", "shlxq %rdx,%rsi,%rsi"},
	} {
		b, err := hex.DecodeString(c.bytes)
		if err != nil {
			t.Fatal(err)
		}
		in, err := Decode(b, 0)
		if err != nil || in.Len != len(b) {
			t.Errorf("%s: length %d, %v", c.bytes, in.Len, err)
			continue
		}
		if in.Text != c.text {
			t.Errorf("%s: %q, want %q", c.bytes, in.Text, c.text)
		}
	}
}

func TestTarget(t *testing.T) {
	code, _ := hex.DecodeString("9090eb02")
	in, err := Decode(code, 2)
	if err != nil {
		t.Fatal(err)
	}
	if off, ok := in.Target(); !ok || off != 6 {
		t.Errorf("target %d %v, want 6", off, ok)
	}
	if in, _ := Decode(code, 0); in.IsEndbr() || !in.IsNop() {
		t.Errorf("90 is taken for something other than a nop: %+v", in)
	}
}

func FuzzAll(f *testing.F) {
	f.Add([]byte{0xf3, 0x0f, 0x1e, 0xfa, 0x90})
	f.Fuzz(func(t *testing.T, code []byte) {
		ins, err := All(code)
		end := 0
		for _, in := range ins {
			if in.Offset != end || in.Len <= 0 {
				t.Fatalf("instruction at %d of %d bytes, want one at %d", in.Offset, in.Len, end)
			}
			end += in.Len
		}
		if err == nil && end != len(code) {
			t.Fatalf("decoded %d of %d bytes without an error", end, len(code))
		}
	})
}
