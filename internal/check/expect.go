package check

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/visible"
	"github.com/bpfcfg/bpfcfg/succ"
)

// Place is what an assertion is about: exactly one of a function, calls of a
// helper or kernel function, and a C line.
type Place struct {
	Function string
	Helper   string // "bpf_redirect"; the name of a kernel function, too
	File     string // the whole recorded name, or its end from a slash on
	Line     int
}

// String names the place.
func (p Place) String() string {
	switch {
	case p.Function != "":
		return "function " + p.Function
	case p.Helper != "":
		return "a call of " + p.Helper
	default:
		return fmt.Sprintf("line %s:%d", p.File, p.Line)
	}
}

// Expect lists further requirements for a program. The zero value has none; a nil limit is no
// limit.
type Expect struct {
	MustReach    []Place
	MustNotReach []Place
	MaxInsns     *int // instruction slots
	MaxImage     *int // bytes of machine code
	MaxTargets   *int // targets of one indirect jump or call
}

// expect checks the assertions.
func (c *context) expect(e Expect) {
	for _, p := range e.MustReach {
		c.mustReach(p)
	}
	for _, p := range e.MustNotReach {
		c.mustNotReach(p)
	}
	if m := e.MaxInsns; m != nil && int(c.p.Len()) > *m {
		c.add(MaxInsns, -1, fmt.Sprintf("the program has %s, more than %d",
			visible.Count(int(c.p.Len()), "instruction slot"), *m))
	}
	if m := e.MaxImage; m != nil && c.a.Image != nil && len(c.a.Image.Code) > *m {
		c.add(MaxImage, -1, fmt.Sprintf("the machine code has %s, more than %d",
			visible.Count(len(c.a.Image.Code), "byte"), *m))
	}
	for _, in := range c.a.Succ.Indirect {
		if m := e.MaxTargets; m != nil && in.Reached && len(in.Range) > *m {
			c.add(MaxTargets, in.PC, fmt.Sprintf("this %s has %s, more than %d", in.Op,
				visible.Count(len(in.Range), "target"), *m))
		}
	}
}

// mustReach reports a place that no execution reaches.
func (c *context) mustReach(p Place) {
	pcs := c.at(p)
	for _, pc := range pcs {
		if c.reached(pc) {
			return
		}
	}
	if len(pcs) == 0 {
		text := fmt.Sprintf("%s must be reachable, but the program does not contain it", p)
		if p.Function != "" {
			text = fmt.Sprintf("%s must be reachable, but the program does not contain it (the compiler may have inlined it)", p)
		}
		c.add(MustReach, -1, text).key = p.String()
		return
	}
	c.add(MustReach, pcs[0], fmt.Sprintf("%s must be reachable, but no execution reaches it", p)).key = p.String()
}

// mustNotReach reports a place that an execution may reach, or that an
// unresolved jump may lead to.
func (c *context) mustNotReach(p Place) {
	pcs := c.at(p)
	for _, pc := range pcs {
		if c.reached(pc) {
			c.add(MustNotReach, pc, fmt.Sprintf("%s must not be reachable, but an execution may reach it", p)).key = p.String()
			return
		}
	}
	if len(pcs) == 0 {
		return
	}
	for _, in := range c.a.Succ.Indirect {
		if in.Reached && in.Status == succ.Unresolved {
			f := c.add(MustNotReach, pcs[0], fmt.Sprintf("%s must not be reachable; because of the unresolved %s at insn %d "+
				"this cannot be ruled out", p, in.Op, in.PC))
			f.key = p.String()
			f.Related = []Related{{c.location(in.PC), in.PC, "unresolved"}}
			return
		}
	}
}

// at returns the instructions of a place, in program order.
func (c *context) at(p Place) []bytecode.PC {
	var out []bytecode.PC
	if p.Function != "" {
		for i := range c.p.Subprogs {
			if c.p.Subprogs[i].Name == p.Function {
				out = append(out, c.p.Subprogs[i].Start)
			}
		}
		return out
	}
	c.each(0, c.p.Len(), func(pc bytecode.PC) {
		if p.Helper != "" && c.calls(pc) == p.Helper || p.Line > 0 && p.isAt(c.location(pc)) {
			out = append(out, pc)
		}
	})
	return out
}

// calls returns the name of the helper or kernel function that an instruction
// calls, or nothing.
func (c *context) calls(pc bytecode.PC) string {
	in := c.p.Insns[pc]
	switch {
	case in.IsHelperCall():
		return bytecode.HelperName(in.Imm)
	case in.IsKfuncCall():
		if ref, ok := c.p.RefAt(pc); ok && ref.Kind == bytecode.RefKfunc {
			return ref.Name
		}
	}
	return ""
}

// isAt reports whether a location is the C line of the place.
func (p Place) isAt(l Location) bool {
	if l.Line != p.Line {
		return false
	}
	have, want := filepath.Clean(l.File), filepath.Clean(p.File)
	return have == want || strings.HasSuffix(have, "/"+want)
}
