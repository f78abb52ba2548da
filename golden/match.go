package golden

import (
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/internal/align"
	"github.com/bpfcfg/bpfcfg/internal/shape"
)

// matching pairs the blocks of two layouts.
type matching struct {
	toNew, toOld []cfg.BlockID // cfg.NoBlock for a block without counterpart
	moved        []bool        // of each new block: its counterpart lay in another order
	funcs        []align.Pair  // functions with the same name
	goneFuncs    []int         // functions of old without counterpart
	freshFuncs   []int         // functions of new
}

// match pairs blocks: in functions of the same name, blocks with the same instructions in the
// same order; between two such pairs, blocks that end alike; then blocks with unique
// instructions, wherever they are.
func match(old, new *File) *matching {
	m := &matching{toNew: none(len(old.Blocks)), toOld: none(len(new.Blocks)), moved: make([]bool, len(new.Blocks))}
	m.matchFuncs(old, new)
	for _, f := range m.funcs {
		of, nf := old.Funcs[f.A], new.Funcs[f.B]
		m.inFunc(old, new, of, nf)
		m.between(old, new, of, nf)
	}
	m.elsewhere(old, new)
	return m
}

// none returns n times cfg.NoBlock.
func none(n int) []cfg.BlockID {
	out := make([]cfg.BlockID, n)
	for i := range out {
		out[i] = cfg.NoBlock
	}
	return out
}

// matchFuncs pairs functions with the same name, the first if there are several. The entry
// functions are a pair whatever their names.
func (m *matching) matchFuncs(old, new *File) {
	byName := map[string]int{}
	for i := len(old.Funcs) - 1; i >= 0; i-- {
		byName[old.Funcs[i].Name] = i
	}
	used := make([]bool, len(old.Funcs))
	for j, f := range new.Funcs {
		if j == 0 && len(old.Funcs) > 0 {
			used[0] = true
			m.funcs = append(m.funcs, align.Pair{})
		} else if i, ok := byName[f.Name]; ok && !used[i] {
			used[i] = true
			m.funcs = append(m.funcs, align.Pair{A: i, B: j})
		} else {
			m.freshFuncs = append(m.freshFuncs, j)
		}
	}
	for i := range old.Funcs {
		if !used[i] {
			m.goneFuncs = append(m.goneFuncs, i)
		}
	}
}

// key identifies a block by its instructions and how it ends.
func key(b *Block) uint64 { return shape.String(b.Hash + b.Ending.Op) }

// keys returns the keys of the blocks of a function.
func keys(l *File, f Func) []uint64 {
	out := make([]uint64, 0, f.Last-f.First)
	for i := f.First; i < f.Last; i++ {
		out = append(out, key(&l.Blocks[i]))
	}
	return out
}

func (m *matching) pair(o, n int) {
	m.toNew[o], m.toOld[n] = cfg.BlockID(n), cfg.BlockID(o)
}

// inFunc pairs the blocks of two functions that have the same instructions.
func (m *matching) inFunc(old, new *File, of, nf Func) {
	for _, p := range align.Pairs(keys(old, of), keys(new, nf)) {
		m.pair(of.First+p.A, nf.First+p.B)
	}
}

// between pairs blocks that lie between two pairs and end alike; their instructions changed.
func (m *matching) between(old, new *File, of, nf Func) {
	o := of.First
	for n := nf.First; n <= nf.Last; n++ {
		if n < nf.Last && m.toOld[n] == cfg.NoBlock {
			continue
		}
		oEnd := of.Last
		if n < nf.Last {
			oEnd = int(m.toOld[n])
		}
		nLo := n
		for nLo > nf.First && m.toOld[nLo-1] == cfg.NoBlock {
			nLo--
		}
		m.gap(old, new, [2]int{o, oEnd}, [2]int{nLo, n})
		o = oEnd + 1
	}
}

// gap pairs the blocks of a gap that look alike.
func (m *matching) gap(old, new *File, o, n [2]int) {
	rows, cols := o[1]-o[0], n[1]-n[0]
	if rows <= 0 || cols <= 0 {
		return
	}
	pairs := align.Best(rows, cols, func(i, j int) int { return alike(&old.Blocks[o[0]+i], &new.Blocks[n[0]+j]) })
	if rows > align.MaxBest/cols {
		pairs = align.Pairs(endings(old, o), endings(new, n))
	}
	for _, p := range pairs {
		m.pair(o[0]+p.A, n[0]+p.B)
	}
}

// alike grades how much two blocks look alike: 0 for not at all.
func alike(a, b *Block) int {
	x, y := int(a.End-a.Start), int(b.End-b.Start)
	s := 0
	if x > 0 && y > 0 {
		s = 10 * min(x, y) / max(x, y)
	}
	if opWord(a) == opWord(b) {
		s += 5
	}
	if s < 8 {
		return 0
	}
	return s
}

// opWord returns the first word of how a block ends.
func opWord(b *Block) string {
	word, _, _ := strings.Cut(b.Ending.Op, " ")
	return word
}

// endings returns a key of how each block of a range ends.
func endings(l *File, r [2]int) []uint64 {
	out := make([]uint64, 0, r[1]-r[0])
	for i := r[0]; i < r[1]; i++ {
		out = append(out, shape.String(opWord(&l.Blocks[i])))
	}
	return out
}

// elsewhere pairs the remaining blocks whose instructions no other remaining block has: they were
// moved.
func (m *matching) elsewhere(old, new *File) {
	const many = -1
	rest := func(l *File, to []cfg.BlockID) map[uint64]int {
		at := map[uint64]int{}
		for i := range l.Blocks {
			if to[i] != cfg.NoBlock {
				continue
			}
			k := key(&l.Blocks[i])
			if _, ok := at[k]; ok {
				at[k] = many
			} else {
				at[k] = i
			}
		}
		return at
	}
	before := rest(old, m.toNew)
	after := rest(new, m.toOld)
	for n := range new.Blocks {
		if m.toOld[n] != cfg.NoBlock {
			continue
		}
		k := key(&new.Blocks[n])
		if o, ok := before[k]; ok && o != many && after[k] == n {
			m.pair(o, n)
			m.moved[n] = true
		}
	}
}
