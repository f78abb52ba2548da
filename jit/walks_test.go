package jit_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/jit"
)

// jumpy returns a program of additions and many jumps, most of them over a
// distance near that where the form changes.
func jumpy(r *rand.Rand) []bytecode.Insn {
	n := 50 + r.IntN(800)
	span, density := 20+r.IntN(40), 1+r.IntN(6)
	insns := make([]bytecode.Insn, n)
	for i := range insns {
		target := i + 1 + r.IntN(2*span) - span
		switch r.IntN(8) {
		case 0, 1:
			target = i + 1 + span/2 + r.IntN(8)
		case 2, 3:
			target = i - span/2 - r.IntN(8)
		case 4:
			target = i + 1 + r.IntN(3)
		}
		if target < 0 || target >= n {
			target = r.IntN(n)
		}
		off := int16(target - i - 1)
		switch {
		case r.IntN(density) != 0:
			insns[i] = bytecode.Insn{Code: 0x07, Dst: 1, Imm: int32(r.IntN(2) * 1000)}
		case r.IntN(3) == 0:
			insns[i] = bytecode.Insn{Code: bytecode.CodeGoto, Off: off}
		case r.IntN(10) == 0:
			insns[i] = bytecode.Insn{Code: bytecode.CodeExit}
		default:
			insns[i] = bytecode.Insn{Code: 0x5d, Dst: 1, Src: 2, Off: off}
		}
	}
	insns[n-1] = bytecode.Insn{Code: bytecode.CodeExit}
	return insns
}

// model is the pass loop for such programs with nothing but sizes, and with
// the offsets of two walks kept apart instead of one table written in place.
type model struct {
	insns    []bytecode.Insn
	old, now []int // start of each slot, and the end
	exit     int   // start of the first exit
	padding  bool
}

const modelPrologue, modelExit = 20, 3 // of linux-7.3+plain without stack: leave; ret; int3

// start returns the start of slot k as a jump in slot at sees it.
func (m *model) start(k, at int) int {
	if k <= at {
		return m.now[k]
	}
	return m.old[k]
}

// short returns the size of a jump in its short form, padded if need be, with
// the code before it; ok is false for a gap that the kernel refuses.
func (m *model) short(at, front, size, gap int, also ...int) (int, bool) {
	if !m.padding {
		return front + size, true
	}
	rest := m.old[at+1] - m.now[at] - front - size
	return front + size + rest, rest == 0 || rest == gap || slices.Contains(also, rest)
}

// size returns the size of the code of slot k.
func (m *model) size(k int) (int, bool) {
	in := m.insns[k]
	far := m.start(k+1+int(in.Off), k) - m.old[k+1]
	switch in.Code {
	case 0x07:
		if in.Imm == 0 {
			return 4, true
		}
		return 7, true
	case bytecode.CodeExit:
		if m.exit < 0 {
			m.exit = m.now[k]
			return modelExit, true
		}
		far = m.exit - m.old[k+1]
	case bytecode.CodeGoto:
		if in.Off == -1 {
			far = -2
		}
		if far == 0 {
			return m.short(k, 0, 0, 2, 5)
		}
	default: // if r1 != r2
		if far >= -128 && far <= 123 {
			return m.short(k, 3, 2, 4)
		}
		return 3 + 6, true
	}
	if far >= -128 && far <= 123 {
		return m.short(k, 0, 2, 3)
	}
	return 5, true
}

// run returns the number of walks and the offsets, or that the program fails.
func (m *model) run() (walks int, ok bool) {
	n := len(m.insns)
	m.old, m.now = make([]int, n+1), make([]int, n+1)
	for i := range m.now {
		m.now[i] = 64 * (i + 1)
	}
	total, image := 0, false
	for walk := 0; walk < 20 || image; walk++ {
		m.padding = walk >= 15
		m.old, m.now = m.now, m.old
		m.now[0], m.exit = modelPrologue, -1
		for k := range m.insns {
			size, fine := m.size(k)
			if !fine {
				return 0, false
			}
			m.now[k+1] = m.now[k] + size
		}
		if image {
			return walk + 1, slices.Equal(m.old, m.now)
		}
		image = m.now[n] == total
		total = m.now[n]
	}
	return 0, false
}

// TestWalks compares sizes and the number of walks with the model. The kernel
// refuses some programs in which jumps still grow when padding begins: what
// follows them has moved by a gap that it does not expect.
func TestWalks(t *testing.T) {
	prof, err := jit.LookupProfile("linux-7.3+plain")
	if err != nil {
		t.Fatal(err)
	}
	refused, padded := 0, 0
	for seed := range uint64(2000) {
		insns := jumpy(rand.New(rand.NewPCG(seed, 7)))
		m := model{insns: insns}
		walks, ok := m.run()
		img, err := jit.Compile(&jit.Program{
			Insns: insns, Funcs: []jit.Func{{Start: 0, End: bytecode.PC(len(insns))}},
		}, prof)
		if err != nil {
			refused++
			if ok || !errors.Is(err, jit.ErrPadding) {
				t.Errorf("seed %d: %v, the model has %d walks", seed, err, walks)
			}
			continue
		}
		if !ok || img.Funcs[0].Walks != walks {
			t.Errorf("seed %d: %d walks, the model has %d (%v)", seed, img.Funcs[0].Walks, walks, ok)
			continue
		}
		if walks > 15 {
			padded++
		}
		for k, o := range img.Offsets {
			if int(o) != m.now[k] {
				t.Errorf("seed %d: slot %d at %d, the model has %d", seed, k, o, m.now[k])
				break
			}
		}
	}
	t.Logf("%d refused, %d padded", refused, padded)
	if refused == 0 || padded == 0 {
		t.Errorf("%d refused, %d padded: the programs are too easy", refused, padded)
	}
}
