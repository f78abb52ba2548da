package verify

import (
	"bytes"
	"testing"
)

// FuzzCode checks machine code that may be anything against small programs: no
// panic, a bounded report, the same twice, and none of it changed. The bytes of
// the compiler itself pass.
func FuzzCode(f *testing.F) {
	good := corpus(f, "linux-7.3+ibt", "linux-6.18")
	good = good[:min(len(good), 12)]
	for i, c := range good {
		f.Add(uint8(i), c.img.Code, uint16(0))
		f.Add(uint8(i), c.img.Code[:len(c.img.Code)/2], uint16(7))
	}
	f.Fuzz(func(t *testing.T, which uint8, code []byte, shift uint16) {
		c := good[int(which)%len(good)]
		img := clone(c.img)
		img.Code = code
		if n := len(img.Offsets); n > 0 && shift != 0 { // an offset map that lies
			img.Offsets = append(img.Offsets[:0:0], img.Offsets...)
			img.Offsets[int(shift)%n] += int32(shift) - 1<<14
		}
		before := bytes.Clone(code)
		r := Check(c.p, img, c.prof)
		if len(r.Mismatches) > maxMismatches {
			t.Fatalf("%d mismatches", len(r.Mismatches))
		}
		again := Check(c.p, img, c.prof)
		if !bytes.Equal(before, code) || len(again.Mismatches) != len(r.Mismatches) {
			t.Fatal("a second run differs")
		}
		for i, m := range r.Mismatches {
			if m.String() != again.Mismatches[i].String() {
				t.Fatalf("%s, then %s", m, again.Mismatches[i])
			}
		}
		if shift == 0 && bytes.Equal(code, c.img.Code) && len(r.Mismatches) > 0 {
			t.Fatal(r.Mismatches)
		}
	})
}
