package verify

import (
	"math/bits"
	"sort"
	"strings"

	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/kernel"
)

// helperForms checks a call of a helper or kernel function: a call, or the shorter form that the
// verifier chooses by its knowledge of the operands (kernel/bpf/fixups.c bpf_do_misc_fixups, Linux
// 7.3). Where it must take that, a call is wrong, and the other way round.
func (c *source) helperForms(pc bytecode.PC, in bytecode.Insn, end int32) bool {
	if in.Code == bytecode.CodeCall && in.Src == bytecode.CallKfunc {
		return c.kfuncForms(pc, in, end)
	}
	if !in.IsHelperCall() {
		return c.single(in)
	}
	switch fn := asm.BuiltinFunc(in.Imm); fn {
	case asm.FnTailCall:
		return c.tailCallForms(pc, end)
	case asm.FnLoop:
		return c.loopForms(pc, in, end)
	case asm.FnMapLookupElem, asm.FnMapUpdateElem, asm.FnMapDeleteElem, asm.FnMapPushElem, asm.FnMapPopElem,
		asm.FnMapPeekElem, asm.FnRedirectMap, asm.FnForEachMapElem, asm.FnMapLookupPercpuElem:
		return c.mapForms(pc, in, fn, end)
	case asm.FnSkStorageGet, asm.FnInodeStorageGet, asm.FnTaskStorageGet, asm.FnCgrpStorageGet:
		flags := p(w64|opMov, bytecode.R5, 0, 0, 0)
		flags.any = true // of the allocation: whether the program may sleep
		return c.k.has(kernel.StorageFlags) && c.matches(end, flags, pat{in: in}) || c.single(in)
	case asm.FnPerCpuPtr, asm.FnThisCpuPtr: // memory of bpf_percpu_obj_new has a pointer in front
		c.unsure = true
		return c.single(in) || c.matches(end, p(ldxD, bytecode.R1, bytecode.R1, 0, 0), pat{in: in})
	default:
		if form := c.inlined(in, fn); form != nil {
			return c.matches(end, form...)
		}
		return c.single(in)
	}
}

// isHelper reports whether a call is said to be of the helper with a number. A helper without a
// name may have no reference.
func (it *item) isHelper(n int32) bool {
	if it.ref == nil {
		return bytecode.HelperName(n) == noName
	}
	return it.ref.Kind == bytecode.RefHelper && it.ref.Index == int(n) &&
		(it.ref.Name == "" || sameName(it.ref.Name, bytecode.HelperName(n)))
}

// noName is the name of helpers that the list of helpers does not have.
const noName = "unknown"

// sameName compares names of helpers: that of a running kernel's function and that of the list of
// helpers, which does not separate words.
func sameName(a, b string) bool {
	return a == b || strings.EqualFold(strings.ReplaceAll(a, "_", ""), strings.ReplaceAll(b, "_", ""))
}

// inlined returns the code that always replaces a helper in this kernel, nil for a call.
func (c *source) inlined(in bytecode.Insn, fn asm.BuiltinFunc) []pat {
	r0, r1, r2 := bytecode.R0, bytecode.R1, bytecode.R2
	switch {
	case fn == asm.FnTimerSetCallback:
		return []pat{addressIn(bytecode.R3), {in: in}}
	case fn == asm.FnJiffies64:
		return []pat{addressIn(r0), p(ldxD, r0, r0, 0, 0)}
	case fn == asm.FnGetSmpProcessorId && c.k.has(kernel.PercpuMove):
		if !c.k.SMP {
			return []pat{p(w32|opXor|byReg, r0, r0, 0, 0)}
		}
		return c.percpuRead("cpu_number", ldxW)
	case (fn == asm.FnGetCurrentTask || fn == asm.FnGetCurrentTaskBtf) && c.k.has(kernel.InlineCurrentTask):
		return c.percpuRead("current_task", ldxD)
	case fn == asm.FnKptrXchg && c.k.has(kernel.InlineXchg):
		const exchange = 0xdb // lock *(u64 *)
		return []pat{p(w64|opMov|byReg, r0, r2, 0, 0), p(exchange, r1, r0, 0, atomicXchg)}
	case fn == asm.FnGetBranchSnapshot && c.k.has(kernel.PercpuMove):
		return snapshotForm()
	case c.p.Type == "tracing":
		return c.tracing(fn)
	}
	return nil
}

// addressIn makes a load of an address that only the kernel knows.
func addressIn(r bytecode.Reg) pat {
	return pat{in: bytecode.Insn{Code: bytecode.CodeLdImm64, Dst: r}, any: true}
}

// percpuRead makes a read of a per-CPU variable of the kernel into R0.
func (c *source) percpuRead(symbol string, load uint8) []pat {
	r0, width := bytecode.R0, w64
	if c.k.has(kernel.NarrowPercpu) {
		width = w32
	}
	base := pat{in: bytecode.Insn{Code: width | opMov, Dst: r0}, any: true, ref: bytecode.RefKsym, name: symbol}
	return []pat{base, p(w64|opMov|byReg, r0, r0, -1, 0), p(load, r0, r0, 0, 0)}
}

// tailCallForms checks a tail call: one of the JIT's own opcode, direct or not,
// before which the index is masked for loaders without CAP_PERFMON.
func (c *source) tailCallForms(pc bytecode.PC, end int32) bool {
	fact := c.Facts.Call(pc)
	own := pat{in: bytecode.Insn{Code: bytecode.CodeTailCall}, any: true}
	call := c.items[len(c.items)-1]
	if !c.directRight(fact, call) {
		return false
	}
	if !c.Masks {
		return c.matches(end, own)
	}
	c.unsure = c.unsure || fact.Map == nil
	return fact.Map != nil && c.matches(end, p(j64|jge, bytecode.R3, 0, 2, int32(fact.Map.MaxEntries)),
		p(w32|opAnd, bytecode.R3, 0, 0, int32(indexMask(fact.Map.MaxEntries))), own)
}

// directRight reports whether a tail call is direct exactly when map and index are known, and has
// its number: direct tail calls count from 1.
func (c *source) directRight(fact Call, call item) bool {
	must := c.isDirect(fact)
	c.unsure = c.unsure || must == Maybe
	is := call.in.Imm != 0
	switch {
	case is && c.direct >= 0:
		c.direct++
	case is:
	case must == Maybe:
		c.direct = -1
	}
	if must == Maybe {
		return !is || c.hasTailCall(bytecode.PC(call.slot))
	}
	return is == (must == Yes) &&
		(!is || c.hasTailCall(bytecode.PC(call.slot)) && (c.direct < 0 || int(call.in.Imm) == c.direct))
}

// isDirect reports whether a tail call is direct: of a loader with all rights, with
// one map and a constant index in it (record_func_key of kernel/bpf/verifier.c).
func (c *source) isDirect(fact Call) Answer {
	switch {
	case c.Masks || c.Unprivileged || c.Blinded,
		fact.SureMap && fact.Map == nil, fact.SureKey && fact.Key < 0,
		fact.SureMap && fact.SureKey && fact.Key >= int64(fact.Map.MaxEntries):
		return No
	case fact.SureMap && fact.SureKey:
		return Yes
	}
	return Maybe
}

// hasTailCall reports whether the program describes the direct tail call at a
// slot.
func (c *source) hasTailCall(x bytecode.PC) bool {
	t := c.prog.TailCalls
	i := sort.Search(len(t), func(i int) bool { return t[i].PC >= x })
	return i < len(t) && t[i].PC == x
}

// indexMask returns the mask that keeps an index inside an array whose memory is
// rounded up to a power of two.
func indexMask(entries uint32) uint32 {
	if entries < 2 {
		return 0
	}
	return 1<<bits.Len32(entries-1) - 1
}

// loopForms checks a call of bpf_loop: a loop for one callback without flags, a
// call for all others.
func (c *source) loopForms(pc bytecode.PC, in bytecode.Insn, end int32) bool {
	fact := c.Facts.Call(pc)
	loop, call := fact.Callback >= 0 && fact.NoFlags, fact.SureCallback && fact.Callback < 0 || fact.SureFlags &&
		!fact.NoFlags
	sure := call || loop && fact.SureCallback && fact.SureFlags
	c.unsure = c.unsure || !sure
	return (!sure || !loop) && c.single(in) || loop && c.loopForm(fact.Callback, end)
}

// loopForm checks the loop that replaces a bpf_loop of one callback without flags: it counts in R7
// up to R6, and keeps the three registers that it needs in the stack (inline_bpf_loop). It has no
// round if the callback was removed.
func (c *source) loopForm(callback int, end int32) bool {
	const rounds, callAt, items, tooBig = 8 << 20, 12, 19, -7
	if len(c.items) != items || callback >= len(c.p.Subprogs) {
		return false
	}
	start, have := c.p.Subprogs[callback].Start, &c.items[callAt]
	if have.in.Code != bytecode.CodeCall || !c.isGone(start) &&
		(!have.in.IsSubprogramCall() || !have.linked() || !c.calleeRight(start, have.flow.Callee)) {
		return false
	}
	r0, r1, r2, r3, fp := bytecode.R0, bytecode.R1, bytecode.R2, bytecode.R3, bytecode.R10
	r6, r7, r8 := bytecode.R6, bytecode.R7, bytecode.R8
	base := c.items[3].in.Off
	if int(base) < -c.prog.Funcs[c.fn].StackDepth {
		return false // outside the frame
	}
	call := pat{in: have.in}
	return c.matches(end, p(j64|jle, r1, 0, 2, rounds), p(w32|opMov, r0, 0, 0, tooBig), p(bytecode.CodeGoto, 0, 0, 16, 0),
		p(stxD, fp, r6, base, 0), p(stxD, fp, r7, base+8, 0), p(stxD, fp, r8, base+16, 0),
		p(w64|opMov|byReg, r6, r1, 0, 0), p(w32|opMov, r7, 0, 0, 0), p(w64|opMov|byReg, r8, r3, 0, 0),
		p(j64|jge|byReg, r7, r6, 5, 0), p(w64|opMov|byReg, r1, r7, 0, 0), p(w64|opMov|byReg, r2, r8, 0, 0),
		call, p(w64|opAdd, r7, 0, 0, 1), p(j64|jeq, r0, 0, -6, 0), p(w64|opMov|byReg, r0, r7, 0, 0),
		p(ldxD, r6, fp, base, 0), p(ldxD, r7, fp, base+8, 0), p(ldxD, r8, fp, base+16, 0))
}

// snapshotForm is bpf_get_branch_snapshot, which divides a size by that of an
// entry, 24, through a multiplication.
func snapshotForm() []pat {
	r0, r2, r3, over := bytecode.R0, bytecode.R2, bytecode.R3, p(bytecode.CodeGoto, 0, 0, 1, 0)
	const third, inval, noent = -0x55555555, -22, -2
	return []pat{p(j64|jne, r3, 0, 7, 0), p(w32|opMov, r0, 0, 0, third), p(w64|opMul|byReg, r2, r0, 0, 0),
		p(w64|opRsh, r2, 0, 0, 36), kernelCall("perf_snapshot_branch_stack"), p(j64|jeq, r0, 0, 4, 0),
		p(w32|opMul, r0, 0, 0, 24), p(bytecode.CodeGoto, 0, 0, 3, 0), p(w64|opMov, r0, 0, 0, inval), over,
		p(w64|opMov, r0, 0, 0, noent)}
}

// Attach types of tracing programs (include/uapi/linux/bpf.h, Linux 7.3).
const (
	attachRawTP        = 23
	attachExit         = 25
	attachModify       = 26
	attachSession      = 58
	attachExitMulti    = 60
	attachSessionMulti = 61
)

// tracing returns a helper of tracing programs that reads what the trampoline keeps before the
// arguments: their number, or for a raw tracepoint the number in the kernel's BTF.
func (c *source) tracing(fn asm.BuiltinFunc) []pat {
	r0, r1, r2, r3 := bytecode.R0, bytecode.R1, bytecode.R2, bytecode.R3
	const inval, notSupported, countAt, placeAt = -22, -95, -8, -16
	count := []pat{p(ldxD, r0, r1, countAt, 0), p(w64|opAnd, r0, 0, 0, 0xff)}
	if c.k.has(kernel.ArgCountWhole) {
		count = count[:1]
	}
	if c.AttachType == attachRawTP {
		count = []pat{{in: bytecode.Insn{Code: w64 | opMov, Dst: r0}, any: true}}
	}
	switch fn {
	case asm.FnGetFuncArg:
		return append(count, p(j32|jge|byReg, r2, r0, 6, 0), p(w64|opLsh, r2, 0, 0, 3), p(w64|opAdd|byReg, r2, r1, 0, 0),
			p(ldxD, r0, r2, 0, 0), p(stxD, r3, r0, 0, 0), p(w64|opMov, r0, 0, 0, 0), p(bytecode.CodeGoto, 0, 0, 1, 0),
			p(w64|opMov, r0, 0, 0, inval))
	case asm.FnGetFuncArgCnt:
		return count
	case asm.FnGetFuncIp:
		return []pat{p(ldxD, r0, r1, placeAt, 0)}
	case asm.FnGetFuncRet:
		switch c.AttachType {
		case attachExit, attachModify, attachSession, attachExitMulti, attachSessionMulti:
			return append(count, p(w64|opLsh, r0, 0, 0, 3), p(w64|opAdd|byReg, r0, r1, 0, 0), p(ldxD, r3, r0, 0, 0),
				p(stxD, r2, r3, 0, 0), p(w64|opMov, r0, 0, 0, 0))
		}
		return []pat{p(w64|opMov, r0, 0, 0, notSupported)}
	}
	return nil
}
