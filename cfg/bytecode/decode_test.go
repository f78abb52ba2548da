package bytecode

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"testing"
)

// The little-endian encodings are those of RFC 9669 section 3.1 and of clang
// 22 (gotox); the big-endian ones are what clang -target bpfeb makes of the
// same assembly.
func TestDecode(t *testing.T) {
	for _, c := range []struct {
		name   string
		le, be string
		want   Insn
	}{
		{"r1 = *(u64 *)(r2 + 8)", "7921080000000000", "7912000800000000", Insn{Code: 0x79, Dst: 1, Src: 2, Off: 8}},
		{"r3 = -2", "b7030000feffffff", "b7300000fffffffe", Insn{Code: 0xb7, Dst: 3, Imm: -2}},
		{"goto -3", "0500fdff00000000", "0500fffd00000000", Insn{Code: 0x05, Off: -3}},
		{"gotox r4", "0d04000000000000", "0d40000000000000", Insn{Code: 0x0d, Dst: 4}},
		{"call 12", "850000000c000000", "850000000000000c", Insn{Code: 0x85, Imm: 12}},
		{"all bits", "ffffffffffffffff", "ffffffffffffffff", Insn{0xff, 15, 15, -1, -1}},
	} {
		for order, text := range map[binary.ByteOrder]string{binary.LittleEndian: c.le, binary.BigEndian: c.be} {
			data, err := hex.DecodeString(text)
			if err != nil {
				t.Fatal(err)
			}
			got, err := Decode(data, order)
			if err != nil || len(got) != 1 || got[0] != c.want {
				t.Errorf("%s: Decode(%s, %v) = %+v, %v; want %+v", c.name, text, order, got, err, c.want)
			}
			if back := hex.EncodeToString(Encode([]Insn{c.want}, order)); back != text {
				t.Errorf("%s: Encode(%v) = %s, want %s", c.name, order, back, text)
			}
		}
	}
}

func TestDecodeTruncated(t *testing.T) {
	for n := 1; n < 24; n++ {
		insns, err := Decode(make([]byte, n), binary.LittleEndian)
		if n%8 == 0 {
			if err != nil || len(insns) != n/8 {
				t.Errorf("Decode of %d bytes: %d slots, %v", n, len(insns), err)
			}
		} else if !errors.Is(err, ErrTruncated) || insns != nil {
			t.Errorf("Decode of %d bytes: %v, %v; want ErrTruncated", n, insns, err)
		}
	}
}

// FuzzDecode checks that decoding loses nothing in either byte order, and that
// the same instructions in the other order decode to the same.
func FuzzDecode(f *testing.F) {
	f.Add([]byte("\x0d\x04\x00\x00\x00\x00\x00\x00"))
	f.Add([]byte("\x18\x12\xff\x7f\xff\xff\xff\x80\x00\x00\x00\x00\x01\x02\x03\x04"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian, binary.NativeEndian} {
			insns, err := Decode(data, order)
			if (err != nil) != (len(data)%SlotSize != 0) {
				t.Fatalf("%d bytes: error %v", len(data), err)
			}
			if err != nil {
				return
			}
			if back := Encode(insns, order); !bytes.Equal(back, data) {
				t.Fatalf("%v: %x became %x", order, data, back)
			}
			for _, other := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
				again, err := Decode(Encode(insns, other), other)
				if err != nil {
					t.Fatal(err)
				}
				for i := range insns {
					if insns[i] != again[i] {
						t.Fatalf("slot %d: %+v in %v, %+v in %v", i, insns[i], order, again[i], other)
					}
				}
			}
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	data := make([]byte, 1_000_000*SlotSize)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := Decode(data, binary.LittleEndian); err != nil {
			b.Fatal(err)
		}
	}
}
