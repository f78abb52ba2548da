package check

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"

	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/cases"
	"github.com/bpfcfg/bpfcfg/internal/visible"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/succ"
)

// Code is the part of one program that the search for dead C code in an object needs: it is small,
// so that those of all programs of an object fit in memory. A line of C is dead only if none of its
// copies is reached: it may be inlined many times, and be in several programs.
type Code struct {
	live     map[sourceLine]liveness
	switches map[sourceLine]*switchUse // those that became a table
	dead     []deadRegion
}

// sourceLine is a line of a C file. Different files of several objects may have the same name, so
// the text of the line is part of it.
type sourceLine struct {
	file string
	line int
	text uint64 // hash of the text
}

// lineOf returns a line.
func lineOf(file string, line int, text string) sourceLine {
	h := fnv.New64a()
	_, _ = h.Write([]byte(strings.TrimSpace(text)))
	return sourceLine{file, line, h.Sum64()}
}

// deadRegion is code that no execution reaches because of one branch or switch.
type deadRegion struct {
	at      Finding      // as made by add, at the branch; without a message
	lines   []sourceLine // of its instructions, ascending
	texts   map[sourceLine]string
	insns   int
	shape   string // of its instructions
	cases   []int  // that do not happen, of a switch: their values in C
	why     string
	now     bool // dead with the current configuration; other values may reach it
	test    bool // the branch is a test that a verifier may need, and the code that it guards does nothing
	copied  bool // the compiler has put a constant there that decides the branch
	related []Related
}

// code collects the lines that executions reach and the dead regions. Where targets
// of jumps are unknown, or Linux refuses the program, nothing is known to be dead.
func (c *context) code() *Code {
	out := &Code{live: map[sourceLine]liveness{}, switches: map[sourceLine]*switchUse{}}
	known := c.a.Succ.Exact.Complete() && !Broken(c.found)
	for _, in := range c.a.Succ.Indirect {
		known = known && (!in.Reached || in.Status != succ.Unresolved)
	}
	always := c // whether it is dead does not matter
	if known {
		seen := make([]bool, c.p.Len())
		out.dead = c.deadRegions(seen)
		if len(out.dead) > 0 {
			always = c.inAnyConfiguration()
		}
		if always != c { // each instruction is in one region, and the stronger reason wins
			clear(seen)
			out.dead = always.deadRegions(seen)
			for _, r := range c.deadRegions(seen) {
				r.now = true
				out.dead = append(out.dead, r)
			}
		}
	}
	c.linesInto(out, known, liveNow)
	always.linesInto(out, known, liveAlways)
	return out
}

// linesInto adds which lines and cases executions reach; all of them if nothing is known.
func (c *context) linesInto(out *Code, known bool, when liveness) {
	c.switches(out.switches, when)
	for i, l := range c.p.Lines {
		end := c.p.Len()
		if i+1 < len(c.p.Lines) {
			end = c.p.Lines[i+1].PC
		}
		if at := lineOf(l.File, l.Line, l.Text); l.Line > 0 {
			c.each(l.PC, end, func(pc bytecode.PC) {
				if !known || c.reached(pc) {
					out.live[at] |= when
				}
			})
		}
	}
}

// inAnyConfiguration returns the context of the same program whose configuration may
// have any values: the variables that are const volatile, which the loader writes.
func (c *context) inAnyConfiguration() *context {
	a, err := c.a.AnyConfiguration()
	if err != nil || a == nil {
		return c
	}
	d := *c
	d.a, d.p, d.g, d.tree = a, a.Program, a.Graph, nil
	return &d
}

// deadRegions finds the code after each branch and switch that never goes there.
// Each block is in one region, so the cost is linear; seen is by slot.
func (c *context) deadRegions(seen []bool) []deadRegion {
	var out []deadRegion
	exact := c.a.Succ.Exact
	for b := range c.g.Blocks {
		id := cfg.BlockID(b)
		lo, hi := c.g.SuccIDs(id)
		last := c.g.Blocks[b].Last
		if !exact.BlockReached(id) || c.p.Flow(last).Kind != bytecode.FlowCond || hi-lo != 2 ||
			exact.EdgeFeasible(lo) == exact.EdgeFeasible(lo+1) {
			continue
		}
		i := lo
		if exact.EdgeFeasible(lo) {
			i = lo + 1
		}
		r, ok := c.region(seen, last, c.g.Edges()[i].To)
		if !ok {
			continue
		}
		at := c.location(last)
		r.why = fmt.Sprintf("the test at insn %d always goes the other way", last)
		if at.Known() {
			r.why = fmt.Sprintf("the test in line %d always goes the other way", at.Line)
		}
		r.test = c.nullTest(id) || c.needed(id) && r.idle(c)
		r.copied = c.decidedByConstant(id)
		r.related = c.facts(id)
		out = append(out, r)
	}
	for i := range c.a.Succ.Indirect {
		if r, ok := c.deadCases(seen, &c.a.Succ.Indirect[i]); ok {
			out = append(out, r)
		}
	}
	return out
}

// region collects the dead blocks that are reached from the given ones and are in no
// region yet; there may be none.
func (c *context) region(seen []bool, at bytecode.PC, from ...cfg.BlockID) (deadRegion, bool) {
	r := deadRegion{texts: map[sourceLine]string{}}
	var blocks []cfg.BlockID
	for stack := from; len(stack) > 0; {
		b := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		start := c.g.Blocks[b].Start
		if seen[start] || c.a.Succ.Exact.BlockReached(b) {
			continue
		}
		for pc := start; pc < c.g.Blocks[b].End; pc++ {
			seen[pc] = true
		}
		blocks = append(blocks, b)
		for _, s := range c.g.Succs(b) {
			stack = append(stack, s.To)
		}
	}
	if len(blocks) == 0 {
		return r, false
	}
	slices.Sort(blocks)
	var text strings.Builder
	for _, b := range blocks {
		c.each(c.g.Blocks[b].Start, c.g.Blocks[b].End, func(pc bytecode.PC) {
			r.insns++
			text.WriteString(shape(c.p.Text(pc)) + "\n")
			if l := c.location(pc); l.Known() {
				at := lineOf(l.File, l.Line, l.Text)
				r.texts[at] = l.Text
				r.lines = append(r.lines, at)
			}
		})
	}
	slices.SortFunc(r.lines, compareLines)
	r.lines = slices.Compact(r.lines)
	r.shape = text.String()
	r.at = c.make(DeadCode, at, "")
	start := c.g.Blocks[blocks[0]].Start
	r.at.Related = []Related{{c.location(start), start, "dead: first of " + visible.Count(len(blocks), "block")}}
	return r, true
}

func compareLines(a, b sourceLine) int {
	if c := strings.Compare(a.file, b.file); c != 0 {
		return c
	}
	return cmp.Or(a.line-b.line, cmp.Compare(a.text, b.text))
}

// idle reports whether dead code only leaves: no calls and no stores, a few instructions of a line
// or two.
func (r *deadRegion) idle(c *context) bool {
	return r.insns <= 6 && len(r.lines) <= 2 && !strings.Contains(r.shape, "call") && !strings.Contains(r.shape, "*(") &&
		!strings.Contains(r.shape, "gotox")
}

// needed reports whether the branch at the end of a block is of a kind that some
// verifier needs to accept a program: a pointer against null or another pointer, or a
// bound of a number. That the facts here prove more does not make it useless.
func (c *context) needed(b cfg.BlockID) bool {
	in := c.p.Insns[c.g.Blocks[b].Last]
	switch in.JumpOp() {
	case asm.JGT, asm.JGE, asm.JLT, asm.JLE, asm.JSGT, asm.JSGE, asm.JSLT, asm.JSLE:
		return true
	case asm.JEq, asm.JNE:
		return in.Source() == asm.ImmSource && in.Imm == 0 && in.Class() == asm.JumpClass
	}
	return false
}

// decidedByConstant reports whether the branch at the end of a block tests a constant that the
// compiler has loaded in the block, which has no line of its own: the rest of a function that was
// inlined for one caller. Other copies have lost the lines that are dead here.
func (c *context) decidedByConstant(b cfg.BlockID) bool {
	at := c.lastWrite(b, c.p.Insns[c.g.Blocks[b].Last].Dst)
	if at < 0 {
		return false
	}
	w := c.p.Insns[at]
	if slices.ContainsFunc(c.p.Lines, func(l bytecode.Line) bool { return l.PC == at }) {
		return false // the C source has the test
	}
	return w.Class().IsALU() && w.ALUOp() == asm.Mov && w.Source() == asm.ImmSource
}

// nullTest reports whether the branch at the end of a block compares a pointer with
// null: what a helper returned, or a register that holds a pointer.
func (c *context) nullTest(b cfg.BlockID) bool {
	last := c.g.Blocks[b].Last
	in := c.p.Insns[last]
	if op := in.JumpOp(); op != asm.JEq && op != asm.JNE || in.Source() != asm.ImmSource || in.Imm != 0 ||
		in.Class() != asm.JumpClass {
		return false
	}
	reg, before := in.Dst, last
	for {
		at := c.lastWriteBefore(b, reg, before)
		if at < 0 {
			break
		}
		w := c.p.Insns[at]
		if w.Class() != asm.ALU64Class || w.ALUOp() != asm.Mov || w.Source() != asm.RegSource || w.Off != 0 {
			return w.Code == bytecode.CodeCall
		}
		reg, before = w.Src, at // a copy
	}
	known := strings.Join(c.register(b, reg), " ")
	return strings.Contains(known, "map_value") || strings.Contains(known, "ptr") || strings.Contains(known, "mem")
}

// deadCases collects the cases of a switch that never happen, and the code that is dead because of
// them.
func (c *context) deadCases(seen []bool, in *succ.Indirect) (deadRegion, bool) {
	if in.Op != "gotox" || !in.Reached || len(in.Tables) != 1 || in.Tables[0].Table < 0 {
		return deadRegion{}, false
	}
	u := &in.Tables[0]
	selected := map[int]bool{}
	for _, i := range u.Selected {
		selected[i] = true
	}
	other, hasOther := c.otherwise(in.PC)
	live := map[bytecode.PC]bool{} // shared with a case that happens
	for i, pc := range c.p.Tables[u.Table].Targets {
		live[pc] = live[pc] || selected[i]
	}
	var dead []int
	var from []cfg.BlockID
	for i, pc := range c.p.Tables[u.Table].Targets {
		b, ok := c.g.BlockAt(pc)
		if selected[i] || !ok || hasOther && pc == other || !hasOther && (live[pc] || c.reached(pc)) {
			continue
		}
		dead = append(dead, i)
		if !c.a.Succ.Exact.BlockReached(b) {
			from = append(from, b)
		}
	}
	if len(dead) == 0 {
		return deadRegion{}, false
	}
	r, ok := c.region(seen, in.PC, from...)
	if !ok {
		r.at = c.make(DeadCode, in.PC, "")
	}
	var known bool
	r.cases, r.why, known = c.caseNames(in, dead)
	return r, ok || known // other tables are not a switch of C
}

// otherwise returns where the code before an indirect jump goes when the index is
// beyond the table: the default of the switch.
func (c *context) otherwise(pc bytecode.PC) (bytecode.PC, bool) {
	b, _ := c.g.BlockAt(pc)
	for range 4 {
		preds := c.g.Preds(b)
		if len(preds) != 1 {
			return 0, false
		}
		from := preds[0].From
		if c.p.Flow(c.g.Blocks[from].Last).Kind == bytecode.FlowCond {
			for _, e := range c.g.Succs(from) {
				if e.To != b {
					return c.g.Blocks[e.To].Start, true
				}
			}
			return 0, false
		}
		b = from
	}
	return 0, false
}

// switches adds the cases that happen of the switches that became tables.
func (c *context) switches(out map[sourceLine]*switchUse, when liveness) {
	for i := range c.a.Succ.Indirect {
		in := &c.a.Succ.Indirect[i]
		l := c.location(in.PC)
		if in.Op != "gotox" || !in.Reached || !l.Known() {
			continue
		}
		at := lineOf(l.File, l.Line, l.Text)
		if out[at] == nil {
			out[at] = &switchUse{cases: map[int]liveness{}, programs: 1}
		}
		bias, known := cases.Bias(c.a, in)
		if !known || in.Status == succ.Unresolved {
			out[at].unknown |= when
			continue
		}
		for _, n := range in.Tables[0].Selected {
			out[at].cases[n+bias] |= when
		}
	}
}

// caseNames gives cases their values in C if they are known, and the reason why they do not happen;
// otherwise it names the entries of the table.
func (c *context) caseNames(in *succ.Indirect, dead []int) (values []int, why string, known bool) {
	u := &in.Tables[0]
	bias, known := cases.Bias(c.a, in)
	if !known {
		return nil, "no index selects " + entryList(dead) + " of table " + u.Name, false
	}
	return shifted(dead, bias), "the value is " + runs(shifted(u.Selected, bias)) + " or takes the default", true
}

// shifted adds n to all numbers.
func shifted(list []int, n int) []int {
	out := make([]int, len(list))
	for i, v := range list {
		out[i] = v + n
	}
	return out
}

// Alive is the code of a program that is not checked: all its lines may execute.
func Alive(p *bytecode.Program) *Code {
	out := &Code{live: map[sourceLine]liveness{}}
	for _, l := range p.Lines {
		out.live[lineOf(l.File, l.Line, l.Text)] = liveAlways | liveNow
	}
	return out
}

// Program is Findings with what Join needs.
func Program(a *pipeline.Analysis, e Expect) ([]Finding, *Code) {
	c := newContext(a)
	c.collect(e)
	code := c.code()
	return c.done(), code
}
