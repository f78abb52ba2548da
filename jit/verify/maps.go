package verify

import (
	"math/bits"
	"slices"
	"strings"

	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/kernel"
)

// Map types (BPF_MAP_TYPE_* of include/uapi/linux/bpf.h).
const (
	mapHash, mapArray, mapPercpuHash, mapPercpuArray = 1, 2, 5, 6
	mapLruHash, mapArrayOfMaps, mapHashOfMaps        = 9, 12, 13
	mapSockets, mapRhash                             = 17, 35 // BPF_MAP_TYPE_XSKMAP, …_RHASH
)

// mapForms checks a call of a map helper: a call of it or of the map type's own function, or for a
// lookup in one known map the inlined code of that type.
func (c *source) mapForms(pc bytecode.PC, in bytecode.Insn, fn asm.BuiltinFunc, end int32) bool {
	call := c.single(in) || c.ownFunction(fn)
	fact := c.Facts.Call(pc)
	if fn != asm.FnMapLookupElem || fact.Map == nil && fact.SureMap {
		return call
	}
	c.unsure = c.unsure || !fact.SureMap
	if fact.Map == nil {
		return call || slices.ContainsFunc(c.p.Maps, func(m bytecode.Map) bool { return c.matches(end, c.lookup(&m)...) })
	}
	form := c.lookup(fact.Map)
	return call && (form == nil || !fact.SureMap) || form != nil && c.matches(end, form...)
}

// ownFunction reports whether c.items are a call of a map type's own function.
func (c *source) ownFunction(fn asm.BuiltinFunc) bool {
	it := c.items[0]
	return len(c.items) == 1 && it.flow.Kind == bytecode.FlowHelper && it.ref != nil && it.ref.Kind == bytecode.RefKfunc &&
		mapOps[fn] != "" && strings.HasSuffix(it.ref.Name, mapOps[fn])
}

// mapOps holds the endings of the names of map types' functions that implement a helper.
var mapOps = map[asm.BuiltinFunc]string{
	asm.FnMapLookupElem: "_lookup_elem", asm.FnMapUpdateElem: "_update_elem", asm.FnMapDeleteElem: "_delete_elem",
	asm.FnMapPushElem: "_push_elem", asm.FnMapPopElem: "_pop_elem", asm.FnMapPeekElem: "_peek_elem",
	asm.FnRedirectMap: "_redirect", asm.FnForEachMapElem: "_for_each_callback",
	asm.FnMapLookupPercpuElem: "_lookup_percpu_elem",
}

// innerMap is BPF_F_INNER_MAP: the number of entries is not known before run time.
const innerMap = 1 << 12

// lookup returns the lookup of a map type, nil when it has none (map_gen_lookup
// of kernel/bpf/arraymap.c and hashtab.c, xsk_map_gen_lookup of net/xdp/xskmap.c).
func (c *source) lookup(m *bytecode.Map) []pat {
	const key, lruRef, rhtabData = 48, 35, 8 // places in struct htab_elem and rhtab_elem
	r0, r1 := bytecode.R0, bytecode.R1
	follow := p(ldxD, r0, r0, 0, 0)
	percpu := p(w64|opMov|byReg, r0, r0, -1, 0)
	element := p(w64|opAdd, r0, 0, 0, int32(key+(m.KeySize+7)&^7))
	table := func(function string, further ...pat) []pat {
		return append([]pat{kernelCall(function), p(j64|jeq, r0, 0, int16(len(further)), 0)}, further...)
	}
	hash := func(further ...pat) []pat { return table("__htab_map_lookup_elem", further...) }
	switch {
	case (m.Type == mapPercpuArray || m.Type == mapPercpuHash) && !c.k.has(kernel.PercpuMove),
		(m.Type == mapArray || m.Type == mapArrayOfMaps) && m.Flags&innerMap != 0:
		return nil
	}
	switch m.Type {
	case mapArray:
		return c.arrayForm(m)
	case mapPercpuArray:
		return c.arrayForm(m, follow, percpu)
	case mapArrayOfMaps:
		return c.arrayForm(m, follow, p(j64|jeq, r0, 0, 1, 0))
	case mapHash:
		return hash(element)
	case mapRhash:
		return table("rhtab_lookup_elem", p(w64|opAdd, r0, 0, 0, int32(rhtabData+(m.KeySize+7)&^7)))
	case mapSockets:
		return c.socketForm(m)
	case mapHashOfMaps:
		return hash(element, follow)
	case mapPercpuHash:
		return hash(element, follow, percpu)
	case mapLruHash:
		return hash(p(ldxB, r1, r0, lruRef, 0), p(j64|jne, r1, 0, 1, 0), p(stB, r0, 0, lruRef, 1), element)
	}
	return nil
}

// socketForm is the lookup in an array of AF_XDP sockets. Only the kernel knows its offset in the
// map.
func (c *source) socketForm(m *bytecode.Map) []pat {
	r0, r1, r2 := bytecode.R0, bytecode.R1, bytecode.R2
	first := p(w64|opAdd, r1, 0, 0, 0)
	first.any = true
	jump := j32
	if !c.k.has(kernel.XskWord) {
		jump = j64
	}
	return []pat{p(ldxW, r0, r2, 0, 0), p(jump|jge, r0, 0, 5, int32(m.MaxEntries)), p(w64|opLsh, r0, 0, 0, 3), first,
		p(w64|opAdd|byReg, r0, r1, 0, 0), p(ldxD, r0, r0, 0, 0), p(bytecode.CodeGoto, 0, 0, 1, 0), p(w64|opMov, r0, 0, 0, 0)}
}

// arrayForm is the lookup in an array: the index is compared with the size, and
// scaled; an index outside, and a null pointer in an array of maps, give 0.
func (c *source) arrayForm(m *bytecode.Map, further ...pat) []pat {
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
	return append(form, p(bytecode.CodeGoto, 0, 0, 1, 0), p(w64|opMov, r0, 0, 0, 0))
}
