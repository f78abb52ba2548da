package abstract

import (
	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/abstract/scalar"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// staleLink reports whether a computation makes the verifier know a wrong number later:
// it links a number by what is left of a link that has ended, or one that was added to
// itself by the sum. What is left is kept in out.
//
// Source: kernel/bpf/verifier.c adjust_reg_min_max_vals and sync_linked_regs, Linux
// 6.12 and 7.2, and programs that 6.19.14 was asked of.
func (r *run) staleLink(in bytecode.Insn, op scalar.Op, dst, out *Value) bool {
	if r.a.opt.Rules != Kernel || dst.id == 0 && dst.delta == 0 {
		return false
	}
	own := op == scalar.Add && in.Source() == asm.RegSource && in.Dst == in.Src
	if out.id == 0 && dst.delta != 0 || own {
		r.a.f.felt.StaleLinks = true
	}
	if !r.a.opt.Quirks.StaleLinks {
		return false
	}
	if _, fixed := dst.Off.IsConst(); own && fixed && dst.id != 0 {
		return true
	}
	if out.id == 0 {
		out.delta = dst.delta
		return false
	}
	return dst.add == 0 && dst.delta != 0
}
