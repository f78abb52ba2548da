package check

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// fingerprint gives each finding an identity that no instruction number is part of. It is made of
// the kind of finding, program and function, the instruction without its numbers, the kinds of edge
// that leave its block, and the C line; for code without source lines, of the few instructions
// before it in the block instead. For dead code it includes the dead C lines and cases. Equal ones
// in a function are counted, in program order.
//
// Dropped: hashing the block's neighbourhood, which changes whenever a nearby
// branch does, and the line number, which changes with every edit above.
func (c *context) fingerprint() {
	seen := map[string]int{}
	for i := range c.found {
		f := &c.found[i]
		k := identified{f.ID, f.PC, f.Block, f.key, f.dead, f.Function, f.Location.Text}
		id, ok := c.ids[k]
		if !ok {
			id = c.identity(f)
			c.ids[k] = id
		}
		n := seen[id]
		seen[id]++
		sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%d", id, n))
		f.Fingerprint = hex.EncodeToString(sum[:8])
	}
}

// identified is the part of a finding that identifies it in a program.
type identified struct {
	id               ID
	pc               bytecode.PC
	block            cfg.BlockID
	key, dead        string
	function, source string
}

// identity returns the text of which a fingerprint is the hash.
func (c *context) identity(f *Finding) string {
	var b strings.Builder
	field := func(s string) { b.WriteString(s); b.WriteByte(0) }
	field(string(f.ID))
	field(f.Program)
	field(f.Function)
	field(shape(f.key))
	if f.dead != "" {
		field(f.dead)
	}
	if f.Block == cfg.NoBlock {
		return b.String()
	}
	blk := c.g.Blocks[f.Block]
	if f.Location.Text != "" {
		field(f.Location.Text)
		field(shape(c.p.Text(f.PC)))
	} else {
		for pc, n := f.PC, 0; pc >= blk.Start && n < 4; pc-- {
			if c.g.InsnAt(pc) {
				field(shape(c.p.Text(pc)))
				n++
			}
		}
	}
	indirect := false
	for _, e := range c.g.Succs(f.Block) {
		if e.Kind == cfg.Indirect { // a table may grow
			indirect = true
			continue
		}
		field(e.Kind.String())
	}
	if indirect {
		field(cfg.Indirect.String())
	}
	return b.String()
}

// shape returns a text with every number and its sign replaced by '#', so that registers,
// offsets, constants and the numbers in compilers' symbols do not count.
func shape(text string) string {
	out := make([]byte, 0, len(text))
	in := false
	for i := range len(text) {
		c := text[i]
		digit := c >= '0' && c <= '9'
		if in && (digit || c == 'x' || c >= 'a' && c <= 'f') {
			continue
		}
		if in = digit; digit {
			c = '#'
		}
		if last := len(out) - 1; c == '#' && last >= 0 && (out[last] == '+' || out[last] == '-') {
			out = out[:last]
		}
		out = append(out, c)
	}
	return string(out)
}
