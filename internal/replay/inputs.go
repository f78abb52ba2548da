package replay

import (
	"encoding/binary"

	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/jit"
)

// functionInputs fills in the verifier's knowledge of each function.
func (r *recovery) functionInputs() {
	p := r.prog
	tail := tailCallReachable(p)
	for i := range r.s.funcs {
		f, e := &p.Funcs[i], r.entries[i]
		f.StackDepth = r.stackDepth(i)
		f.TailCallReachable = tail[i]
		if e.ok && e.counts != tail[i] {
			f.TailCallReachable = e.counts
			r.note("function %d keeps the tail-call counter: %t", i, e.counts)
		}
		f.OutStackArgs = r.outgoing(f)
		if e.private {
			f.PrivateStack = true
			f.PrivateStackPtr = e.privateEnd - 8 - uint64((f.StackDepth+7)&^7)
			r.note("private stack of function %d, its address", i)
		}
		if e.arena != 0 && r.s.arena {
			p.ArenaStart = e.arena
			r.note("address of the arena")
		}
	}
}

// stackDepth returns the stack depth of function i: the deepest place below
// the frame pointer that its instructions name, if the recorded frame agrees;
// otherwise the recorded frame, which is a multiple of 8.
func (r *recovery) stackDepth(i int) int {
	f := r.prog.Funcs[i]
	depth := deepest(r.prog.Insns[f.Start:f.End])
	if i == 0 && r.s.depth >= 0 {
		depth = r.s.depth
	}
	e := r.entries[i]
	if e.ok && !e.private && (depth+7)&^7 != e.frame {
		r.note("stack depth of function %d: %d", i, e.frame)
		return e.frame
	}
	return depth
}

// outgoing returns the number of outgoing stack arguments of a function, plus
// one as the kernel counts: those stored below the parameter register.
func (r *recovery) outgoing(f *jit.Func) int {
	if !r.prof.StackArgs {
		return 0
	}
	slots := 0
	for _, in := range r.prog.Insns[f.Start:f.End] {
		store := in.Class() == asm.StXClass || in.Class() == asm.StClass
		if store && in.Dst == bytecode.R11 && in.Off < 0 {
			slots = max(slots, int(-in.Off)/8)
		}
	}
	return slots
}

// indirectTargets marks the targets that the verifier followed: from its log
// if there is one, else by the landing pads in the code.
func (r *recovery) indirectTargets() {
	if !r.prof.IBT || !r.prof.EndbrTargets {
		return
	}
	marks := make([]bool, len(r.prog.Insns))
	if r.s.follows != nil && len(r.s.lines) > 0 {
		for _, l := range r.s.lines {
			if l.insn >= 0 && r.s.follows[l.insn] {
				marks[l.slot] = true
			}
		}
		r.prog.IndirectTarget = marks
		return
	}
	for _, t := range r.s.tables {
		for _, c := range t.cells {
			if c.slot == jit.Deleted {
				continue
			}
			fn := r.s.funcs[r.funcOf(c.slot)]
			if c.off < 0 || int(c.off)+4 > fn.len {
				continue
			}
			code := r.s.code[fn.off+int(c.off):]
			if !marks[c.slot] && binary.BigEndian.Uint32(code) == 0xf30f1efa {
				marks[c.slot] = true
				r.note("targets that the verifier followed")
			}
		}
	}
	r.prog.IndirectTarget = marks
}
