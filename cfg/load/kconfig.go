package load

import (
	"debug/elf"
	"sort"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// kconfigSection and ksymsSection are the BTF data sections that declare external variables and
// functions of the kernel.
const (
	kconfigSection = ".kconfig"
	ksymsSection   = ".ksyms"
)

// isExtern reports whether libbpf looks up a symbol outside of the object (sym_is_extern).
func isExtern(sym elf.Sym64) bool {
	bind := elf.ST_BIND(sym.Info)
	return elf.SectionIndex(sym.Shndx) == elf.SHN_UNDEF && elf.ST_TYPE(sym.Info) == elf.STT_NOTYPE &&
		(bind == elf.STB_GLOBAL || bind == elf.STB_WEAK)
}

// externSet holds BTF's declarations of external symbols.
type externSet struct {
	ksyms   map[uint32]bool  // functions and variables in .ksyms, by BTF id
	kconfig map[string]int64 // byte offsets in the .kconfig map
}

// addKconfig adds the map of kernel configuration values to which external variables in .kconfig
// refer. The values are unknown, because they are those of the running kernel; the layout is
// libbpf's (cmp_externs and bpf_object__collect_externs): by falling alignment, rising size, and
// name.
func (o *object) addKconfig() {
	id, ok := o.types.find(kindDatasec, kconfigSection)
	if !ok {
		return
	}
	vals := o.kconfigValues(o.types.at(id))
	if len(vals) == 0 {
		return
	}
	m := bytecode.Map{
		Name: kconfigSection, Type: mapTypeArray, KeySize: 4, MaxEntries: 1,
		Flags: flagRdonlyProg | flagMmapable, ReadOnly: true, NoKptrs: true,
	}
	var off int64
	for _, v := range vals {
		off = (off + v.align - 1) / v.align * v.align
		if v.size > maxMapValue-off {
			o.diag("external variables in .kconfig from %q on are too large for a map", v.name)
			break
		}
		m.Symbols = append(m.Symbols, bytecode.DataSymbol{Name: v.name, Off: off, Size: v.size})
		o.externs.kconfig[v.name] = off
		off += v.size
	}
	m.ValueSize, m.Unknown = uint32(off), m.Symbols
	o.maps.kconfig = o.addMap(m)
}

// kconfigValue is an external variable in .kconfig.
type kconfigValue struct {
	name        string
	size, align int64 // bytes
}

// kconfigValues returns the variables of the data section in libbpf's order.
func (o *object) kconfigValues(sec btfType) []kconfigValue {
	var vals []kconfigValue
	for i := range sec.vlen {
		v := o.types.variable(sec, i)
		t := o.types.at(v.typ)
		size, ok := o.types.sizeOf(v.typ)
		if !ok || t.kind != kindVar {
			o.diag("external variable %q in .kconfig has no known size", v.name)
			continue
		}
		vals = append(vals, kconfigValue{v.name, int64(size), int64(o.types.alignOf(t.size))})
	}
	sort.SliceStable(vals, func(i, j int) bool {
		a, b := vals[i], vals[j]
		if a.align != b.align {
			return a.align > b.align
		}
		if a.size != b.size {
			return a.size < b.size
		}
		return a.name < b.name
	})
	return vals
}

// findKsyms collects the declarations of BTF data section .ksyms.
func (o *object) findKsyms() {
	o.externs = externSet{ksyms: map[uint32]bool{}, kconfig: map[string]int64{}}
	id, ok := o.types.find(kindDatasec, ksymsSection)
	if !ok {
		return
	}
	sec := o.types.at(id)
	for i := range sec.vlen {
		o.externs.ksyms[o.types.variable(sec, i).typ] = true
	}
}

// extern describes an external symbol.
type extern struct {
	kind  externKind
	off   int64 // byte offset in the .kconfig map
	typed bool  // the kernel variable is referred to by BTF id, not by address
}

// externKind is the place where an external symbol is found.
type externKind uint8

// The kinds of external symbols.
const (
	externUnknown externKind = iota
	externKconfig            // a configuration value
	externKsym               // a kernel variable
	externKfunc              // a kernel function
)

// trapFunction is the kernel function that clang 22 and later call at places that execution
// cannot reach. It needs no declaration.
const trapFunction = "__bpf_trap"

// resumeSymbol is the function that clang 23 calls at the end of a landing pad, and
// resumeFunction the kernel function that libbpf replaces it with.
const (
	resumeSymbol   = "_Unwind_Resume"
	resumeFunction = "bpf_unwind_resume"
)

// findExtern looks up an external symbol in the BTF declarations. Its BTF data section
// distinguishes configuration values from kernel symbols.
func (o *object) findExtern(name string) extern {
	if name == trapFunction || name == resumeSymbol {
		return extern{kind: externKfunc}
	}
	if id, ok := o.types.find(kindFunc, name); ok && o.externs.ksyms[id] {
		return extern{kind: externKfunc}
	}
	if id, ok := o.types.find(kindVar, name); ok && o.externs.ksyms[id] {
		return extern{kind: externKsym, typed: o.types.strip(o.types.at(id).size) != 0}
	}
	if off, ok := o.externs.kconfig[name]; ok {
		return extern{kind: externKconfig, off: off}
	}
	return extern{}
}
