package verify_test

import (
	"slices"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/verify"
)

// TestRelocations damages the claims where addresses stand: each shifted by a byte,
// given to the next instruction, of another size, twice, or past the end must be found.
// The code is right in all cases.
func TestRelocations(t *testing.T) {
	n := 0
	for _, c := range corpus(t, jit.DefaultProfile) {
		last := len(c.img.Relocs) - 1
		for i, r := range c.img.Relocs {
			if i != 0 && i != last && i != last/2 {
				continue
			}
			for name, damage := range map[string]func(*jit.Reloc){
				"outside":  func(r *jit.Reloc) { r.Offset = len(c.img.Code) - 1 },
				"negative": func(r *jit.Reloc) { r.Offset = -r.Offset },
				"size":     func(r *jit.Reloc) { r.Size++ },
				"no instruction": func(r *jit.Reloc) {
					r.PC = bytecode.PC(len(c.p.Insns))
				},
			} {
				img := clone(c.img)
				img.Relocs = slices.Clone(img.Relocs)
				damage(&img.Relocs[i])
				if verify.Check(c.p, img, pipeline.VerifyKernel(c.prof)).OK() {
					t.Errorf("%s: relocation %d, %s: %+v passes", c.name, i, name, r)
				}
				n++
			}
			if r.Kind == jit.RelAbs64 {
				img := clone(c.img)
				img.Relocs = slices.Clone(img.Relocs)
				img.Relocs[i].Offset--
				if verify.Check(c.p, img, pipeline.VerifyKernel(c.prof)).OK() {
					t.Errorf("%s: relocation %d, a byte early: passes", c.name, i)
				}
			}
		}
	}
	if n < 200 {
		t.Errorf("only %d claims were damaged", n)
	}
}
