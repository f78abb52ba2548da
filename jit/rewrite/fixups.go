package rewrite

import (
	"slices"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/kernel"
	"github.com/cilium/ebpf/asm"
)

// fixer is the state of the pass that rewrites single instructions.
type fixer struct {
	*state
	b  *builder
	ax bytecode.Reg
	fn int // function of the slot at hand
}

// fixUp rewrites the instructions that JITs do not know, and helper calls that have a shorter form
// (kernel/bpf/fixups.c bpf_do_misc_fixups). A program that throws and has no exception callback of
// its own gets one after its end.
func fixUp(st *state, im *image) (*image, int, error) {
	f := &fixer{state: st, b: newBuilder(im), ax: bytecode.Reg(st.prof.AXReg)}
	changed := 0
	for i, s := range im.slots {
		for f.fn+1 < len(im.funcs) && int(im.funcs[f.fn+1].start) <= i {
			f.fn++
		}
		var with []slot
		if s.marks&markSecond == 0 {
			with = f.fix(i, s)
		} else if st.percpuLoad(im, i) {
			first := im.slots[i-1].in
			with = []slot{s, percpuAddress(first.Dst)}
			with[0].marks |= markSecond
		}
		if with == nil {
			f.b.keep(i)
			continue
		}
		f.b.patch(i, with...)
		changed++
	}
	if st.throws != cfg.No && !st.hasCallback() {
		callback := []slot{
			raw(w64|opMov|byReg, bytecode.R0, bytecode.R1, 0, 0),
			raw(bytecode.CodeExit, 0, 0, 0, 0),
		}
		if st.throws == cfg.Maybe {
			callback = unpredicted(callback)
		}
		f.b.appendFunc(callback...)
		changed++
	}
	return f.b.finish(), changed, nil
}

// hasCallback reports whether the program names its own exception callback.
func (st *state) hasCallback() bool {
	for _, s := range st.src.Subprogs {
		if s.Exception {
			return true
		}
	}
	return false
}

// fix returns the replacement of an instruction, or nil.
func (f *fixer) fix(i int, s slot) []slot {
	in := s.in
	if in.Class() == asm.ALU64Class && in.ALUOp() == asm.Mov && in.Source() == asm.RegSource && in.Imm != 0 {
		return f.castAddressSpace(s)
	}
	if s.marks&markZext != 0 && in.Class() == asm.ALU64Class {
		s.in.Code = in.Code&^7 | w32
		return []slot{s}
	}
	if with := guardDivision(s, f.ax, f.kernel.Has(kernel.SignedGuards)); with != nil {
		return with
	}
	if isPacketLoad(in) {
		return f.packetLoad(s)
	}
	if in.Code == bytecode.CodeMayGoto {
		return f.mayGoto(s)
	}
	if in.Code != bytecode.CodeCall || in.Src == bytecode.CallSubprogram {
		return nil
	}
	if ref, ok := f.b.old.refAt(s); ok && ref.Kind == bytecode.RefKfunc || in.Src == bytecode.CallKfunc {
		return f.kfunc(s, ref.Name)
	}
	if in.Src == bytecode.CallHelper {
		return f.helper(i, s)
	}
	return nil
}

// mayGoto returns the replacement of a may_goto, which depends on the stack depth.
func (f *fixer) mayGoto(s slot) []slot {
	fn := f.b.old.funcs[f.fn]
	var with []slot
	if f.kernel.Has(kernel.TimedMayGoto) {
		f.useStack(mayGotoBytes)
		with = mayGotoBody(f.b, f.ax, fn.stackDepth, s.target)
	} else {
		f.useStack(mayGotoBytes / 2)
		with = plainMayGoto(f.ax, fn.stackDepth, s.target)
	}
	if fn.unsure {
		return unpredicted(with)
	}
	return with
}

// useStack makes room for the loop counter of the current function.
func (f *fixer) useStack(bytes int) {
	f.b.funcs[f.fn].stackExtra = bytes
	f.b.funcs[f.fn].stackDepth = f.b.old.funcs[f.fn].stackDepth + bytes
}

// castAddressSpace makes the cast of an arena pointer to a kernel pointer a
// move of the low half. The other direction is the JIT's, unless the arena is one
// that user space does not share (kernel/bpf/fixups.c is_addr_space_cast32, Linux
// 7.3, and before it bpf_do_misc_fixups).
func (f *fixer) castAddressSpace(s slot) []slot {
	const noUserConv = 1 << 18 // BPF_F_NO_USER_CONV
	switch {
	case s.in.Off != 1 || s.in.Imm != 1 && s.in.Imm != 1<<16:
		return nil
	case s.in.Imm == 1<<16:
		private := func(m bytecode.Map) bool { return m.Type == bytecode.MapArena && m.Flags&noUserConv != 0 }
		if !slices.ContainsFunc(f.src.Maps, private) {
			return nil
		}
	}
	s.in.Code, s.in.Off, s.in.Imm = w32|opMov|byReg, 0, 0
	return []slot{s}
}

// packetLoad replaces a load of classic BPF by a call that returns from the function if there is no
// such byte (net/core/filter.c bpf_gen_ld_abs).
func (f *fixer) packetLoad(s slot) []slot {
	var out []slot
	if s.in.Mode() == asm.AbsMode {
		out = append(out, raw(w64|opMov, bytecode.R2, 0, 0, s.in.Imm))
	} else {
		out = append(out, raw(w64|opMov|byReg, bytecode.R2, s.in.Src, 0, 0))
		if s.in.Imm != 0 {
			out = append(out, raw(w64|opAdd, bytecode.R2, 0, 0, s.in.Imm))
		}
	}
	bits := map[asm.Size]string{asm.Byte: "8", asm.Half: "16", asm.Word: "32"}[s.in.Size()]
	return append(out,
		raw(w64|opMov|byReg, bytecode.R1, bytecode.R6, 0, 0),
		f.b.kernelCall("bpf_skb_load_helper_"+bits+"_no_cache"),
		raw(j64|jsge, bytecode.R0, 0, 2, 0),
		raw(w32|opXor|byReg, bytecode.R0, bytecode.R0, 0, 0),
		raw(bytecode.CodeExit, 0, 0, 0, 0))
}

// kernelCall makes a call of a kernel function that is not a helper: the operand is a reference by
// name.
func (b *builder) kernelCall(symbol string) slot {
	return raw(bytecode.CodeCall, 0, 0, 0, 0).with(b.addRef(bytecode.RefKfunc, 0, symbol))
}

// address64 makes the two slots of an immediate load of a kernel address:
// RefKsym for a symbol of the kernel's image, RefUnknown for an object.
func (b *builder) address64(dst bytecode.Reg, kind bytecode.RefKind, name string) []slot {
	second := raw(bytecode.CodeInvalid, 0, 0, 0, 0)
	second.marks |= markSecond
	return []slot{
		raw(bytecode.CodeLdImm64, dst, 0, 0, 0).with(b.addRef(kind, 0, name)),
		second,
	}
}

// percpuAddress makes the instruction that turns a per-CPU offset into the
// address for this CPU: a move with Off -1 (BPF_MOV64_PERCPU_REG, Linux 6.10).
func percpuAddress(reg bytecode.Reg) slot { return raw(w64|opMov|byReg, reg, reg, -1, 0) }

// percpuLoad reports whether slot i is the second of a load of an address in a per-CPU array, which
// is still an offset.
func (st *state) percpuLoad(im *image, i int) bool {
	ref, ok := im.refAt(im.slots[i-1])
	return ok && ref.Kind == bytecode.RefMapValue && st.src.Maps[ref.Index].Type == mapPercpuArray
}
