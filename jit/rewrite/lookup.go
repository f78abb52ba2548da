package rewrite

import (
	"math/bits"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/kernel"
	"github.com/cilium/ebpf/asm"
)

// Map types (BPF_MAP_TYPE_* of include/uapi/linux/bpf.h).
const (
	mapHash        = 1
	mapArray       = 2
	mapPercpuHash  = 5
	mapPercpuArray = 6
	mapLruHash     = 9
	mapLpmTrie     = 11
	mapArrayOfMaps = 12
	mapHashOfMaps  = 13
	mapSockMap     = 15
	mapXskMap      = 17
	mapSockHash    = 18
	mapArena       = 33
	mapRhash       = 35
)

// Places in struct htab_elem, which no build option moves (kernel/bpf/hashtab.c).
const (
	htabKey    = 48 // key
	htabLruRef = 35 // lru_node.ref
	rhtabData  = 8  // of struct rhtab_elem: key and value
)

// innerMap is BPF_F_INNER_MAP: the size is not known before run time.
const innerMap = 1 << 12

// mapCall replaces a call of a map helper whose map is known: a lookup by the lookup itself, others
// by a call of the map type's own function. When the map differs between paths the call stays.
// Either way a call is one slot whose operand is an address, so it matters only whether a lookup is
// inlined.
func (f *fixer) mapCall(s slot) []slot {
	fact, known := f.calls[bytecode.PC(s.orig)]
	lookup := asm.BuiltinFunc(s.in.Imm) == asm.FnMapLookupElem
	if !known {
		return f.unknownMap(s, lookup)
	}
	if fact.Map == NoMap {
		if !fact.Certain {
			return f.unknownMap(s, lookup)
		}
		return []slot{f.plainCall(s)}
	}
	m := f.src.Maps[fact.Map]
	if fact.Inner {
		if m.Inner == nil {
			return f.unknownMap(s, lookup)
		}
		m = *m.Inner
	}
	if !fact.Certain {
		return f.unknownMap(s, lookup && f.mayInline())
	}
	if lookup {
		if with := f.lookup(m); with != nil {
			return with
		}
	}
	if name := mapFunction(m.Type, asm.BuiltinFunc(s.in.Imm)); name != "" {
		return []slot{f.b.kernelCall(name)}
	}
	return []slot{f.plainCall(s)}
}

// unknownMap keeps a call whose operand is the address of one kernel function
// or another. A lookup may be inlined instead.
func (f *fixer) unknownMap(s slot, inlined bool) []slot {
	s = f.plainCall(s)
	if inlined {
		s = s.unpredicted()
	}
	return []slot{s}
}

// mayInline reports whether a map of the program has an inlined lookup.
func (f *fixer) mayInline() bool {
	for _, m := range f.src.Maps {
		if m.Inner != nil || f.lookup(m) != nil {
			return true
		}
	}
	return false
}

// lookup returns the inlined lookup of a map type, or nil when it has none
// (map_gen_lookup of kernel/bpf/arraymap.c and hashtab.c).
func (f *fixer) lookup(m bytecode.Map) []slot {
	r0 := bytecode.R0
	element := int32(htabKey + (m.KeySize+7)&^7)
	if !f.kernel.Has(kernel.PercpuMove) && (m.Type == mapPercpuArray || m.Type == mapPercpuHash) {
		return nil
	}
	switch m.Type {
	case mapArray:
		if m.Flags&innerMap != 0 {
			return nil
		}
		return f.arrayLookup(m)
	case mapPercpuArray:
		return f.arrayLookup(m, raw(ldxD, r0, r0, 0, 0), percpuAddress(r0))
	case mapArrayOfMaps:
		if m.Flags&innerMap != 0 {
			return nil
		}
		return f.arrayLookup(m, raw(ldxD, r0, r0, 0, 0), raw(j64|jeq, r0, 0, 1, 0))
	case mapHash:
		return f.hashLookup(raw(w64|opAdd, r0, 0, 0, element))
	case mapRhash:
		return f.elementLookup("rhtab_lookup_elem", raw(w64|opAdd, r0, 0, 0, int32(rhtabData+(m.KeySize+7)&^7)))
	case mapXskMap:
		return f.socketLookup(m)
	case mapHashOfMaps:
		return f.hashLookup(raw(w64|opAdd, r0, 0, 0, element), raw(ldxD, r0, r0, 0, 0))
	case mapPercpuHash:
		return f.hashLookup(raw(w64|opAdd, r0, 0, 0, element), raw(ldxD, r0, r0, 0, 0), percpuAddress(r0))
	case mapLruHash:
		return f.hashLookup(
			raw(ldxB, bytecode.R1, r0, htabLruRef, 0),
			raw(j64|jne, bytecode.R1, 0, 1, 0),
			raw(stB, r0, 0, htabLruRef, 1),
			raw(w64|opAdd, r0, 0, 0, element))
	}
	return nil
}

// arrayLookup computes the address of an element: of the value itself, or of a
// pointer that the further instructions follow. A null pointer there takes the
// last instruction but one, which is the jump over the null result.
func (f *fixer) arrayLookup(m bytecode.Map, further ...slot) []slot {
	r0, r1, r2 := bytecode.R0, bytecode.R1, bytecode.R2
	masked := f.opt.NoCapPerfmon
	size := (m.ValueSize + 7) &^ 7
	if m.Type == mapPercpuArray {
		size = 8 // an array of pointers
	}
	f.usedValue = true
	past := int16(3 + len(further))
	if masked {
		past++
	}
	out := []slot{
		raw(w64|opAdd, r1, 0, 0, int32(f.prof.OffValue)),
		raw(ldxW, r0, r2, 0, 0),
		bounded(raw(j64|jge, r0, 0, past, int32(m.MaxEntries)), m),
	}
	if masked {
		out = append(out, bounded(raw(w32|opAnd, r0, 0, 0, int32(indexMask(m.MaxEntries))), m))
	}
	if bits.OnesCount32(size) == 1 {
		out = append(out, raw(w64|opLsh, r0, 0, 0, int32(bits.TrailingZeros32(size))))
	} else {
		out = append(out, raw(w64|opMul, r0, 0, 0, int32(size)))
	}
	out = append(out, raw(w64|opAdd|byReg, r0, r1, 0, 0))
	out = append(out, further...)
	return append(out,
		raw(bytecode.CodeGoto, 0, 0, 1, 0),
		raw(w64|opMov, r0, 0, 0, 0))
}

// bounded marks an instruction that contains the number of elements of a map if the loader decides
// that number.
func bounded(s slot, m bytecode.Map) slot {
	if m.MaxEntries == 0 {
		return s.unpredicted()
	}
	return s
}

// socketLookup returns the inlined lookup of a map of AF_XDP sockets (net/xdp/xskmap.c
// xsk_map_gen_lookup).
func (f *fixer) socketLookup(m bytecode.Map) []slot {
	r0, r1 := bytecode.R0, bytecode.R1
	sockets, ok := f.member("xsk_map.xsk_map")
	out := []slot{
		raw(ldxW, r0, bytecode.R2, 0, 0),
		bounded(raw(j32|jge, r0, 0, 5, int32(m.MaxEntries)), m),
		raw(w64|opLsh, r0, 0, 0, 3),
		raw(w64|opAdd, r1, 0, 0, int32(sockets.off)),
		raw(w64|opAdd|byReg, r0, r1, 0, 0),
		raw(ldxD, r0, r0, 0, 0),
		raw(bytecode.CodeGoto, 0, 0, 1, 0),
		raw(w64|opMov, r0, 0, 0, 0),
	}
	if f.build = f.members.build; !ok {
		out[3] = out[3].unpredicted()
	}
	if !f.kernel.Has(kernel.XskWord) {
		out[1] = bounded(raw(j64|jge, r0, 0, 5, int32(m.MaxEntries)), m)
		if !f.kernel.Has(kernel.XskLong) {
			out[1] = out[1].unpredicted()
		}
	}
	return out
}

// hashLookup is elementLookup of a hash table.
func (f *fixer) hashLookup(further ...slot) []slot {
	return f.elementLookup("__htab_map_lookup_elem", further...)
}

// elementLookup calls the lookup and goes on with its result unless that is null.
func (f *fixer) elementLookup(symbol string, further ...slot) []slot {
	return append([]slot{
		f.b.kernelCall(symbol),
		raw(j64|jeq, bytecode.R0, 0, int16(len(further)), 0),
	}, further...)
}

// mapFunction returns the kernel function to which a helper dispatches for a map type, or nothing
// if it is not known here.
func mapFunction(t uint32, fn asm.BuiltinFunc) string {
	op := map[asm.BuiltinFunc]string{
		asm.FnMapLookupElem: "lookup_elem", asm.FnMapUpdateElem: "update_elem", asm.FnMapDeleteElem: "delete_elem",
	}[fn]
	switch {
	case op == "":
		return ""
	case t == mapArray:
		return "array_map_" + op
	case t == mapHash:
		return "htab_map_" + op
	case t == mapLruHash && op == "update_elem":
		return "htab_lru_map_update_elem"
	case t == mapLruHash && op == "delete_elem":
		return "htab_lru_map_delete_elem"
	case t == mapLpmTrie:
		return "trie_" + op
	}
	return ""
}
