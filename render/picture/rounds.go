package picture

import (
	"encoding/binary"
	"fmt"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/internal/visible"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/render"
)

// Minimum numbers of rounds, and of blocks of a round.
const (
	minRounds      = 3
	minRoundBlocks = 3
	maxRoundBlocks = 512
)

// roundGroups returns the second and further rounds of unrolled loops: runs of blocks
// that repeat those before them, instruction for instruction but for constants and
// distances. The first round stays as it is.
func roundGroups(a *pipeline.Analysis, taken map[int]bool) []render.Group {
	keys := blockKeys(a)
	var groups []render.Group
	for at := 0; at < len(keys); {
		period, rounds := repeats(keys[at:])
		if rounds < minRounds || taken[at] {
			at++
			continue
		}
		blocks := make([]int, 0, period*(rounds-1))
		for b := at + period; b < at+period*rounds; b++ {
			blocks = append(blocks, b)
		}
		groups = append(groups, render.Group{Kind: render.GroupRounds, Blocks: blocks,
			Text: fmt.Sprintf("rounds 2–%d, like b%d–b%d: %s each", rounds, at, at+period-1, visible.Count(period, "block")),
			Each: period})
		at += period * rounds
	}
	return groups
}

// blockKeys returns a number for each block, the same for blocks that are alike: the
// same C lines, operations, registers and ways out.
func blockKeys(a *pipeline.Analysis) []int {
	ids := map[string]int{}
	out := make([]int, len(a.Graph.Blocks))
	var k []byte
	for i, b := range a.Graph.Blocks {
		k = k[:0]
		for pc := b.Start; pc < b.End; pc += a.Program.Insns[pc].Slots() {
			in := a.Program.Insns[pc]
			k = append(k, ' ', in.Code)
			if src, ok := a.Program.LineAt(pc); ok {
				k = append(append(binary.AppendVarint(append(k, ':'), int64(src.Line)), src.File...), ';')
			}
		}
		for _, e := range a.Graph.Succs(cfg.BlockID(i)) {
			k = append(k, '|', byte(e.Kind))
		}
		id, ok := ids[string(k)]
		if !ok {
			id = len(ids)
			ids[string(k)] = id
		}
		out[i] = id
	}
	return out
}

// repeats returns the least period with which a list begins at least minRounds times,
// and how often it does.
func repeats(keys []int) (period, rounds int) {
	for p := minRoundBlocks; p <= maxRoundBlocks && minRounds*p <= len(keys); p++ {
		n := p
		for n < len(keys) && keys[n] == keys[n-p] {
			n++
		}
		if n/p >= minRounds {
			return p, n / p
		}
	}
	return 0, 0
}
