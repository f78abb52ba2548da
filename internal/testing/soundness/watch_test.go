package soundness

import (
	"fmt"

	"github.com/bpfcfg/bpfcfg/abstract"
	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/testing/interp"
	"github.com/bpfcfg/bpfcfg/succ"
)

// watcher checks what a machine does against what was found out about the
// program. It keeps the first contradiction.
type watcher struct {
	r       *succ.Result
	vm      *interp.VM
	targets map[bytecode.PC]map[bytecode.PC]bool // Exact of each gotox and callx
	open    map[bytecode.PC]bool                 // jumps whose targets are unresolved
	steps   int
	edges   int
	moments int
	why     string
	facts   []named
	moment  moment
	count   []int // of each slot, how often it was executed; nil for no matter
}

// watch returns a watcher for a program.
func watch(r *succ.Result) *watcher {
	w := &watcher{r: r, targets: map[bytecode.PC]map[bytecode.PC]bool{}, open: map[bytecode.PC]bool{}}
	w.facts = []named{{"kernel", r.Facts}}
	for _, d := range r.Facts.Indirect() {
		if d.Unresolved != "" { // Linux refuses the program there, and follows nothing
			w.facts = nil
		}
	}
	if r.Exact != r.Facts {
		w.facts = append(w.facts, named{"exact", r.Exact})
	}
	for _, in := range r.Indirect {
		w.open[in.PC] = in.Status == succ.Unresolved
		w.targets[in.PC] = map[bytecode.PC]bool{}
		for _, pc := range in.Exact {
			w.targets[in.PC][pc] = true
		}
	}
	return w
}

func (w *watcher) fail(format string, args ...any) {
	if w.why == "" {
		w.why = fmt.Sprintf(format, args...)
	}
}

// step checks the instruction that is about to be executed.
func (w *watcher) step(pc bytecode.PC, regs *interp.Regs) {
	if w.why != "" {
		return
	}
	w.steps++
	if w.count != nil {
		w.count[pc]++
	}
	b, ok := w.r.Graph.BlockAt(pc)
	if !ok {
		w.fail("slot %d is executed and in no block", pc)
		return
	}
	for _, facts := range w.facts {
		if !facts.Reached(pc) {
			w.fail("slot %d is executed, and %s facts do not reach it", pc, facts.name)
		}
	}
	if w.why == "" && w.r.Graph.Blocks[b].Start == pc {
		w.moments++
		w.admits(b, pc, regs)
	}
}

// named is a set of facts with its name.
type named struct {
	name string
	*abstract.Facts
}

// admits checks registers and stack at the start of a block.
func (w *watcher) admits(b cfg.BlockID, pc bytecode.PC, regs *interp.Regs) {
	w.moment = moment{vm: w.vm, regs: regs}
	for _, facts := range w.facts {
		if m := &w.moment; !facts.Admits(b, m) {
			w.fail("slot %d: %s facts %q admit no such moment: registers %x; %v",
				pc, facts.name, facts.EntryText(b), *regs, facts.Refusals(b, m))
		}
	}
}

// kinds translates the steps of the machine into edges of the graph.
var kinds = map[interp.EdgeKind]cfg.Kind{
	interp.Next: cfg.FallThrough, interp.Taken: cfg.Taken, interp.Jump: cfg.Goto, interp.Indirect: cfg.Indirect,
	interp.Call: cfg.Call, interp.Callback: cfg.Callback, interp.Return: cfg.Return,
}

// edge checks a step from slot to slot.
func (w *watcher) edge(from, to bytecode.PC, kind interp.EdgeKind) {
	if w.why != "" {
		return
	}
	g := w.r.Graph
	b, _ := g.BlockAt(from)
	c, ok := g.BlockAt(to)
	if !ok {
		w.fail("control goes from slot %d to %d, which is in no block", from, to)
		return
	}
	if t, indirect := w.targets[from]; indirect && (kind == interp.Indirect || kind == interp.Call) {
		if !t[to] && !w.open[from] {
			w.fail("slot %d jumps to %d, which is not among its exact targets", from, to)
		}
	}
	if b == c && kind == interp.Next && g.Blocks[b].Last != from {
		return // inside of a block
	}
	if g.Blocks[b].Last != from || g.Blocks[c].Start != to {
		w.fail("control goes from slot %d to %d, from the middle of a block or into it", from, to)
		return
	}
	w.edges++
	lo, hi := g.SuccIDs(b)
	for i := lo; i < hi; i++ {
		if e := g.Edges()[i]; e.To == c && (e.Kind == kinds[kind] || kind == interp.Call && e.Kind == cfg.Indirect) {
			for _, facts := range w.facts {
				if !facts.EdgeFeasible(i) {
					w.fail("the edge from slot %d to %d is taken, and %s facts exclude it", from, to, facts.name)
				}
			}
			return
		}
	}
	if !w.open[from] {
		w.fail("the graph has no %v edge from slot %d to %d", kinds[kind], from, to)
	}
}
