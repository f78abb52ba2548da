package rewrite

import (
	"math"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/kernel"
	"github.com/cilium/ebpf/asm"
)

// pruneBranches decides conditional jumps on constants before the verifier
// follows any path (kernel/bpf/const_fold.c bpf_prune_dead_branches, Linux
// 7.3). The instruction becomes `goto`, to the next one if the jump is not
// taken.
func pruneBranches(st *state, im *image) (*image, int, error) {
	folds, err := fold(st.src, im)
	if err != nil {
		return nil, 0, err
	}
	out, changed := im, 0
	folds.each(func(i int32, c *cells) {
		taken, ok := decide(im.slots[i].in, c)
		if !ok || im.slots[i].target == none {
			return
		}
		if !st.kernel.Has(kernel.PruneBranches) {
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

// decide returns whether a conditional jump is taken, and whether constants decide that. They never
// decide may_goto. Only constants below 2^32 count.
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
