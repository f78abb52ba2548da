package replay

import "testing"

// TestMovImm64 reads loads of constants into rax and r9, bytes by Intel SDM volume 2 (MOV,
// XOR), and leaves alone what looks like one.
func TestMovImm64(t *testing.T) {
	for _, c := range []struct {
		b     []byte
		reg   uint8
		value uint64
		n     int // 0: no load of a constant
	}{
		{[]byte{0x31, 0xc0}, 0, 0, 2},                                       // xor %eax,%eax
		{[]byte{0x31, 0xc8}, 0, 0, 0},                                       // xor %ecx,%eax
		{[]byte{0x31, 0xc9}, 0, 0, 0},                                       // xor %ecx,%ecx
		{[]byte{0x33, 0xc0}, 0, 0, 0},                                       // xor, the other way round
		{[]byte{0x31}, 0, 0, 0},                                             // cut off
		{[]byte{0x45, 0x31, 0xc9}, 9, 0, 3},                                 // xor %r9d,%r9d
		{[]byte{0x45, 0x31, 0xc1}, 9, 0, 0},                                 // xor %r8d,%r9d
		{[]byte{0x45, 0x33, 0xc9}, 9, 0, 0},                                 // xor, the other way round
		{[]byte{0xb8, 1, 2, 0, 0}, 0, 0x201, 5},                             // mov $0x201,%eax
		{[]byte{0xb9, 1, 2, 0, 0}, 0, 0, 0},                                 // mov $0x201,%ecx
		{[]byte{0x41, 0xb9, 1, 2, 0, 0}, 9, 0x201, 6},                       // mov $0x201,%r9d
		{[]byte{0x48, 0xc7, 0xc0, 0xff, 0xff, 0xff, 0xff}, 0, 1<<64 - 1, 7}, // mov $-1,%rax
		{[]byte{0x48, 0xc7, 0xc1, 0xff, 0xff, 0xff, 0xff}, 0, 0, 0},         // mov $-1,%rcx
		{[]byte{0x49, 0xb9, 1, 0, 0, 0, 0, 0, 0, 0x80}, 9, 1<<63 | 1, 10},   // movabs to %r9
		{[]byte{0x48, 0xb9, 1, 0, 0, 0, 0, 0, 0, 0x80}, 9, 0, 0},            // movabs to %rcx
	} {
		v, n, ok := movImm64(c.b, c.reg)
		if ok != (c.n > 0) || ok && (v != c.value || n != c.n) {
			t.Errorf("% x for register %d: %#x, %d bytes, %v", c.b, c.reg, v, n, ok)
		}
	}
}
