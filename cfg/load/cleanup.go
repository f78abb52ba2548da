package load

import (
	"slices"
	"sort"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// cleanupSection lists the landing pads of a program that LLVM 23 compiled with exceptions. A
// record has three 32-bit numbers: the start and the end of a range of code, and its landing pad,
// as byte offsets in the section that the relocation of each number names.
const (
	cleanupSection = ".bpf_cleanup"
	cleanupRecord  = 12
)

// cleanup is a record of .bpf_cleanup, in slots of a section.
type cleanup struct {
	sec             int
	start, end, pad bytecode.PC
}

// findCleanups reads the landing pads of the object.
func (o *object) findCleanups() {
	i := o.f.sectionNamed(cleanupSection)
	if i < 0 {
		return
	}
	s := &o.f.sections[i]
	relocs := s.relocs
	for off := 0; off+cleanupRecord <= len(s.data); off += cleanupRecord {
		var at [3]bytecode.PC
		sec, ok := 0, true
		for k := range at {
			field := uint64(off + 4*k)
			for len(relocs) > 0 && relocs[0].off < field {
				relocs = relocs[1:]
			}
			if len(relocs) == 0 || relocs[0].off != field {
				ok = false
				break
			}
			sym := o.f.symbols[relocs[0].sym]
			byteOff := sym.Value + uint64(o.f.order.Uint32(s.data[field:]))
			ok = ok && byteOff%bytecode.SlotSize == 0 && (k == 0 || int(sym.Shndx) == sec)
			sec, at[k] = int(sym.Shndx), bytecode.PC(byteOff/bytecode.SlotSize)
		}
		if !ok || o.code[sec] == nil || at[0] >= at[1] || int(at[1]) > len(o.code[sec]) || int(at[2]) >= len(o.code[sec]) {
			o.diag("section %q: record %d names no range of code", s.name, off/cleanupRecord)
			continue
		}
		o.cleanups[sec] = append(o.cleanups[sec], cleanup{sec, at[0], at[1], at[2]})
	}
	for _, list := range o.cleanups {
		sort.SliceStable(list, func(a, b int) bool { return list[a].start < list[b].start })
	}
}

// addCleanups adds the landing pads of the functions that the program has.
func (l *linker) addCleanups() {
	for _, fn := range l.placed {
		f := &l.o.funcs[fn]
		list := inRange(l.o.cleanups[f.sec], func(c cleanup) bytecode.PC { return c.start }, f.off, f.off+f.len)
		for _, c := range list {
			if c.end > f.off+f.len || c.pad < f.off || c.pad >= f.off+f.len {
				l.diag("landing pad at slot %d of section %q lies outside of its function", c.pad, l.o.f.sections[c.sec].name)
				continue
			}
			shift := l.start[fn] - f.off
			l.p.Cleanups = append(l.p.Cleanups, bytecode.Cleanup{Start: c.start + shift, End: c.end + shift, Pad: c.pad + shift})
		}
	}
	sort.SliceStable(l.p.Cleanups, func(i, j int) bool { return l.p.Cleanups[i].Start < l.p.Cleanups[j].Start })
	for i := 1; i < len(l.p.Cleanups); {
		if c, before := l.p.Cleanups[i], l.p.Cleanups[i-1]; c.Start < before.End {
			l.diag("two landing pads for slot %d: the one at slot %d is left out", c.Start, c.Pad)
			l.p.Cleanups = slices.Delete(l.p.Cleanups, i, i+1)
			continue
		}
		i++
	}
}
