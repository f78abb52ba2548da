package verify

import (
	"math/bits"
	"sort"
	"strings"

	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/kernel"
)

// helperForms checks a call of a helper or kernel function: a call, or one of
// the shorter ways that the verifier knows (kernel/bpf/fixups.c
// bpf_do_misc_fixups, Linux 7.3).
func (c *source) helperForms(pc bytecode.PC, in bytecode.Insn, end int32) bool {
	if in.Code == bytecode.CodeCall && in.Src == bytecode.CallKfunc {
		return c.kfuncForms(pc, in, end)
	}
	if !in.IsHelperCall() {
		return c.single(in)
	}
	fn := asm.BuiltinFunc(in.Imm)
	if fn == asm.FnTailCall {
		return c.tailCallForms(end)
	}
	if c.single(in) {
		return true
	}
	switch fn {
	case asm.FnLoop:
		return c.loopForm(end)
	case asm.FnMapLookupElem, asm.FnMapUpdateElem, asm.FnMapDeleteElem, asm.FnMapPushElem, asm.FnMapPopElem,
		asm.FnMapPeekElem, asm.FnRedirectMap, asm.FnForEachMapElem, asm.FnMapLookupPercpuElem:
		return c.mapForms(fn, end)
	case asm.FnGetBranchSnapshot:
		return c.snapshotForm(end)
	case asm.FnGetFuncArg:
		return c.funcArgForm(end)
	}
	return c.straight()
}

// straight reports whether the items, which replace a call, are without jumps:
// whatever they compute, control goes on behind them.
func (c *source) straight() bool {
	for _, it := range c.items {
		switch it.flow.Kind {
		case bytecode.FlowNext, bytecode.FlowHelper:
		default:
			return false
		}
	}
	return len(c.items) > 0
}

// kfuncForms checks a call of a kernel function. What depends on the kernel's
// types is only known to go on at its end.
func (c *source) kfuncForms(pc bytecode.PC, in bytecode.Insn, end int32) bool {
	if c.single(in) {
		return true
	}
	if ref, ok := c.p.RefAt(pc); ok && ref.Name == "bpf_throw" {
		return false
	}
	if c.straight() {
		return true
	}
	if !c.confined(c.items[0].slot, end) {
		return false
	}
	c.out.Opaque++
	return true
}

// tailCallForms checks a tail call: one of the JIT's own opcode, in front of
// which the index is masked for loaders without CAP_PERFMON.
func (c *source) tailCallForms(end int32) bool {
	last := len(c.items) - 1
	call := c.items[last]
	own := pat{in: bytecode.Insn{Code: bytecode.CodeTailCall}, any: true}
	if call.in.Imm != 0 && !c.hasTailCall(bytecode.PC(call.slot)) {
		return false // nothing tells where it leads
	}
	if last == 0 {
		return c.matches(end, own)
	}
	return c.Masks && c.anyMap(func(m *bytecode.Map) bool {
		return c.matches(end, p(j64|jge, bytecode.R3, 0, 2, int32(m.MaxEntries)),
			p(w32|opAnd, bytecode.R3, 0, 0, int32(indexMask(m.MaxEntries))), own)
	})
}

// hasTailCall reports whether the program describes the direct tail call at a
// slot.
func (c *source) hasTailCall(x bytecode.PC) bool {
	t := c.prog.TailCalls
	i := sort.Search(len(t), func(i int) bool { return t[i].PC >= x })
	return i < len(t) && t[i].PC == x
}

// anyMap reports whether one of the source's maps does.
func (c *source) anyMap(does func(m *bytecode.Map) bool) bool {
	for i := range c.p.Maps {
		if does(&c.p.Maps[i]) {
			return true
		}
	}
	return false
}

// indexMask returns the mask that keeps an index inside an array whose memory is
// rounded up to a power of two.
func indexMask(entries uint32) uint32 {
	if entries < 2 {
		return 0
	}
	return 1<<bits.Len32(entries-1) - 1
}

// loopForm checks the loop that replaces a bpf_loop of one callback without
// flags: it counts in R7 up to R6, and keeps the three registers that it needs in
// the stack (inline_bpf_loop).
func (c *source) loopForm(end int32) bool {
	const rounds, callAt, items, tooBig = 8 << 20, 12, 19, -7
	if len(c.items) != items || !c.items[callAt].in.IsSubprogramCall() {
		return false
	}
	r0, r1, r2, r3, fp := bytecode.R0, bytecode.R1, bytecode.R2, bytecode.R3, bytecode.R10
	r6, r7, r8 := bytecode.R6, bytecode.R7, bytecode.R8
	base := c.items[3].in.Off
	if int(base) < -c.prog.Funcs[c.fn].StackDepth {
		return false // outside the frame
	}
	call := pat{in: bytecode.Insn{Code: bytecode.CodeCall, Src: bytecode.CallSubprogram}, any: true}
	if callee := c.items[callAt].flow.Callee; !c.startsFunc(callee) || !c.isCallback(callee) {
		return false
	}
	call.in.Off = c.items[callAt].in.Off
	return c.matches(end, p(j64|jle, r1, 0, 2, rounds), p(w32|opMov, r0, 0, 0, tooBig), p(bytecode.CodeGoto, 0, 0, 16, 0),
		p(stxD, fp, r6, base, 0), p(stxD, fp, r7, base+8, 0), p(stxD, fp, r8, base+16, 0),
		p(w64|opMov|byReg, r6, r1, 0, 0), p(w32|opMov, r7, 0, 0, 0), p(w64|opMov|byReg, r8, r3, 0, 0),
		p(j64|jge|byReg, r7, r6, 5, 0), p(w64|opMov|byReg, r1, r7, 0, 0), p(w64|opMov|byReg, r2, r8, 0, 0),
		call, p(w64|opAdd, r7, 0, 0, 1), p(j64|jeq, r0, 0, -6, 0), p(w64|opMov|byReg, r0, r7, 0, 0),
		p(ldxD, r6, fp, base, 0), p(ldxD, r7, fp, base+8, 0), p(ldxD, r8, fp, base+16, 0))
}

// isCallback reports whether the function at an xlated slot is one that the
// graph has as a callback of this call.
func (c *source) isCallback(x bytecode.PC) bool {
	o := c.Original[c.items[0].slot]
	b := c.block(o)
	for _, e := range c.Graph.Succs(b) {
		if e.Kind.String() == "callback" && c.calleeRight(c.Graph.Blocks[e.To].Start, x) {
			return true
		}
	}
	return false
}

// snapshotForm checks bpf_get_branch_snapshot, which divides a size by that of an
// entry, 24, through a multiplication.
func (c *source) snapshotForm(end int32) bool {
	r0, r2, r3, over := bytecode.R0, bytecode.R2, bytecode.R3, p(bytecode.CodeGoto, 0, 0, 1, 0)
	const third, inval, noent = -0x55555555, -22, -2
	return c.matches(end, p(j64|jne, r3, 0, 7, 0), p(w32|opMov, r0, 0, 0, third), p(w64|opMul|byReg, r2, r0, 0, 0),
		p(w64|opRsh, r2, 0, 0, 36), kernelCall("perf_snapshot_branch_stack"), p(j64|jeq, r0, 0, 4, 0),
		p(w32|opMul, r0, 0, 0, 24), p(bytecode.CodeGoto, 0, 0, 3, 0), p(w64|opMov, r0, 0, 0, inval), over,
		p(w64|opMov, r0, 0, 0, noent))
}

// funcArgForm checks bpf_get_func_arg, which reads what the trampoline keeps in
// front of the arguments.
func (c *source) funcArgForm(end int32) bool {
	r0, r1, r2, r3 := bytecode.R0, bytecode.R1, bytecode.R2, bytecode.R3
	const inval = -22
	read := []pat{p(j32|jge|byReg, r2, r0, 6, 0), p(w64|opLsh, r2, 0, 0, 3), p(w64|opAdd|byReg, r2, r1, 0, 0),
		p(ldxD, r0, r2, 0, 0), p(stxD, r3, r0, 0, 0), p(w64|opMov, r0, 0, 0, 0), p(bytecode.CodeGoto, 0, 0, 1, 0),
		p(w64|opMov, r0, 0, 0, inval)}
	known := pat{in: bytecode.Insn{Code: w64 | opMov, Dst: r0}, any: true} // raw tracepoints: by the kernel's BTF
	return c.matches(end, append([]pat{p(ldxD, r0, r1, -8, 0), p(w64|opAnd, r0, 0, 0, 0xff)}, read...)...) ||
		c.matches(end, append([]pat{known}, read...)...)
}

// Map types (BPF_MAP_TYPE_* of include/uapi/linux/bpf.h).
const (
	mapHash, mapArray, mapPercpuHash, mapPercpuArray = 1, 2, 5, 6
	mapLruHash, mapArrayOfMaps, mapHashOfMaps        = 9, 12, 13
)

// mapForms checks a call of a map helper: a call of the map type's own function,
// or the lookup itself.
func (c *source) mapForms(fn asm.BuiltinFunc, end int32) bool {
	if len(c.items) == 1 {
		it := c.items[0]
		return it.flow.Kind == bytecode.FlowHelper && it.ref != nil && it.ref.Kind == bytecode.RefKfunc &&
			(strings.HasSuffix(it.ref.Name, mapOps[fn]) && mapOps[fn] != "")
	}
	return fn == asm.FnMapLookupElem && c.anyMap(func(m *bytecode.Map) bool { return c.lookupForm(m, end) })
}

// mapOps holds how the functions of map types end that do what a helper does.
var mapOps = map[asm.BuiltinFunc]string{
	asm.FnMapLookupElem: "_lookup_elem", asm.FnMapUpdateElem: "_update_elem", asm.FnMapDeleteElem: "_delete_elem",
	asm.FnMapPushElem: "_push_elem", asm.FnMapPopElem: "_pop_elem", asm.FnMapPeekElem: "_peek_elem",
	asm.FnRedirectMap: "_redirect", asm.FnForEachMapElem: "_for_each_callback",
	asm.FnMapLookupPercpuElem: "_lookup_percpu_elem",
}

// lookupForm checks the lookup of a map type (map_gen_lookup of
// kernel/bpf/arraymap.c and hashtab.c).
func (c *source) lookupForm(m *bytecode.Map, end int32) bool {
	const key, lruRef = 48, 35 // places in struct htab_elem
	r0, r1 := bytecode.R0, bytecode.R1
	follow := p(ldxD, r0, r0, 0, 0)
	percpu := p(w64|opMov|byReg, r0, r0, -1, 0)
	element := p(w64|opAdd, r0, 0, 0, int32(key+(m.KeySize+7)&^7))
	hash := func(further ...pat) bool {
		return c.matches(end, append([]pat{kernelCall("__htab_map_lookup_elem"),
			p(j64|jeq, r0, 0, int16(len(further)), 0)}, further...)...)
	}
	if (m.Type == mapPercpuArray || m.Type == mapPercpuHash) && !c.k.has(kernel.PercpuMove) {
		return false
	}
	switch m.Type {
	case mapArray:
		return c.arrayForm(m, end)
	case mapPercpuArray:
		return c.arrayForm(m, end, follow, percpu)
	case mapArrayOfMaps:
		return c.arrayForm(m, end, follow, p(j64|jeq, r0, 0, 1, 0))
	case mapHash:
		return hash(element)
	case mapHashOfMaps:
		return hash(element, follow)
	case mapPercpuHash:
		return hash(element, follow, percpu)
	case mapLruHash:
		return hash(p(ldxB, r1, r0, lruRef, 0), p(j64|jne, r1, 0, 1, 0), p(stB, r0, 0, lruRef, 1), element)
	}
	return false
}

// arrayForm checks the lookup in an array: the index is compared with the size,
// and scaled; what is outside, and a null pointer in an array of maps, gives 0.
func (c *source) arrayForm(m *bytecode.Map, end int32, further ...pat) bool {
	r0, r1, r2 := bytecode.R0, bytecode.R1, bytecode.R2
	size := (m.ValueSize + 7) &^ 7
	if m.Type == mapPercpuArray {
		size = 8 // an array of pointers
	}
	past := int16(3 + len(further))
	if c.Masks {
		past++
	}
	form := []pat{p(w64|opAdd, r1, 0, 0, int32(c.k.OffValue)), p(ldxW, r0, r2, 0, 0),
		p(j64|jge, r0, 0, past, int32(m.MaxEntries))}
	if c.Masks {
		form = append(form, p(w32|opAnd, r0, 0, 0, int32(indexMask(m.MaxEntries))))
	}
	if bits.OnesCount32(size) == 1 {
		form = append(form, p(w64|opLsh, r0, 0, 0, int32(bits.TrailingZeros32(size))))
	} else {
		form = append(form, p(w64|opMul, r0, 0, 0, int32(size)))
	}
	form = append(append(form, p(w64|opAdd|byReg, r0, r1, 0, 0)), further...)
	return c.matches(end, append(form, p(bytecode.CodeGoto, 0, 0, 1, 0), p(w64|opMov, r0, 0, 0, 0))...)
}
