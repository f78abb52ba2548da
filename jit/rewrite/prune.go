package rewrite

import (
	"math"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/kernel"
	"github.com/cilium/ebpf/asm"
)

// findPointers finds the constants of the source program and what follows from
// them: maps of calls, and without better facts the accesses through special
// pointers. It changes no instruction.
func findPointers(st *state, im *image) (*image, int, error) {
	st.folds = fold(st.src, im)
	st.gatherCalls()
	if st.facts.Accesses != nil {
		return im, 0, nil
	}
	out := im.clone()
	tracePointers(st, out)
	st.mustCtx = make([]bool, len(im.slots))
	st.folds.each(func(i int32, c *cells) {
		in := im.slots[i].in
		if in.Class() == asm.LdXClass && in.Src <= bytecode.R10 && c[in.Src].kind == cellCtx {
			st.mustCtx[i] = true
		}
	})
	return out, 0, nil
}

// pruneBranches decides conditional jumps on constants before the verifier
// follows any path (kernel/bpf/const_fold.c bpf_prune_dead_branches, Linux
// 7.3). The instruction becomes `goto`, to the next one if the jump is not
// taken.
func pruneBranches(st *state, im *image) (*image, int, error) {
	if !st.kernel.Has(kernel.PruneBranches) {
		return im, 0, nil
	}
	out, changed := im, 0
	st.folds.each(func(i int32, c *cells) {
		taken, ok := decide(im.slots[i].in, c)
		if !ok || im.slots[i].target == none {
			return
		}
		if changed == 0 {
			out = im.clone()
		}
		s := &out.slots[i]
		if s.in = nop; !taken {
			s.target = i + 1
		}
		changed++
	})
	return out, changed, nil
}

// each calls visit for each instruction that control may reach, in order, with
// the state in front of it.
func (f *folder) each(visit func(i int32, c *cells)) {
	var c cells // one for all blocks: visit makes it escape
	for b, i := range f.start {
		c = f.in[b]
		if c[0].kind == cellUnvisited {
			continue
		}
		for {
			visit(i, &c)
			if f.endsBlock(int(i)) {
				break
			}
			f.transfer(i, &c)
			i += int32(f.im.slots[i].in.Slots())
			if int(i) >= len(f.im.slots) || f.block[i] != none {
				break
			}
		}
	}
}

// decide returns whether a conditional jump is taken, and whether that is a
// matter of constants. may_goto never is. Only constants below 2^32 count.
func decide(in bytecode.Insn, c *cells) (taken, ok bool) {
	if !isCondJump(in) || in.JumpOp() == asm.JCOND || in.Dst > bytecode.R9 {
		return false, false
	}
	small := func(r bytecode.Reg) bool {
		return r <= bytecode.R9 && c[r].kind == cellConst && c[r].val <= math.MaxUint32
	}
	if !small(in.Dst) {
		return false, false
	}
	a, b := c[in.Dst].val, uint64(int64(in.Imm))
	if in.Source() == asm.RegSource {
		if !small(in.Src) {
			return false, false
		}
		b = c[in.Src].val
	}
	if in.Class() == asm.Jump32Class {
		// Sign extension keeps the order of unsigned numbers too.
		a, b = uint64(int32(a)), uint64(int32(b))
	}
	return compare(in.JumpOp(), a, b)
}

// compare evaluates the condition of a jump.
func compare(op asm.JumpOp, a, b uint64) (taken, ok bool) {
	switch op {
	case asm.JEq:
		return a == b, true
	case asm.JNE:
		return a != b, true
	case asm.JGT:
		return a > b, true
	case asm.JGE:
		return a >= b, true
	case asm.JLT:
		return a < b, true
	case asm.JLE:
		return a <= b, true
	case asm.JSGT:
		return int64(a) > int64(b), true
	case asm.JSGE:
		return int64(a) >= int64(b), true
	case asm.JSLT:
		return int64(a) < int64(b), true
	case asm.JSLE:
		return int64(a) <= int64(b), true
	case asm.JSet:
		return a&b != 0, true
	}
	return false, false
}

// gatherCalls completes the facts about helper calls by what the constants
// tell. A constant that holds on all paths of the graph holds on all paths
// that the verifier follows; the reverse is not so, which is why a call without
// either stays undecided.
func (st *state) gatherCalls() {
	f := st.folds
	f.each(func(i int32, c *cells) {
		in := f.im.slots[i].in
		pc := bytecode.PC(i)
		if _, known := st.calls[pc]; known || !in.IsHelperCall() {
			return
		}
		fact := CallFact{PC: pc, Map: NoMap, Key: -1, Callback: -1}
		mapReg := bytecode.R1
		switch asm.BuiltinFunc(in.Imm) {
		case asm.FnTailCall:
			mapReg = bytecode.R2
			if key := c[bytecode.R3]; key.kind == cellConst && key.val <= math.MaxUint32 {
				fact.Key = int64(key.val)
			}
			if fact.Key < 0 {
				return
			}
		case asm.FnLoop:
			if c[bytecode.R2].kind != cellFunc || c[bytecode.R4].kind != cellConst {
				return
			}
			fact.Callback = f.im.funcAt(int32(c[bytecode.R2].val))
			fact.FlagsZero = c[bytecode.R4].val == 0
			st.calls[pc] = fact
			return
		}
		if m := c[mapReg]; m.kind == cellMap && f.maps[m.id] != none {
			fact.Map = int(f.maps[m.id])
			st.calls[pc] = fact
		}
	})
}
