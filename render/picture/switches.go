package picture

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/visible"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/render"
)

// minCompares is the number of compares from which a tree of them is a group.
const minCompares = 64

// span is a range of values, both ends included.
type span struct{ lo, hi uint64 }

// comparison is a branch on one register and a constant.
type comparison struct {
	reg  bytecode.Reg
	wide bool // 64 bits
	op   asm.JumpOp
	k    uint64 // sign-extended, and cut to the width
}

// compareGroups returns the switches without a table: trees of blocks that compare one
// register with constants. The values that lead out of a tree are the labels of its
// edges.
func compareGroups(a *pipeline.Analysis, edges []render.Edge) []render.Group {
	g := a.Graph
	n := len(g.Blocks)
	out, into := make([][]int, n), make([]int, n)
	for i := range edges {
		e := &edges[i]
		if e.To == render.Outside || e.Kind == render.Return {
			continue
		}
		if e.Kind == render.Taken || e.Kind == render.FallThrough {
			out[e.From] = append(out[e.From], i)
		}
		into[e.To]++
	}
	t := compareTrees{a: a, edges: edges, out: out, into: into, seen: make([]bool, n)}
	var groups []render.Group
	for b := range n {
		if c, ok := t.compare(b, false); ok && !t.seen[b] {
			if blocks, labels, cases := t.grow(b, c); len(blocks) >= minCompares {
				groups = append(groups, render.Group{Kind: render.GroupCompares, Blocks: blocks, Labels: labels,
					Text: fmt.Sprintf("switch (%s): %s by %s", c.name(), visible.Count(cases, "target"),
						visible.Count(len(blocks), "compare"))})
			}
		}
	}
	return groups
}

type compareTrees struct {
	a     *pipeline.Analysis
	edges []render.Edge
	out   [][]int // taken and fall-through edges of each block
	into  []int   // number of edges into each
	seen  []bool
}

// compare returns the comparison that a block ends with; alone requires that the block does nothing
// else and has one way in.
func (t *compareTrees) compare(b int, alone bool) (comparison, bool) {
	blk := &t.a.Graph.Blocks[b]
	in := t.a.Program.Insns[blk.Last]
	class := in.Class()
	if len(t.out[b]) != 2 || alone && (blk.Start != blk.Last || t.into[b] != 1) || in.Source() != asm.ImmSource ||
		class != asm.JumpClass && class != asm.Jump32Class || t.a.Program.Flow(blk.Last).Kind != bytecode.FlowCond {
		return comparison{}, false
	}
	c := comparison{reg: in.Dst, wide: class == asm.JumpClass, op: in.JumpOp(), k: uint64(int64(in.Imm))}
	if !c.wide {
		c.k &= math.MaxUint32
	}
	return c, c.op != asm.JSet && c.when(true) != nil
}

func (c comparison) name() string {
	if c.wide {
		return c.reg.String()
	}
	return "w" + strings.TrimPrefix(c.reg.String(), "r")
}

// top is the greatest value.
func (c comparison) top() uint64 {
	if c.wide {
		return math.MaxUint64
	}
	return math.MaxUint32
}

// when returns the values for which the branch is taken, or is not; nil for what is no
// comparison.
func (c comparison) when(taken bool) []span {
	half := c.top()>>1 + 1 // the least negative number
	var yes []span
	switch c.op {
	case asm.JEq, asm.JNE:
		yes = []span{{c.k, c.k}}
	case asm.JLT, asm.JGE:
		yes = []span{{0, c.k - 1}}
		if c.k == 0 {
			yes = []span{}
		}
	case asm.JLE, asm.JGT:
		yes = []span{{0, c.k}}
	case asm.JSLT, asm.JSGE:
		yes = signedBelow(c.k, half, c.top())
		if c.k == half {
			yes = []span{}
		} else if last := &yes[len(yes)-1]; last.hi == c.k {
			last.hi--
		} else if c.k == 0 {
			yes = []span{{half, c.top()}}
		} else {
			yes[0].hi--
		}
	case asm.JSLE, asm.JSGT:
		yes = signedBelow(c.k, half, c.top())
	default:
		return nil
	}
	switch c.op {
	case asm.JNE, asm.JGE, asm.JGT, asm.JSGE, asm.JSGT:
		taken = !taken
	}
	if taken {
		return yes
	}
	return others(yes, c.top())
}

// signedBelow returns the values that are k or less as signed numbers, in order.
func signedBelow(k, half, top uint64) []span {
	if k >= half {
		return []span{{half, k}}
	}
	return []span{{0, k}, {half, top}}
}

// others returns the values up to top that are in none of the spans.
func others(list []span, top uint64) []span {
	out := []span{}
	at := uint64(0)
	for _, s := range list {
		if s.lo > at {
			out = append(out, span{at, s.lo - 1})
		}
		if s.hi == top {
			return out
		}
		at = s.hi + 1
	}
	return append(out, span{at, top})
}

// both returns the values that are in a span of each list; both are in order.
func both(a, b []span) []span {
	var out []span
	for i, j := 0, 0; i < len(a) && j < len(b); {
		if lo, hi := max(a[i].lo, b[j].lo), min(a[i].hi, b[j].hi); lo <= hi {
			out = append(out, span{lo, hi})
		}
		if a[i].hi < b[j].hi {
			i++
		} else {
			j++
		}
	}
	return out
}

// grow returns the tree that begins at a block, the values of the edges out of it, and
// the number of blocks that these lead to.
func (t *compareTrees) grow(root int, c comparison) (blocks []int, labels map[int]string, cases int) {
	type visit struct {
		block  int
		values []span
	}
	to := map[int][]span{} // block after the tree → values that lead there
	var leaving []int
	for work := []visit{{root, []span{{0, c.top()}}}}; len(work) > 0; {
		v := work[len(work)-1]
		work = work[:len(work)-1]
		blocks = append(blocks, v.block)
		t.seen[v.block] = true
		here, _ := t.compare(v.block, false)
		for _, i := range t.out[v.block] {
			e := &t.edges[i]
			values := both(v.values, here.when(e.Kind == render.Taken))
			if next, ok := t.compare(e.To, true); ok && next.reg == c.reg && next.wide == c.wide && !t.seen[e.To] && !e.Dead {
				work = append(work, visit{e.To, values})
				continue
			}
			leaving = append(leaving, i)
			to[e.To] = append(to[e.To], values...)
		}
	}
	labels = map[int]string{}
	for _, i := range leaving {
		labels[i] = spansText(to[t.edges[i].To], c)
	}
	return blocks, labels, len(to)
}

// spansText writes values as "3, 7–9", and "other" for the remaining ones.
func spansText(list []span, c comparison) string {
	slices.SortFunc(list, func(a, b span) int {
		if a.lo < b.lo {
			return -1
		}
		return 1
	})
	var parts []string
	signed := func(v uint64) string {
		if !c.wide {
			return fmt.Sprint(int32(uint32(v)))
		}
		return fmt.Sprint(int64(v))
	}
	rest := false
	for i := 0; i < len(list); i++ {
		s := list[i]
		for i+1 < len(list) && s.hi != c.top() && list[i+1].lo == s.hi+1 {
			i++
			s.hi = list[i].hi
		}
		switch {
		case s.hi-s.lo > c.top()/4:
			rest = true
		case s.lo == s.hi:
			parts = append(parts, signed(s.lo))
		default:
			parts = append(parts, signed(s.lo)+"–"+signed(s.hi))
		}
	}
	switch {
	case len(list) == 0:
		return "never"
	case rest:
		return "other"
	}
	return strings.Join(parts, ", ")
}
