package verify_test

import (
	"bytes"
	"os"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/verify"
)

// FuzzCode checks machine code that may be anything against small programs: no
// panic, a bounded report, the same twice, and none of it changed. The bytes of
// the compiler itself pass.
func FuzzCode(f *testing.F) {
	var good []compiled
	for _, file := range []string{"09_duplicate_targets.o", "13_subprog_switch.o", "22_tail_dispatch.o"} {
		data, err := os.ReadFile(testenv.Path(f, "corpus/out/"+file))
		if err != nil {
			f.Fatal(err)
		}
		o, err := load.ELF(file, data)
		if err != nil {
			f.Fatal(err)
		}
		for _, p := range o.Programs {
			good = append(good, compile(f, p.Name, p, "linux-7.3+ibt")...)
		}
	}
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
		r := verify.Check(c.p, img, pipeline.VerifyKernel(c.prof))
		if len(r.Mismatches) > 1000 {
			t.Fatalf("%d mismatches", len(r.Mismatches))
		}
		again := verify.Check(c.p, img, pipeline.VerifyKernel(c.prof))
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
