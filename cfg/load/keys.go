package load

import (
	"sort"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// keysSection lists the jumps that static keys control. Each entry has the byte offsets of the
// jump and of its target in their section, as 32-bit numbers, and 64 bits of flags. The
// relocation of the first word names the section of the code; that of the last names the key,
// which is a map.
//
// Source: tools/lib/bpf/bpf_helpers.h and libbpf.c of the RFC series "BPF static
// keys" of March 2025. No libbpf has it; it skips the section.
const (
	keysSection = ".static_keys"
	keyEntry    = 16 // bytes
	keyName     = 8  // offset of the word that refers to the key
)

// keySite is an entry of keysSection.
type keySite struct {
	sec  int         // of the code
	slot bytecode.PC // in it
	name string
}

// findKeys collects the entries of all sections of static keys, by the section
// of the code and in order of slots.
func (o *object) findKeys() {
	o.keys = map[int][]keySite{}
	for i := range o.f.sections {
		if s := &o.f.sections[i]; s.name == keysSection {
			for _, site := range o.keysOf(s) {
				o.keys[site.sec] = append(o.keys[site.sec], site)
			}
		}
	}
	for _, sites := range o.keys {
		sort.SliceStable(sites, func(i, j int) bool { return sites[i].slot < sites[j].slot })
	}
}

// keysOf returns the entries of a section of static keys.
func (o *object) keysOf(s *section) []keySite {
	var sites []keySite
	if len(s.data)%keyEntry != 0 {
		o.diag("section %q: %d bytes are not whole entries of %d", s.name, len(s.data), keyEntry)
	}
	relocs := s.relocs
	for off := 0; off+keyEntry <= len(s.data); off += keyEntry {
		site := keySite{sec: -1}
		for len(relocs) > 0 && relocs[0].off < uint64(off+keyEntry) {
			r := relocs[0]
			relocs = relocs[1:]
			sym := o.f.symbols[r.sym]
			switch r.off {
			case uint64(off):
				site.sec = int(sym.Shndx)
				at := sym.Value + uint64(o.f.order.Uint32(s.data[off:]))
				site.slot = bytecode.PC(at / bytecode.SlotSize)
				if at%bytecode.SlotSize != 0 {
					site.sec = -1
				}
			case uint64(off + keyName):
				site.name = o.f.symName(sym)
			}
		}
		if o.code[site.sec] == nil || site.name == "" {
			o.diag("section %q: entry %d names no instruction or no key", s.name, off/keyEntry)
			continue
		}
		sites = append(sites, site)
	}
	return sites
}

// addKeys adds the static keys of the functions that the program has.
func (l *linker) addKeys() error {
	for _, fn := range l.placed {
		f := &l.o.funcs[fn]
		sites := inRange(l.o.keys[f.sec], func(s keySite) bytecode.PC { return s.slot }, f.off, f.off+f.len)
		if err := l.spend(len(sites)); err != nil {
			return err
		}
		for i, s := range sites {
			if i > 0 && sites[i-1].slot == s.slot {
				l.diag("slot %d: belongs to two static keys, %q and %q", l.pcOf(fn, s.slot), sites[i-1].name, s.name)
				continue
			}
			pc := l.pcOf(fn, s.slot)
			if l.p.Flow(pc).Kind != bytecode.FlowKey {
				l.diag("slot %d: static key %q lists an instruction that is no such jump", pc, s.name)
			}
			l.p.KeySites = append(l.p.KeySites, bytecode.KeySite{PC: pc, Name: s.name})
		}
	}
	return nil
}
