package verify_test

import (
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/bpfcfg/bpfcfg/internal/replay"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/verify"
)

// TestRecords checks the machine code of real kernels: every recorded image of
// every kernel and profile has the control flow of its bytecode, and none has it
// any more after a damage.
func TestRecords(t *testing.T) {
	rnd := rand.New(rand.NewPCG(6, 19))
	var sum verify.Proof
	images, damaged, padding := 0, 0, 0
	for _, file := range testenv.Glob(t, "records/*.gz") {
		for res, err := range replay.File(file, replay.Options{}) {
			if err != nil {
				t.Fatal(err)
			}
			if res.Match != replay.Same {
				continue
			}
			c := compiled{filepath.Base(file) + " " + res.Name, res.Program, res.Image, res.Machine}
			r := verify.Check(c.p, c.img, pipeline.VerifyKernel(c.prof))
			for i, m := range r.Mismatches {
				if i < 2 {
					t.Errorf("%s: %s", c.name, m)
				}
			}
			images++
			sum.Insns += r.Insns
			sum.X86 += r.X86
			sum.Entries += r.Entries
			if len(c.img.Code) > 4096 || !r.OK() {
				continue
			}
			n, pad := c.damageSome(t, rnd)
			damaged += n
			padding += pad
		}
	}
	t.Logf("%d images of real kernels: %d instructions, %d x86 instructions, %d table entries", images, sum.Insns, sum.X86,
		sum.Entries)
	t.Logf("%d damages, %d of them to padding, all found unless reported", damaged, padding)
	if images < 2000 || padding < 50 {
		t.Errorf("only %d images and %d damages to padding", images, padding)
	}
}

// damageSome damages an image at a few places, all its padding among them, and
// returns how often, and how often padding.
func (c compiled) damageSome(t *testing.T, rnd *rand.Rand) (n, padding int) {
	t.Helper()
	all := sites(t, c)
	rnd.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	for i, s := range all {
		if i >= 3 && s.kind != "padding" {
			continue
		}
		bad := clone(c.img)
		damage(rnd, bad, s)
		n++
		if s.kind == "padding" {
			padding++
		}
		if verify.Check(c.p, bad, pipeline.VerifyKernel(c.prof)).OK() {
			t.Errorf("%s: damage to %s at +%#x was not found", c.name, s.kind, s.off)
		}
	}
	return n, padding
}
