package rewrite

import (
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/kernel"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/cilium/ebpf/asm"
)

// helper returns the replacement of a helper call, or at least a call with a reference
// (kernel/bpf/fixups.c bpf_do_misc_fixups; the order of the cases has no effect, because they are
// for different helpers).
func (f *fixer) helper(i int, s slot) []slot {
	if s.marks&markSeen == 0 {
		return nil
	}
	switch asm.BuiltinFunc(s.in.Imm) {
	case asm.FnTailCall:
		return f.tailCall(i, s)
	case asm.FnTimerSetCallback:
		return append(f.auxPointer(bytecode.R3), f.plainCall(s))
	case asm.FnMapLookupElem, asm.FnMapUpdateElem, asm.FnMapDeleteElem, asm.FnMapPushElem, asm.FnMapPopElem,
		asm.FnMapPeekElem, asm.FnRedirectMap, asm.FnForEachMapElem, asm.FnMapLookupPercpuElem:
		return f.mapCall(s)
	case asm.FnJiffies64:
		return append(f.b.address64(bytecode.R0, bytecode.RefKsym, "jiffies"), raw(ldxD, bytecode.R0, bytecode.R0, 0, 0))
	case asm.FnGetSmpProcessorId:
		if f.kernel.Has(kernel.PercpuMove) {
			return f.processorID()
		}
	case asm.FnGetCurrentTask, asm.FnGetCurrentTaskBtf:
		if f.kernel.Has(kernel.InlineCurrentTask) {
			return f.percpuRead("current_task", ldxD)
		}
	case asm.FnKptrXchg:
		if !f.kernel.Has(kernel.InlineXchg) {
			return []slot{f.plainCall(s)}
		}
		return []slot{
			raw(w64|opMov|byReg, bytecode.R0, bytecode.R2, 0, 0),
			raw(uint8(asm.StXClass)|uint8(asm.AtomicMode)|uint8(asm.DWord), bytecode.R1, bytecode.R0, 0, atomicXchg),
		}
	case asm.FnGetBranchSnapshot:
		if f.kernel.Has(kernel.PercpuMove) { // since Linux 6.10 as well
			return f.branchSnapshot()
		}
	case asm.FnSkStorageGet, asm.FnInodeStorageGet, asm.FnTaskStorageGet, asm.FnCgrpStorageGet:
		return f.storageGet(s)
	case asm.FnPerCpuPtr, asm.FnThisCpuPtr:
		// It depends on whether the pointer is to memory of bpf_percpu_obj_new.
		return []slot{f.plainCall(s).unpredicted()}
	}
	if f.src.Type == "tracing" {
		if with := f.tracingHelper(s); with != nil {
			return with
		}
	}
	return []slot{f.plainCall(s)}
}

const atomicXchg = 0xe1

// storageGet passes a helper that may create local storage its allocation flags, which allow
// sleeping outside of sections that must not sleep (kernel/bpf/verifier.c bpf_do_misc_fixups, Linux
// 6.19). Whether Linux 7.0 and 7.1 do so is not known.
func (f *fixer) storageGet(s slot) []slot {
	const gfpAtomic, gfpKernel = 0x820, 0xcc0
	call := f.plainCall(s)
	switch {
	case f.kernel.Has(kernel.StoragePlain):
		return []slot{call}
	case !f.kernel.Has(kernel.StorageFlags):
		return []slot{call.unpredicted()}
	case f.src.Flags&bytecode.SleepableFlag == 0:
		return []slot{raw(w64|opMov, bytecode.R5, 0, 0, gfpAtomic), call}
	}
	flags := raw(w64|opMov, bytecode.R5, 0, 0, gfpKernel)
	if len(f.src.Refs) > 0 { // perhaps one begins such a section
		flags = flags.unpredicted()
	}
	return []slot{flags, call}
}

// plainCall keeps a helper call and makes sure that it has a reference.
func (f *fixer) plainCall(s slot) slot {
	if s.ref == none {
		s.ref = f.b.addRef(bytecode.RefHelper, int(s.in.Imm), bytecode.HelperName(s.in.Imm))
	}
	return s
}

// auxPointer loads the address of the program's struct bpf_prog_aux.
func (f *fixer) auxPointer(dst bytecode.Reg) []slot {
	return f.b.address64(dst, bytecode.RefUnknown, "bpf_prog_aux")
}

// processorID reads the number of this CPU.
func (f *fixer) processorID() []slot {
	if f.usedSMP = true; !f.prof.SMP {
		return []slot{raw(w32|opXor|byReg, bytecode.R0, bytecode.R0, 0, 0)}
	}
	return f.percpuRead("cpu_number", ldxW)
}

// percpuRead reads a per-CPU variable of the kernel, whose offset fits 32 bits.
func (f *fixer) percpuRead(symbol string, load uint8) []slot {
	width := w64
	if f.kernel.Has(kernel.NarrowPercpu) {
		width = w32
	}
	return []slot{
		raw(width|opMov, bytecode.R0, 0, 0, 0).with(f.b.addRef(bytecode.RefKsym, 0, symbol)),
		percpuAddress(bytecode.R0),
		raw(load, bytecode.R0, bytecode.R0, 0, 0),
	}
}

// branchSnapshot divides the size by 24, the size of struct
// perf_branch_entry, through a multiplication.
func (f *fixer) branchSnapshot() []slot {
	r0, r2, r3 := bytecode.R0, bytecode.R2, bytecode.R3
	const third = -0x55555555 // 0xaaaaaaab: a third of 2^33+1
	return []slot{
		raw(j64|jne, r3, 0, 7, 0),
		raw(w32|opMov, r0, 0, 0, third),
		raw(w64|opMul|byReg, r2, r0, 0, 0),
		raw(w64|opRsh, r2, 0, 0, 36),
		f.b.kernelCall("perf_snapshot_branch_stack"),
		raw(j64|jeq, r0, 0, 4, 0),
		raw(w32|opMul, r0, 0, 0, 24),
		raw(bytecode.CodeGoto, 0, 0, 3, 0),
		raw(w64|opMov, r0, 0, 0, -eInval),
		raw(bytecode.CodeGoto, 0, 0, 1, 0),
		raw(w64|opMov, r0, 0, 0, -eNoEnt),
	}
}

// tailCall turns a tail call into the JIT's opcode for it. With a known map and index it is direct,
// and its immediate numbers it (BPF_POKE_REASON_TAIL_CALL).
func (f *fixer) tailCall(i int, s slot) []slot {
	fact, known := f.calls[bytecode.PC(s.orig)]
	s.in = bytecode.Insn{Code: bytecode.CodeTailCall}
	s.ref = none
	if !known || !fact.Certain {
		return []slot{s.unpredicted()}
	}
	if f.opt.NoCapPerfmon && fact.Map == NoMap {
		return []slot{s.unpredicted()} // the kernel refuses it
	}
	if !f.opt.NoCapPerfmon && !f.opt.NoCapBPF && !f.opt.Blind && fact.Map != NoMap && fact.Key >= 0 {
		switch n := f.src.Maps[fact.Map].MaxEntries; {
		case n == 0: // the loader decides
			return []slot{s.unpredicted()}
		case fact.Key >= int64(n):
			return []slot{s}
		}
		f.tailCalls = append(f.tailCalls, jit.TailCall{PC: bytecode.PC(s.orig)})
		s.in.Imm = int32(len(f.tailCalls))
		return []slot{s}
	}
	if !f.opt.NoCapPerfmon {
		return []slot{s}
	}
	m := f.src.Maps[fact.Map]
	return []slot{
		raw(j64|jge, bytecode.R3, 0, 2, int32(m.MaxEntries)),
		raw(w32|opAnd, bytecode.R3, 0, 0, int32(indexMask(m.MaxEntries))),
		s,
	}
}

// indexMask returns the mask that keeps an index of an array inside its
// memory, which is rounded up to a power of two where masks are used.
func indexMask(entries uint32) uint32 {
	mask := uint32(0)
	for mask < entries-1 && mask != ^uint32(0) {
		mask = mask<<1 | 1
	}
	return mask
}

// expected_attach_type values of tracing programs (include/uapi/linux/bpf.h).
const (
	traceRawTP         = 23
	traceFexit         = 25
	traceModifyRet     = 26
	traceFsession      = 58
	traceFexitMulti    = 60
	traceFsessionMulti = 61
	traceEntryNoArgs   = -8 // where the trampoline keeps the number of arguments
	traceEntryIP       = -16
)

// tracingHelper returns the replacement of a helper of tracing programs: reads of the values that
// the trampoline put before the arguments.
func (f *fixer) tracingHelper(s slot) []slot {
	r0, r1, r2, r3 := bytecode.R0, bytecode.R1, bytecode.R2, bytecode.R3
	rawTP := f.opt.AttachType == traceRawTP
	count := []slot{raw(ldxD, r0, r1, traceEntryNoArgs, 0), raw(w64|opAnd, r0, 0, 0, 0xff)}
	switch {
	case f.kernel.Has(kernel.ArgCountWhole):
		count = count[:1]
	case !f.kernel.Has(kernel.ArgCountByte):
		count = unpredicted(count)
	}
	if rawTP {
		// The number of the tracepoint's arguments is in the kernel's BTF.
		count = []slot{raw(w64|opMov, r0, 0, 0, 0).unpredicted()}
	}
	switch asm.BuiltinFunc(s.in.Imm) {
	case asm.FnGetFuncArg:
		return append(count,
			raw(j32|jge|byReg, r2, r0, 6, 0),
			raw(w64|opLsh, r2, 0, 0, 3),
			raw(w64|opAdd|byReg, r2, r1, 0, 0),
			raw(ldxD, r0, r2, 0, 0),
			raw(stxD, r3, r0, 0, 0),
			raw(w64|opMov, r0, 0, 0, 0),
			raw(bytecode.CodeGoto, 0, 0, 1, 0),
			raw(w64|opMov, r0, 0, 0, -eInval))
	case asm.FnGetFuncArgCnt:
		return count
	case asm.FnGetFuncIp:
		return []slot{raw(ldxD, r0, r1, traceEntryIP, 0)}
	case asm.FnGetFuncRet:
		switch f.opt.AttachType {
		case traceFexit, traceModifyRet, traceFsession, traceFexitMulti, traceFsessionMulti:
		default:
			return []slot{raw(w64|opMov, r0, 0, 0, -eOpNotSupp)}
		}
		return append(count,
			raw(w64|opLsh, r0, 0, 0, 3),
			raw(w64|opAdd|byReg, r0, r1, 0, 0),
			raw(ldxD, r3, r0, 0, 0),
			raw(stxD, r2, r3, 0, 0),
			raw(w64|opMov, r0, 0, 0, 0))
	}
	return nil
}
