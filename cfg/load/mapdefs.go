package load

import (
	"debug/elf"
	"fmt"
	"strconv"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// addLegacyMaps adds the maps of a section in the style before BTF: a structure of 32-bit words
// for each symbol. Libbpf 1.0 and later refuse such objects; their maps can be analysed like
// others.
func (o *object) addLegacyMaps(sec int) {
	s := &o.f.sections[sec]
	word := func(off uint64, i int) uint32 { return o.f.order.Uint32(s.data[off+uint64(4*i):]) }
	found := 0
	for _, i := range o.f.defined[sec] {
		sym := o.f.symbols[i]
		if elf.ST_TYPE(sym.Info) == elf.STT_SECTION {
			continue
		}
		size := uint64(len(s.data))
		if sym.Value > size || size-sym.Value < 16 {
			o.diag("section %q: map %q crosses the end", s.name, o.f.symName(sym))
			continue
		}
		m := bytecode.Map{
			Name: o.f.symName(sym), Type: word(sym.Value, 0), KeySize: word(sym.Value, 1),
			ValueSize: word(sym.Value, 2), MaxEntries: word(sym.Value, 3), NoKptrs: !o.types.anyKptrs(),
		}
		if size-sym.Value >= 20 {
			m.Flags = word(sym.Value, 4)
		}
		o.maps.at[place{sec, sym.Value}] = o.addMap(m)
		found++
	}
	if found > 0 {
		o.maps.legacy = append(o.maps.legacy, strconv.Quote(s.name))
	}
}

// addBTFMaps adds the maps of section .maps, which BTF describes.
func (o *object) addBTFMaps(sec int) {
	vars := map[string]uint32{} // by name: clang leaves the offsets zero
	if id, ok := o.types.find(kindDatasec, ".maps"); ok {
		t := o.types.at(id)
		for i := range t.vlen {
			v := o.types.variable(t, i)
			vars[v.name] = v.typ
		}
	}
	for _, i := range o.f.defined[sec] {
		sym := o.f.symbols[i]
		if elf.ST_TYPE(sym.Info) != elf.STT_OBJECT {
			continue
		}
		m := bytecode.Map{Name: o.f.symName(sym)}
		if elf.ST_BIND(sym.Info) == elf.STB_LOCAL {
			o.refuse("libbpf refuses map %q, which is static (unsupported map linkage static): remove static", m.Name)
		}
		if id, ok := vars[m.Name]; ok {
			def, ok := o.maps.defs[id]
			if !ok {
				def.values, def.err = o.types.mapDef(&def.m, id)
				o.maps.defs[id] = def
			}
			if def.err != nil {
				def.m.NoKptrs = false
				o.diag("map %q: %v", m.Name, def.err)
			}
			def.m.Name = m.Name
			m = def.m
			m.Elements = o.elements(sec, sym, def.values)
		} else {
			o.diag("map %q: type and sizes are unknown without BTF, compile with -g", m.Name)
		}
		i := o.addMap(m)
		o.maps.at[place{sec, sym.Value}] = i
		if m.Type == mapTypeArena {
			o.maps.arena = i
		}
	}
}

// mapDef fills in a map from the type of its variable, an anonymous structure whose members are
// called type, key, value, … (parse_btf_map_def in libbpf). Numbers are coded as lengths of
// arrays, types as pointers to them. It returns the offset of the array of initial elements, if
// there is one.
func (b *btfTypes) mapDef(m *bytecode.Map, variable uint32) (at int64, err error) {
	at, inner, err := b.mapMembers(m, b.at(b.strip(b.at(variable).size)))
	if err == nil && inner != 0 && isMapOfMaps(m.Type) {
		of := bytecode.Map{Name: "inner"}
		if _, _, err = b.mapMembers(&of, b.at(inner)); err == nil {
			m.Inner = &of
		}
	}
	return at, err
}

// isMapOfMaps reports whether values of the map type are maps.
func isMapOfMaps(t uint32) bool { return t == bytecode.MapArrayOfMaps || t == bytecode.MapHashOfMaps }

// innerDef returns the definition of the maps in a map of maps, given its type as an array of
// pointers; 0 for another type.
func (b *btfTypes) innerDef(array btfType) uint32 {
	if array.kind != kindArray {
		return 0
	}
	ptr := b.at(b.strip(b.word(array, 0)))
	if ptr.kind != kindPtr {
		return 0
	}
	if id := b.strip(ptr.size); b.at(id).kind == kindStruct {
		return id
	}
	return 0
}

// mapMembers fills in a map from the structure that defines it. It returns the offset of the
// array of initial elements and the definition of its elements, 0 for none.
func (b *btfTypes) mapMembers(m *bytecode.Map, def btfType) (at int64, inner uint32, err error) {
	at, m.NoKptrs = -1, true
	if def.kind != kindStruct {
		return at, 0, fmt.Errorf("definition is not a structure: %w", errBTF)
	}
	for i := range def.vlen {
		f := b.member(def, i)
		t := b.at(b.strip(f.typ))
		n, isNumber := b.mapNumber(t)
		switch f.name {
		case "type":
			m.Type = n
		case "max_entries":
			m.MaxEntries = n
		case "map_flags":
			m.Flags = n
		case "key_size":
			m.KeySize = n
		case "value_size":
			m.ValueSize = n
		case "key", "value":
			size, ok := b.sizeOf(t.size)
			if t.kind != kindPtr || !ok {
				return at, 0, fmt.Errorf("member %q points at nothing of known size: %w", f.name, errBTF)
			}
			if f.name == "key" {
				m.KeySize = size
			} else {
				m.ValueSize = size
				m.SpinLock = b.hasMember(t.size, "bpf_spin_lock")
				m.NoKptrs = !b.holdsKptrs(t.size)
			}
			continue
		case "values": // of an array of programs or maps: descriptors
			m.ValueSize = 4
			if t.kind == kindArray {
				at, inner = int64(f.off/8), b.innerDef(t)
			}
			continue
		default:
			continue
		}
		if !isNumber {
			return at, 0, fmt.Errorf("member %q is not a number: %w", f.name, errBTF)
		}
	}
	return at, inner, nil
}

// mapNumber returns the number that a member of a map definition encodes: __uint(name, 5)
// declares a pointer to an array of 5, __ulong an enumeration.
func (b *btfTypes) mapNumber(t btfType) (uint32, bool) {
	if t.kind == kindPtr {
		if a := b.at(b.strip(t.size)); a.kind == kindArray {
			return b.word(a, 2), true
		}
	}
	if t.kind == kindEnum && t.vlen > 0 {
		return b.word(t, 1), true
	}
	return 0, false
}
