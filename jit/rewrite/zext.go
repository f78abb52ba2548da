package rewrite

import (
	"slices"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/kernel"
	"github.com/cilium/ebpf/asm"
)

// findCmpxchg marks the 32-bit compare-and-exchange instructions that need a zero extension after
// them: R0, which they load, may be read as a whole later. x86-64 extends all other 32-bit results
// by itself (kernel/bpf/liveness.c bpf_compute_live_registers, Linux 7.3; before 7.1 the verifier
// determines it along the paths that it follows, so unseen instructions do not count, and neither
// does the exit of a struct_ops that returns nothing, which is not known here).
func findCmpxchg(st *state, im *image) (map[int32]cfg.Truth, error) {
	var at []int32
	for i, s := range im.slots {
		if s.marks&markSecond == 0 && isCmpxchg32(s.in) {
			at = append(at, int32(i))
		}
	}
	if len(at) == 0 {
		return nil, nil
	}
	g, err := graphOf(st.src, im)
	if err != nil {
		return nil, err
	}
	follows := !st.kernel.Has(kernel.PruneBranches)
	live := highLive(im, g, follows, true)
	sure := live
	if follows && st.src.Type == "struct_ops" {
		sure = highLive(im, g, follows, false)
	}
	out := map[int32]cfg.Truth{}
	for _, i := range at {
		switch {
		case sure[i]:
			out[i] = cfg.Yes
		case live[i]:
			out[i] = cfg.Maybe
		}
	}
	return out, nil
}

// isCmpxchg32 reports whether the instruction is a 32-bit compare-and-exchange, in an
// arena or not.
func isCmpxchg32(in bytecode.Insn) bool {
	mode := in.Mode()
	return in.Class() == asm.StXClass && (mode == asm.AtomicMode || mode == modeProbeAtomic) &&
		in.Size() == asm.Word && in.Imm == atomicCmpxchg
}

// highLive returns for each slot whether the high half of R0 may be read
// after it: a backward analysis of one bit, block by block. Exits says that they read it.
func highLive(im *image, g *graph, onlySeen, exits bool) []bool {
	preds := make([][]node, g.nodes())
	for n := range node(g.nodes()) {
		g.eachSucc(n, func(to node) { preds[to] = append(preds[to], n) })
	}
	after := make([]bool, len(im.slots))
	end := make([]bool, g.nodes()) // by node: live at its end
	work := newQueue(g.nodes())
	for n := range node(g.nodes()) {
		work.push(n)
	}
	for work.more() {
		n := work.pop()
		live := end[n]
		if !g.isHub(n) {
			live = highBefore(im, g, cfg.BlockID(n), live, onlySeen, exits, after)
		}
		if !live {
			continue
		}
		for _, p := range preds[n] {
			if !end[p] {
				end[p] = true
				work.push(p)
			}
		}
	}
	return after
}

// highBefore returns whether the high half of R0 is live before a block, given whether it is after
// it, and records for its slots whether it is live after each.
func highBefore(im *image, g *graph, b cfg.BlockID, live, onlySeen, exits bool, after []bool) bool {
	if onlySeen && im.slots[g.Blocks[b].Start].marks&markSeen == 0 {
		return false
	}
	pcs := slices.Collect(g.insns(b))
	for _, i := range slices.Backward(pcs) {
		in := im.slots[i].in
		after[i] = live
		live = readsHigh(in) && (exits || in.Code != bytecode.CodeExit) || live && !writesR0(in)
	}
	return live
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
		case in.IsGotox(), in.IsCallx():
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
		return in.Code == bytecode.CodeCall || in.IsCallx()
	}
	return false
}

// extendCmpxchg puts the zero extension after the marked instructions, and after those that a patch
// has touched, because the kernel keeps no information about them (kernel/bpf/fixups.c
// bpf_opt_subreg_zext_lo32_rnd_hi32).
func extendCmpxchg(st *state, im *image) (*image, int, error) {
	b, changed := newBuilder(im), 0
	for i, s := range im.slots {
		if s.marks&markSecond != 0 || !isCmpxchg32(s.in) || s.marks&markPatched == 0 && st.zext[s.orig] == cfg.No {
			b.keep(i)
			continue
		}
		if s.in.Mode() == modeProbeAtomic && !st.kernel.Has(kernel.ArenaZext) {
			b.replace(i, s.unpredicted()) // some stable releases have it
			changed++
			continue
		}
		extend := raw(w32|opMov|byReg, bytecode.R0, bytecode.R0, 0, 1)
		if s.marks&markPatched == 0 && st.zext[s.orig] == cfg.Maybe {
			s, extend = s.unpredicted(), extend.unpredicted()
		}
		b.patch(i, s, extend)
		changed++
	}
	if changed == 0 {
		return im, 0, nil
	}
	return b.finish(), changed, nil
}
