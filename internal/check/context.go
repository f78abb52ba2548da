package check

import (
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
)

// context is the state that all checks share.
type context struct {
	a     *pipeline.Analysis
	p     *bytecode.Program
	g     *cfg.Graph
	found []Finding
	left  leftOut
	tree  *tree                 // of shortest paths, made when first needed
	ids   map[identified]string // of findings, for all kernels

	assumed [][]bytecode.PC       // see unions
	unwound *bool                 // see unwinds; nil until needed
	tables  []tableInfo           // of Program.Tables
	forward []cfg.BlockID         // scratch of join
	seen    []int64               // scratch of join
	byPC    map[bytecode.PC][]int // findings before the kernel's words are added
}

func newContext(a *pipeline.Analysis) *context {
	c := &context{a: a, p: a.Program, g: a.Graph, ids: map[identified]string{}}
	c.tables = c.tableInfos()
	return c
}

// add records a finding at an instruction and returns it, so that the caller can fill in more; -1
// is the whole program. The pointer is good until the next call. Beyond maxAlike of its kind the
// finding is only counted.
func (c *context) add(id ID, pc bytecode.PC, message string) *Finding {
	f := c.make(id, pc, message)
	if c.left.full(id) {
		return c.left.add(f)
	}
	c.found = append(c.found, f)
	return &c.found[len(c.found)-1]
}

// place returns the index of the finding that add has just returned, -1 for one that is only
// counted.
func (c *context) place(f *Finding) int {
	if last := len(c.found) - 1; last >= 0 && f == &c.found[last] {
		return last
	}
	return -1
}

// make returns a finding at an instruction.
func (c *context) make(id ID, pc bytecode.PC, message string) Finding {
	f := Finding{
		ID: id, Level: id.Info().Level, Program: c.p.Name, Function: c.function(pc), PC: pc, Block: cfg.NoBlock,
		Location: c.location(pc), Message: message, Fix: id.Info().Fix,
	}
	if b, ok := c.g.BlockAt(pc); ok {
		f.Block, f.from = b, c
	}
	return f
}

// unions returns the targets that Linux's control-flow pass assumes for every gotox of
// each subprogram.
func (c *context) unions() [][]bytecode.PC {
	if c.assumed == nil {
		c.assumed = cfg.Unions(c.p)
	}
	return c.assumed
}

// function returns the name of the subprogram at pc; of the program's entry for
// the whole program.
func (c *context) function(pc bytecode.PC) string {
	sub := c.p.SubprogAt(max(pc, 0))
	if sub < 0 {
		return c.p.Name
	}
	return functionName(c.p, sub)
}

// functionName returns a subprogram's name, or one made from its start.
func functionName(p *bytecode.Program, sub int) string {
	if n := p.Subprogs[sub].Name; n != "" {
		return n
	}
	return "func_" + p.Subprogs[sub].Start.String()
}

// location returns the C place of an instruction, the zero value when there is
// none. The whole program is at its first instruction.
func (c *context) location(pc bytecode.PC) Location { return locate(c.p, pc) }

func locate(p *bytecode.Program, pc bytecode.PC) Location {
	l, ok := p.LineAt(max(pc, 0))
	if !ok {
		return Location{}
	}
	return Location{File: l.File, Line: l.Line, Col: l.Col, Text: strings.TrimSpace(l.Text)}
}

// reached reports whether an execution can reach the instruction.
func (c *context) reached(pc bytecode.PC) bool { return c.a.Succ.Exact.Reached(pc) }

// each calls f for every instruction of a range of slots.
func (c *context) each(start, end bytecode.PC, f func(pc bytecode.PC)) {
	for pc := start; pc < end; pc += c.p.Insns[pc].Slots() {
		f(pc)
	}
}
