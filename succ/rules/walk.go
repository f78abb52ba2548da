package rules

import (
	"fmt"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// Marks of a slot in the walk.
const (
	fallThrough = 1 << iota // the edge to the next instruction has been walked
	branch                  // the other edge has been walked
	discovered              // on the stack
	explored                // finished
	unwound                 // the edge to the landing pad has been walked
)

// walker is the kernel's depth-first walk over instructions.
type walker struct {
	c     *checker
	mark  []uint8
	stack []bytecode.PC
	edges int                           // of indirect jumps so far
	jt    map[bytecode.PC][]bytecode.PC // targets of each subprogram's indirect jumps, by its start
}

// walk finds instructions that no edge reaches, jumps into the middle of a
// 64-bit load, and bad jump tables, in the order in which a depth-first walk
// meets them. Values play no part: code that is dead by values is reached here.
//
// Source: kernel/bpf/cfg.c bpf_check_cfg, visit_insn and push_insn, Linux 7.3.
func (c *checker) walk() *Verdict {
	w := &walker{c: c, mark: make([]uint8, c.p.Len()), jt: map[bytecode.PC][]bytecode.PC{}}
	roots := []bytecode.PC{0}
	for _, s := range c.p.Subprogs {
		if s.Exception {
			roots = append(roots, s.Start)
		}
	}
	for _, root := range roots {
		if v := w.from(root); v != nil {
			return v
		}
	}
	return w.scan()
}

// from walks what can be reached from root.
func (w *walker) from(root bytecode.PC) *Verdict {
	if root >= bytecode.PC(len(w.mark)) || w.mark[root]&explored != 0 {
		return nil
	}
	w.mark[root] |= discovered
	w.stack = append(w.stack[:0], root)
	for len(w.stack) > 0 {
		top := w.stack[len(w.stack)-1]
		pushed, v := w.visit(top)
		if v != nil {
			return v
		}
		if !pushed && !w.pad(top) {
			w.mark[top] |= explored
			w.stack = w.stack[:len(w.stack)-1]
		}
	}
	return nil
}

// visit takes the next edge of an instruction and reports whether it led to a
// new one.
func (w *walker) visit(pc bytecode.PC) (pushed bool, v *Verdict) {
	f := w.c.p.Flow(pc)
	switch f.Kind {
	case bytecode.FlowExit:
		return false, nil
	case bytecode.FlowIndirect:
		return w.indirect(pc)
	case bytecode.FlowGoto, bytecode.FlowKey:
		return w.push(pc, f.Target, fallThrough)
	case bytecode.FlowCond:
		return w.both(pc, f.Next, f.Target)
	case bytecode.FlowCall, bytecode.FlowFuncAddr:
		return w.both(pc, f.Next, f.Callee)
	default:
		if pushed, v := w.push(pc, f.Next, fallThrough); pushed || v != nil {
			return pushed, v
		}
		return w.functions(pc), nil
	}
}

// pad walks the edge from a call to its landing pad.
func (w *walker) pad(pc bytecode.PC) bool {
	pad, ok := w.c.p.PadOf(pc)
	if !ok || !w.c.unwinds || w.mark[pc]&unwound != 0 || pad < 0 || pad >= w.c.p.Len() {
		return false
	}
	w.mark[pc] |= unwound
	return w.discover(pad)
}

// functions puts the functions on the stack whose addresses are in the table
// that an instruction refers to.
func (w *walker) functions(pc bytecode.PC) bool {
	if w.mark[pc]&branch != 0 {
		return false
	}
	w.mark[pc] |= branch
	pushed := false
	if ref, ok := w.c.p.RefAt(pc); ok {
		for _, to := range w.c.functionsIn(ref) {
			pushed = w.discover(to) || pushed
		}
	}
	return pushed
}

// both takes the first of two edges that has not been walked.
func (w *walker) both(pc, next, other bytecode.PC) (bool, *Verdict) {
	if pushed, v := w.push(pc, next, fallThrough); pushed || v != nil {
		return pushed, v
	}
	return w.push(pc, other, branch)
}

// push walks an edge unless it has been walked.
func (w *walker) push(from, to bytecode.PC, edge uint8) (bool, *Verdict) {
	if w.mark[from]&edge != 0 {
		return false, nil
	}
	if to < 0 || int(to) >= len(w.mark) {
		return false, reject(from, JumpLeaves, fmt.Sprintf("jump out of range from insn %d to %d", from, to))
	}
	w.mark[from] |= edge
	return w.discover(to), nil
}

// discover puts a slot on the stack unless it has been seen.
func (w *walker) discover(pc bytecode.PC) bool {
	if w.mark[pc]&(discovered|explored) != 0 {
		return false
	}
	w.mark[pc] |= discovered
	w.stack = append(w.stack, pc)
	return true
}

// indirect puts all targets of an indirect jump on the stack at once.
func (w *walker) indirect(pc bytecode.PC) (bool, *Verdict) {
	if w.mark[pc]&branch != 0 {
		return false, nil
	}
	w.mark[pc] |= branch
	start, end := w.c.bounds(pc)
	targets, ok := w.jt[start]
	if !ok {
		var v *Verdict
		if targets, v = w.c.targets(pc, start, end); v != nil {
			return false, v
		}
		w.jt[start] = targets
	}
	if w.edges += len(targets); w.c.set.MaxJumpEdges > 0 && w.edges > w.c.set.MaxJumpEdges {
		msg := fmt.Sprintf("number of indirect jump edges in the program exceeds %d", w.c.set.MaxJumpEdges)
		return false, &Verdict{Message: msg, PC: pc, Errno: "E2BIG", Rule: TooLarge}
	}
	if ok {
		return false, nil // an indirect jump of the subprogram was here before
	}
	pushed := false
	for _, to := range targets {
		pushed = w.discover(to) || pushed
	}
	return pushed, nil
}

// scan looks for instructions that the walk did not reach, in slot order.
func (w *walker) scan() *Verdict {
	for pc := bytecode.PC(0); pc < w.c.p.Len(); pc++ {
		if w.mark[pc]&explored == 0 {
			if v := w.c.unless(reject(pc, Unreachable, fmt.Sprintf("unreachable insn %d", pc))); v != nil {
				return v
			}
		}
		if w.c.p.Insns[pc].IsWide() {
			if w.mark[pc+1] != 0 {
				return reject(pc, MidLoad, fmt.Sprintf("jump into the middle of ldimm64 insn %d", pc))
			}
			pc++
		}
	}
	return nil
}
