package check

import (
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/visible"
)

// layout compares the predicted machine code with the program that it is made
// from. A program without machine code has none to compare.
func (c *context) layout() {
	if c.a.Image == nil || c.a.Rewrite == nil {
		return
	}
	r := c.a.Verify()
	if r.OK() {
		return
	}
	m := r.Mismatches[0]
	pc := bytecode.PC(-1)
	if m.PC >= 0 && int(m.PC) < len(c.a.Rewrite.Original) {
		pc = c.a.Rewrite.Original[m.PC]
	}
	f := c.add(LayoutMismatch, pc, visible.Count(len(r.Mismatches), "place")+" in the machine code, first "+m.String())
	f.key = m.Text
}
