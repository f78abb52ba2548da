package rewrite

import (
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/kernel"
	"github.com/cilium/ebpf/asm"
)

// findCmpxchg marks the 32-bit compare-and-exchange instructions that need a
// zero extension behind them: R0, which they load, may be read as a whole
// later. x86-64 extends all other 32-bit results by itself
// (kernel/bpf/liveness.c bpf_compute_live_registers, Linux 7.3; before 7.1 the
// verifier finds it out along the paths that it follows, so unseen
// instructions do not count then).
func findCmpxchg(st *state, im *image) map[int32]bool {
	var at []int32
	for i, s := range im.slots {
		if s.marks&markSecond == 0 && isCmpxchg32(s.in) {
			at = append(at, int32(i))
		}
	}
	if len(at) == 0 {
		return nil
	}
	live := highLive(im, st.folds, !st.kernel.Has(kernel.PruneBranches))
	out := map[int32]bool{}
	for _, i := range at {
		if live[i] {
			out[i] = true
		}
	}
	return out
}

// isCmpxchg32 reports whether the instruction is a 32-bit compare-and-exchange
// outside arenas.
func isCmpxchg32(in bytecode.Insn) bool {
	return in.Class() == asm.StXClass && in.Mode() == asm.AtomicMode && in.Size() == asm.Word &&
		in.Imm == atomicCmpxchg
}

// highLive returns for each slot whether the high half of R0 may be read
// behind it: a backward analysis of one bit, over the control-flow graph of the
// folder.
func highLive(im *image, f *folder, onlySeen bool) []bool {
	n := len(im.slots)
	preds := predecessors(im, f)
	after := make([]bool, preds.nodes())
	var work []int32
	wake := func(i int32) { // the high half is live in front of node i
		for _, p := range preds.of(i) {
			if onlySeen && int(p) < n && im.slots[p].marks&markSeen == 0 {
				continue
			}
			if !after[p] {
				after[p] = true
				work = append(work, p)
			}
		}
	}
	for i := range im.slots {
		if s := im.slots[i]; s.marks&markSecond == 0 && (!onlySeen || s.marks&markSeen != 0) && readsHigh(s.in) {
			wake(int32(i))
		}
	}
	for len(work) > 0 {
		i := work[len(work)-1]
		work = work[:len(work)-1]
		if int(i) >= n || !writesR0(im.slots[i].in) {
			wake(i)
		}
	}
	return after[:n]
}

// links holds the predecessors of nodes in one list. Nodes are slots, and
// behind them for each function a hub between its gotox instructions and their
// targets.
type links struct {
	first []int32 // by node: where its predecessors begin
	list  []int32
}

// nodes returns the number of nodes.
func (l *links) nodes() int { return len(l.first) - 1 }

// of returns the predecessors of a node.
func (l *links) of(i int32) []int32 { return l.list[l.first[i]:l.first[i+1]] }

// predecessors turns the control-flow graph of the folder around, with the
// targets that jumps have in im.
func predecessors(im *image, f *folder) *links {
	l := &links{first: make([]int32, len(im.slots)+len(im.funcs)+1)}
	eachEdge(im, f, func(_, to int32) { l.first[to+1]++ })
	for i := range l.nodes() {
		l.first[i+1] += l.first[i]
	}
	l.list = make([]int32, l.first[l.nodes()])
	next := append([]int32(nil), l.first...)
	eachEdge(im, f, func(from, to int32) {
		l.list[next[to]] = from
		next[to]++
	})
	return l
}

// eachEdge calls edge for each edge between slots and hubs.
func eachEdge(im *image, f *folder, edge func(from, to int32)) {
	n := int32(len(im.slots))
	for i := range n {
		s := im.slots[i]
		if s.marks&markSecond != 0 {
			continue
		}
		next := i + int32(s.in.Slots())
		switch {
		case s.in.Code == bytecode.CodeExit:
			continue
		case s.in.IsGotox():
			edge(i, n+int32(im.funcAt(i)))
			continue
		case s.in.Code == bytecode.CodeGoto, s.in.Code == bytecode.CodeGotol:
			edge(i, s.target)
			continue
		}
		if next < n {
			edge(i, next)
		}
		if isCondJump(s.in) && s.target != none {
			edge(i, s.target)
		} else if isTailCall(s.in) || isPacketLoad(s.in) {
			edge(i, f.last[im.funcAt(i)])
		}
	}
	for fn, list := range f.hubs {
		for _, b := range list {
			edge(n+int32(fn), f.start[b])
		}
	}
}

// readsHigh reports whether the instruction reads the high half of R0.
func readsHigh(in bytecode.Insn) bool {
	dst, src := in.Dst == bytecode.R0, in.Src == bytecode.R0
	byReg := in.Source() == asm.RegSource
	switch in.Class() {
	case asm.ALU64Class:
		if in.ALUOp() == asm.Mov {
			return byReg && src
		}
		return dst || byReg && src && in.ALUOp() != asm.Swap
	case asm.ALUClass:
		return dst && in.ALUOp() == asm.Swap
	case asm.LdClass:
		return isPacketLoad(in)
	case asm.LdXClass:
		return src
	case asm.StClass:
		return dst
	case asm.StXClass:
		if in.Mode() == asm.AtomicMode {
			return dst || src || in.Imm == atomicCmpxchg
		}
		return dst || src && in.Size() == asm.DWord
	case asm.JumpClass:
		switch {
		case in.Code == bytecode.CodeExit:
			return true
		case in.IsGotox():
			return dst
		case isCondJump(in) && in.Code != bytecode.CodeMayGoto:
			return dst || byReg && src
		}
	}
	return false
}

// writesR0 reports whether the instruction defines R0 without regard to its
// old value's high half.
func writesR0(in bytecode.Insn) bool {
	switch in.Class() {
	case asm.ALUClass, asm.ALU64Class, asm.LdXClass:
		return in.Dst == bytecode.R0
	case asm.LdClass:
		return in.IsWide() && in.Dst == bytecode.R0
	case asm.StXClass:
		r, ok := atomicLoad(in)
		return ok && r == bytecode.R0
	case asm.JumpClass:
		return in.Code == bytecode.CodeCall
	}
	return false
}

// extendCmpxchg puts the zero extension behind the marked instructions, and
// behind those that a patch has touched, about which the kernel knows no better
// (kernel/bpf/fixups.c bpf_opt_subreg_zext_lo32_rnd_hi32).
func extendCmpxchg(st *state, im *image) (*image, int, error) {
	b, changed := newBuilder(im), 0
	for i, s := range im.slots {
		if s.marks&markSecond != 0 || !isCmpxchg32(s.in) || s.marks&markPatched == 0 && !st.zext[s.orig] {
			b.keep(i)
			continue
		}
		extend := raw(w32|opMov|byReg, bytecode.R0, bytecode.R0, 0, 1)
		b.patch(i, s, extend)
		changed++
	}
	if changed == 0 {
		return im, 0, nil
	}
	return b.finish(), changed, nil
}
