package verify

import (
	"slices"
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// maxPaths bounds the mismatches that get a path, maxSteps the blocks of a path that are printed.
const (
	maxPaths = 16
	maxSteps = 8
)

// explain gives mismatches their source slot and the way to it.
func explain(s *Source, out *Proof) {
	if out.OK() && len(out.Lost) == 0 {
		return
	}
	from := shortest(s.Graph)
	giveWays(s, from, out.Mismatches)
	giveWays(s, from, out.Lost)
}

func giveWays(s *Source, from []cfg.BlockID, list []Mismatch) {
	for i := range list[:min(len(list), maxPaths)] {
		m := &list[i]
		if m.Source < 0 && m.PC >= 0 && int(m.PC) < len(s.Original) {
			m.Source = s.Original[m.PC]
		}
		if b, ok := s.Graph.BlockAt(m.Source); ok {
			m.Path = pathTo(s.Graph, from, b)
		}
	}
}

// shortest returns for each block the one before it on a shortest way from the entry, NoBlock for
// unreachable blocks and for the entry.
func shortest(g *cfg.Graph) []cfg.BlockID {
	from := make([]cfg.BlockID, len(g.Blocks))
	done := make([]bool, len(g.Blocks))
	for b := range from {
		from[b] = cfg.NoBlock
	}
	done[0] = true
	for work := []cfg.BlockID{0}; len(work) > 0; work = work[1:] {
		for _, e := range g.Succs(work[0]) {
			if !done[e.To] {
				done[e.To], from[e.To] = true, e.From
				work = append(work, e.To)
			}
		}
	}
	return from
}

// pathTo returns the first slots of the blocks on the way to a block.
func pathTo(g *cfg.Graph, from []cfg.BlockID, b cfg.BlockID) []bytecode.PC {
	if b != 0 && from[b] == cfg.NoBlock {
		return nil
	}
	var path []bytecode.PC
	for ; b != cfg.NoBlock; b = from[b] {
		path = append(path, g.Blocks[b].Start)
	}
	slices.Reverse(path)
	return path
}

// pathText returns a path in words, long ones without their middle.
func pathText(path []bytecode.PC) string {
	if len(path) < 2 {
		return ""
	}
	var steps []string
	for i, pc := range path {
		if len(path) > maxSteps && i == maxSteps/2 {
			steps = append(steps, "…")
		}
		if len(path) <= maxSteps || i < maxSteps/2 || i >= len(path)-maxSteps/2 {
			steps = append(steps, itoa(int(pc)))
		}
	}
	return "; source slots on the way: " + strings.Join(steps, " → ")
}
