package load

import (
	"fmt"
	"sort"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// btfExt is section .BTF.ext: the information that BTF has about instructions, by section index
// and in order of slots.
type btfExt struct {
	funcs map[int][]funcInfo
	lines map[int][]lineInfo
	core  map[int][]coreInfo
	odd   []string // parts that were left out, with the reason
}

// funcInfo records that a function starts at a slot of the section.
type funcInfo struct {
	slot bytecode.PC
	typ  uint32 // BTF id of the function
}

// lineInfo records that a source line starts at a slot of the section.
type lineInfo struct {
	slot       bytecode.PC
	file, text uint32 // offsets in the BTF strings
	pos        uint32 // line<<10 | column
}

// coreInfo records that an instruction has a CO-RE relocation.
type coreInfo struct {
	slot bytecode.PC
	typ  uint32 // BTF id of the type that is accessed
	path uint32 // offset in the BTF strings of the access path
	kind coreKind
}

// Sizes in .BTF.ext: the header up to and including the line part, and with
// the relocation part.
const (
	extHeaderSize     = 24
	extHeaderSizeCORE = 32
)

// parseBTFExt reads a .BTF.ext section. Parts that are malformed are left out and listed in odd.
func parseBTFExt(data []byte, b *btfTypes, sectionNamed func(string) int) (*btfExt, error) {
	if len(data) < extHeaderSize || b.order.Uint16(data) != btfMagic {
		return nil, fmt.Errorf("no header: %w", errBTF)
	}
	e := &btfExt{funcs: map[int][]funcInfo{}, lines: map[int][]lineInfo{}, core: map[int][]coreInfo{}}
	r := extReader{b: b, data: data, sectionNamed: sectionNamed, hdr: b.order.Uint32(data[4:])}
	word := b.order.Uint32
	e.note("function information", r.part(8, 8, func(sec int, rec []byte) {
		e.funcs[sec] = append(e.funcs[sec], funcInfo{slotOf(word(rec)), word(rec[4:])})
	}))
	e.note("line information", r.part(16, 16, func(sec int, rec []byte) {
		e.lines[sec] = append(e.lines[sec],
			lineInfo{slotOf(word(rec)), word(rec[4:]), word(rec[8:]), word(rec[12:])})
	}))
	if r.hdr >= extHeaderSizeCORE && len(data) >= extHeaderSizeCORE {
		e.note("CO-RE relocations", r.part(24, 16, func(sec int, rec []byte) {
			e.core[sec] = append(e.core[sec],
				coreInfo{slotOf(word(rec)), word(rec[4:]), word(rec[8:]), coreKind(word(rec[12:]))})
		}))
	}
	for _, v := range e.funcs {
		sort.SliceStable(v, func(i, j int) bool { return v[i].slot < v[j].slot })
	}
	for sec, v := range e.lines {
		sort.SliceStable(v, func(i, j int) bool { return v[i].slot < v[j].slot })
		e.lines[sec] = lastOfSlot(v)
	}
	for _, v := range e.core {
		sort.SliceStable(v, func(i, j int) bool { return v[i].slot < v[j].slot })
	}
	return e, nil
}

// lastOfSlot keeps only the last record of each slot, in place, so that a program has at most as
// many records as slots.
func lastOfSlot(v []lineInfo) []lineInfo {
	kept := v[:0]
	for i, info := range v {
		if i+1 == len(v) || v[i+1].slot != info.slot {
			kept = append(kept, info)
		}
	}
	return kept
}

// slotOf converts the byte offset of an instruction to its slot.
func slotOf(off uint32) bytecode.PC { return bytecode.PC(off / bytecode.SlotSize) }

// note records why a part was left out.
func (e *btfExt) note(part string, err error) {
	if err != nil {
		e.odd = append(e.odd, fmt.Sprintf("section \".BTF.ext\": %s left out: %v", part, err))
	}
}

// extReader walks the parts of a .BTF.ext section.
type extReader struct {
	b            *btfTypes
	data         []byte
	hdr          uint32 // size of the header
	sectionNamed func(string) int
}

// part calls each for every record of one part. The part's offset and length are at byte at of
// the header, and its records have at least size bytes.
//
// A part is the size of its records, then for each section its name, the
// number of records, and the records.
func (r *extReader) part(at int, size uint32, each func(sec int, rec []byte)) error {
	word := r.b.order.Uint32
	rest, err := extent(r.data, r.hdr, word(r.data[at:]), word(r.data[at+4:]))
	if err != nil || len(rest) == 0 {
		return err
	}
	if len(rest) < 4 || word(rest) < size || word(rest) > uint32(len(rest)) {
		return fmt.Errorf("records are too short or too long: %w", errBTF)
	}
	recSize := int(word(rest))
	for rest = rest[4:]; len(rest) > 0; {
		if len(rest) < 8 {
			return fmt.Errorf("cut off: %w", errBTF)
		}
		sec, count := r.sectionNamed(r.b.str(word(rest))), word(rest[4:])
		rest = rest[8:]
		if uint64(count)*uint64(recSize) > uint64(len(rest)) {
			return fmt.Errorf("cut off: %w", errBTF)
		}
		for range count {
			if sec >= 0 {
				each(sec, rest[:recSize])
			}
			rest = rest[recSize:]
		}
	}
	return nil
}

// inRange returns the part of v, sorted by slot, with slots in [lo, hi).
func inRange[T any](v []T, slot func(T) bytecode.PC, lo, hi bytecode.PC) []T {
	a := sort.Search(len(v), func(i int) bool { return slot(v[i]) >= lo })
	b := sort.Search(len(v), func(i int) bool { return slot(v[i]) >= hi })
	return v[a:max(a, b)]
}
