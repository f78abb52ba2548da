package golden

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/internal/visible"
)

// block explains block n of the new layout.
func (c *comparison) block(n int) {
	b := &c.new.Blocks[n]
	if c.toOld[n] == cfg.NoBlock {
		c.add(BlockAdded, -1, n, "b%d is new: insn %d..%d, %s", n, b.Start, b.End-1, sizeText(b))
		return
	}
	oi := int(c.toOld[n])
	o := &c.old.Blocks[oi]
	if c.moved[n] {
		c.add(BlockMoved, oi, n, "%s has moved: it was at +0x%x, is at +0x%x", c.name(n), max(0, o.Offset), max(0, b.Offset))
	}
	switch {
	case (o.Offset < 0) != (b.Offset < 0):
		c.liveness(oi, n)
	case o.Hash != b.Hash || o.Ending.Op != b.Ending.Op:
		c.add(Instructions, oi, n, "%s: its instructions changed, %s, %s", c.name(n),
			change(int(o.End-o.Start), int(b.End-b.Start), "slots"), change(o.Len, b.Len, "bytes"))
	case o.Len != b.Len:
		c.size(oi, n)
	}
	c.ending(oi, n)
}

// liveness explains a block that the verifier removes in one layout only.
func (c *comparison) liveness(o, n int) {
	if b := &c.new.Blocks[n]; b.Offset < 0 {
		c.add(Liveness, o, n, "%s is removed: no execution reaches it any more (it had %s)", c.name(n),
			visible.Count(c.old.Blocks[o].Len, "byte"))
		return
	}
	c.add(Liveness, o, n, "%s is no longer removed: an execution reaches it (%s)", c.name(n),
		visible.Count(c.new.Blocks[n].Len, "byte"))
}

// name returns the name of a new block, with the old name if it differs.
func (c *comparison) name(n int) string {
	if o := c.toOld[n]; o != cfg.NoBlock && int(o) != n {
		return fmt.Sprintf("b%d (was b%d)", n, o)
	}
	return fmt.Sprintf("b%d", n)
}

// sizeText returns the size of a block's code as text.
func sizeText(b *Block) string {
	if b.Offset < 0 {
		return "removed by the verifier"
	}
	return visible.Count(b.Len, "byte")
}

// grew writes "grew 4 bytes".
func grew(by int) string {
	verb := "grew"
	if by < 0 {
		verb, by = "shrank", -by
	}
	return fmt.Sprintf("%s %s", verb, count(by, "byte", "bytes"))
}

// size explains a block with the same instructions and another size.
func (c *comparison) size(oi, n int) {
	o, b := &c.old.Blocks[oi], &c.new.Blocks[n]
	by := b.Len - o.Len
	head := fmt.Sprintf("%s %s: ", c.name(n), grew(by))
	if o.Ending.Long != b.Ending.Long {
		word := "short"
		if b.Ending.Long {
			word = "long"
		}
		to, target := c.jumpTarget(n)
		text := fmt.Sprintf("its jump to %s became %s", target, word)
		if why := c.distance(n, to); why != "" {
			text += " because " + why
		}
		if by < -4 || by > 4 {
			text += "; the rest is different code for the same instructions"
		}
		c.add(JumpSize, oi, n, "%s%s", head, text)
		return
	}
	why := "the JIT makes different code for the same instructions"
	for _, s := range slices.Concat(b.Ending.To, b.Ending.Next) {
		if int(s) >= len(c.toOld) || c.toOld[s] == cfg.NoBlock {
			continue
		}
		if now, was := c.new.Blocks[s].Offset < 0, c.old.Blocks[c.toOld[s]].Offset < 0; now != was {
			why = fmt.Sprintf("its branch is decided, because the verifier removes b%d", s)
			if was {
				why = fmt.Sprintf("its branch is open again, because b%d is no longer removed", s)
			}
		}
	}
	if c.old.Profile != c.new.Profile {
		why = "the profile makes different code for the same instructions"
	}
	c.add(CodeSize, oi, n, "%s%s", head, why)
}

// jumpTarget returns the target of the jump at the end of a new block, and its name. An exit
// leads to the function's first exit.
func (c *comparison) jumpTarget(n int) (int, string) {
	b := &c.new.Blocks[n]
	if len(b.Ending.To) > 0 {
		return int(b.Ending.To[0]), b.Ending.To[0].String()
	}
	for _, f := range c.new.Funcs {
		if n < f.First || n >= f.Last {
			continue
		}
		for i := f.First; i < f.Last; i++ {
			if x := &c.new.Blocks[i]; x.Ending.Op == b.Ending.Op && x.Offset >= 0 && len(x.Ending.To) == 0 {
				return i, "the epilogue"
			}
		}
	}
	return -1, "the epilogue"
}

// maxReasons bounds the number of blocks that a cause blames, and maxBlamed the number of blocks
// that are examined: a jump over more is long whatever one of them does.
const (
	maxReasons = 3
	maxBlamed  = 4096
)

// reason is a block between a jump and its target that changed the distance.
type reason struct {
	by   int
	text string
}

// distance explains what changed the distance between the end of a new block and another block.
func (c *comparison) distance(from, to int) string {
	if to < 0 || to >= len(c.new.Blocks) {
		return ""
	}
	lo, hi := from+1, to // forward: the code between
	if to <= from {
		lo, hi = to, from // backward: the target, and all up to the jump
	}
	if hi-lo > maxBlamed {
		return ""
	}
	var why []reason
	oLo, oHi := -1, -1
	for i := lo; i < hi; i++ {
		b := &c.new.Blocks[i]
		if c.toOld[i] == cfg.NoBlock {
			if b.Len > 0 {
				why = append(why, reason{b.Len, fmt.Sprintf("b%d is new (%s)", i, count(b.Len, "byte", "bytes"))})
			}
			continue
		}
		if by := b.Len - c.old.Blocks[c.toOld[i]].Len; by > 0 {
			why = append(why, reason{by, fmt.Sprintf("b%d gained %s", i, count(by, "byte", "bytes"))})
		} else if by < 0 {
			why = append(why, reason{by, fmt.Sprintf("b%d lost %s", i, count(-by, "byte", "bytes"))})
		}
	}
	if o, t := c.toOld[from], c.toOld[to]; o != cfg.NoBlock && t != cfg.NoBlock {
		oLo, oHi = min(int(o), int(t)), max(int(o), int(t))
	}
	for i := oLo + 1; i < oHi; i++ {
		if b := &c.old.Blocks[i]; c.toNew[i] == cfg.NoBlock && b.Len > 0 {
			why = append(why, reason{-b.Len, fmt.Sprintf("the former b%d is gone (%s)", i, count(b.Len, "byte", "bytes"))})
		}
	}
	slices.SortStableFunc(why, func(a, b reason) int { return cmp.Compare(max(b.by, -b.by), max(a.by, -a.by)) })
	var parts []string
	for i, r := range why {
		if i == maxReasons {
			parts = append(parts, fmt.Sprintf("%d more changed", len(why)-i))
			break
		}
		parts = append(parts, r.text)
	}
	return join(parts)
}

// join writes "a, b and c".
func join(parts []string) string {
	if len(parts) < 2 {
		return strings.Join(parts, "")
	}
	return strings.Join(parts[:len(parts)-1], ", ") + " and " + parts[len(parts)-1]
}

// ending explains how the successors of a matched block changed.
func (c *comparison) ending(oi, n int) {
	o, b := &c.old.Blocks[oi].Ending, &c.new.Blocks[n].Ending
	was := slices.Concat(o.To, o.Next)
	now := slices.Concat(b.To, b.Next)
	lost, gained := c.edges(was, now)
	if o.Detail != b.Detail {
		c.add(Successors, oi, n, "%s: %s selects %s, was %s", c.name(n), b.Op, orNothing(b.Detail), orNothing(o.Detail))
	}
	if o.More || b.More { // the lists are not complete
		return
	}
	switch {
	case len(lost) > 0 && len(gained) > 0:
		c.add(Successors, oi, n, "%s leads to %s instead of %s", c.name(n), join(gained), join(lost))
	case len(gained) > 0:
		c.add(Successors, oi, n, "%s leads to %s, too", c.name(n), join(gained))
	case len(lost) > 0:
		c.add(Successors, oi, n, "%s no longer leads to %s", c.name(n), join(lost))
	}
}

// orNothing names an empty text.
func orNothing(s string) string {
	if s == "" {
		return "nothing known"
	}
	return s
}

// edges compares successors and names those that are in one list only.
func (c *comparison) edges(was, now []cfg.BlockID) (lost, gained []string) {
	has := map[cfg.BlockID]bool{}
	for _, s := range now {
		has[s] = true
	}
	had := map[cfg.BlockID]bool{}
	for _, s := range was {
		to := cfg.NoBlock
		if int(s) < len(c.toNew) {
			to = c.toNew[s]
		}
		switch {
		case to == cfg.NoBlock:
			lost = append(lost, fmt.Sprintf("the former b%d", s))
		case !has[to]:
			lost = append(lost, c.name(int(to)))
		default:
			had[to] = true
		}
	}
	for _, s := range now {
		if !had[s] && !slices.Contains(gained, s.String()) {
			gained = append(gained, s.String())
		}
	}
	return lost, gained
}
