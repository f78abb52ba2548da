// Package textgraph draws control flow graphs for terminals: the blocks below
// each other with their instructions, and the edges as lines at their left.
//
//	err := textgraph.Write(os.Stdout, scene, textgraph.Options{Width: 100})
//
//	   ┌ b0  0..1  entry
//	   │    0  r0 = 0
//	╭╌╌┤    1  if r1 == 0 goto pc+1    → b2
//	┆  ▼
//	┆  ┌ b1  2
//	┆  │    2  r0 += 1
//	┆  ▼
//	╰╌►┌ b2  3  exit
//	   └    3  exit
//
// A line leaves its block leftwards at the instruction that jumps, runs up or down in a lane of its
// own, and comes in with a head at the first row of its target. Following it from its block leads
// to its target and no other block: edges share a line only when they leave one block, as the fan
// of an indirect jump does, or come to one block, from one side and in one style. Other lines
// cross, and both go straight on. Falling through is an arrow between two blocks.
//
// Lanes are given to short lines first, the nearest to the blocks, so that most lines cross none. A
// line that finds no lane in the width is left out: the block names its target, and the target
// names the block. The cost is linear in blocks, lines and rows, apart from a logarithm in the
// choice of lanes.
package textgraph

import (
	"bufio"
	"io"

	"github.com/bpfcfg/bpfcfg/render"
)

// Options choose how a graph is drawn.
type Options struct {
	Width  int  // columns, at least 40; 0 is 100
	ASCII  bool // no character beyond ASCII
	Colour bool // with escape sequences for colours (ECMA-48, SGR)
}

// Limits of Options.Width. A line of text gets textWidth columns before another
// lane does.
const (
	minWidth     = 40
	defaultWidth = 100
	textWidth    = 52
	mostLanes    = 32
)

// Write draws all functions of a scene. It fails when the scene is not consistent
// or w does.
func Write(w io.Writer, s *render.Scene, opt Options) error {
	if err := s.Check(); err != nil {
		return err
	}
	if opt.Width == 0 {
		opt.Width = defaultWidth
	}
	opt.Width = max(opt.Width, minWidth)
	d := &drawing{w: bufio.NewWriter(w), s: s, opt: opt, set: unicodeSet}
	if opt.ASCII {
		d.set = asciiSet
	}
	d.prepare()
	d.legend()
	for b := range s.Blocks {
		if b == 0 || s.Blocks[b].Func != s.Blocks[b-1].Func {
			d.function(s.Blocks[b].Func)
		}
		d.block(b)
	}
	return d.w.Flush()
}
