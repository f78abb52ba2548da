package load

import (
	"bytes"
	"debug/elf"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// object is a file with the tables that linking needs.
type object struct {
	name  string
	f     *elfFile
	text  int                     // section .text, which holds subprograms, or -1
	code  map[int][]bytecode.Insn // decoded sections with instructions
	funcs []function              // by section and address
	// entries are the functions that become programs, as indices of funcs.
	entries []int
	textual bool // the entries are functions of .text
	// visible are the functions of .text that an exception callback can be, by name.
	visible   map[string]int
	coreNames map[coreInfo]string // by relocation, without its slot
	args      map[typedFunc][]string
	callback  map[uint32][]string // names of exception callbacks, by BTF id of the entry
	// start holds the places of the functions in the program that is being linked.
	start   []bytecode.PC
	types   *btfTypes
	ext     *btfExt
	maps    mapSet
	externs externSet
	keys    map[int][]keySite // static keys, by section of the code and slot
	// cleanups are the landing pads, by section of the code and start.
	cleanups map[int][]cleanup
	left     int // of MaxLinked, for this file
	limits   Limits
	diags    []string
	refused  []string // reasons for which libbpf refuses or ignores parts
	// undefined collects the undefined symbols that linking finds.
	undefined undefined
	reported  int // diagnostics of programs so far, of MaxAllDiags
}

// function is a function of the object, in a section with instructions.
type function struct {
	name   string
	sec    int         // index of the section
	off    bytecode.PC // first slot in the section, -1 when unusable
	len    bytecode.PC // slots
	global bool        // global or weak symbol
	hidden bool        // not visible outside of the object: libbpf makes its BTF linkage static
	err    error       // why its code is unusable
}

// newObject finds functions, maps and types. It fails if there is no function to make a program
// from.
func newObject(name string, f *elfFile, limits Limits) (*object, error) {
	o := &object{
		name: name, f: f, limits: limits, text: -1, code: map[int][]bytecode.Insn{}, cleanups: map[int][]cleanup{},
		left:      min(MaxLinked, freeLinked+2*len(f.data)),
		coreNames: map[coreInfo]string{}, args: map[typedFunc][]string{}, callback: map[uint32][]string{}}
	for i := range f.sections {
		s := &f.sections[i]
		if s.typ == elf.SHT_RELA && len(s.data) > 0 { //nolint:misspell // the ELF specification's name
			o.diag("section %q: relocations with addends are not used in BPF objects and were ignored", s.name)
		}
		if !s.isExec() {
			continue
		}
		if s.name == ".text" {
			o.text = i
		}
		whole := s.data[:len(s.data)/bytecode.SlotSize*bytecode.SlotSize]
		insns, err := bytecode.Decode(whole, f.order)
		if err != nil {
			panic("bug: whole slots do not decode: " + err.Error())
		}
		o.code[i] = insns
	}
	if len(o.code) == 0 {
		return nil, fmt.Errorf("no section with instructions: %w", ErrNoPrograms)
	}
	o.findFunctions()
	if n := len(o.funcs); n > MaxFunctions {
		return nil, fmt.Errorf("%d functions, the limit is %d: %w", n, MaxFunctions, ErrTooLarge)
	}
	o.start = slices.Repeat([]bytecode.PC{notPlaced}, len(o.funcs))
	o.loadTypes()
	o.findMaps()
	o.findKeys()
	o.findCleanups()
	if err := o.findEntries(); err != nil {
		return nil, err
	}
	if n := len(o.entries); n > MaxPrograms {
		return nil, fmt.Errorf("%d programs, the limit is %d: %w", n, MaxPrograms, ErrTooLarge)
	}
	return o, nil
}

// diag records an oddity of the object.
func (o *object) diag(format string, args ...any) { addDiag(&o.diags, format, args...) }

// refuse records a reason for which libbpf refuses the object.
func (o *object) refuse(format string, args ...any) { addDiag(&o.refused, format, args...) }

// undefined is a set of symbols that nothing in the object defines.
type undefined struct {
	names   []string // quoted
	program string   // the first that refers to one
	more    bool     // others refer to one, too
}

// add adds an undefined symbol that a program refers to.
func (u *undefined) add(name, program string) {
	if quoted := strconv.Quote(name); !slices.Contains(u.names, quoted) && len(u.names) < MaxDiags {
		u.names = append(u.names, quoted)
	}
	if u.program == "" {
		u.program = program
	}
	u.more = u.more || u.program != program
}

// refuse records once, for all symbols, that libbpf refuses the object.
func (u *undefined) refuse(o *object) {
	if len(u.names) == 0 {
		return
	}
	symbols, them, by, refer := "symbol", "it", fmt.Sprintf("program %q", u.program), "refers"
	if len(u.names) > 1 {
		symbols, them = "symbols", "them"
	}
	if u.more {
		by, refer = by+" and others", "refer"
	}
	o.refuse("libbpf refuses undefined %s %s, which %s %s to: declare %s in .ksyms or .kconfig, or link the object "+
		"that defines %s", symbols, some(u.names), by, refer, them, them)
}

// addDiag appends a diagnostic to a list of at most MaxDiags, whose last entry reports that there
// are more.
func addDiag(diags *[]string, format string, args ...any) {
	switch n := len(*diags); {
	case n < MaxDiags-1:
		*diags = append(*diags, fmt.Sprintf(format, args...))
	case n == MaxDiags-1:
		*diags = append(*diags, "and more of this kind, omitted")
	}
}

// license returns the contents of section "license" up to its first zero byte.
func (o *object) license() string {
	i := o.f.sectionNamed("license")
	if i < 0 {
		return ""
	}
	b := o.f.sections[i].data
	b = b[:min(len(b), maxName)]
	if n := bytes.IndexByte(b, 0); n >= 0 {
		b = b[:n]
	}
	return string(b)
}

// findFunctions fills funcs from the symbols of type STT_FUNC, in libbpf's order (cmp_progs).
func (o *object) findFunctions() {
	typed := map[int]bool{} // sections with function symbols
	for _, sym := range o.f.symbols {
		if elf.ST_TYPE(sym.Info) == elf.STT_FUNC && o.code[int(sym.Shndx)] != nil && len(o.funcs) <= MaxFunctions {
			typed[int(sym.Shndx)] = true
			o.addFunction(sym, sym.Size)
		}
	}
	var untyped []string
	for i := range o.f.sections {
		if o.code[i] != nil && !typed[i] && o.addUntyped(i) {
			untyped = append(untyped, strconv.Quote(o.f.sections[i].name))
		}
	}
	if len(untyped) > 0 {
		o.refuse("libbpf finds no program in sections %s, whose symbols are not marked as functions: "+
			"compile with a newer clang, or use .type", some(untyped))
	}
	sort.SliceStable(o.funcs, func(a, b int) bool {
		x, y := &o.funcs[a], &o.funcs[b]
		if x.sec != y.sec {
			return x.sec < y.sec
		}
		return x.off < y.off
	})
	o.visible = map[string]int{}
	for i, fn := range o.funcs {
		if fn.sec == o.text && fn.global && !fn.hidden {
			o.visible[fn.name] = i
		}
	}
}

// addFunction adds the function of a symbol, size bytes long.
func (o *object) addFunction(sym elf.Sym64, size uint64) {
	vis := elf.ST_VISIBILITY(sym.Other)
	fn := function{
		name:   o.f.symName(sym),
		sec:    int(sym.Shndx),
		global: elf.ST_BIND(sym.Info) != elf.STB_LOCAL,
		hidden: vis == elf.STV_HIDDEN || vis == elf.STV_INTERNAL,
		off:    -1,
	}
	limit := uint64(len(o.code[fn.sec])) * bytecode.SlotSize
	switch {
	case sym.Value > limit || size > limit-sym.Value:
		fn.err = fmt.Errorf("%d bytes at offset %d cross the end of the section: %w", size, sym.Value, ErrTruncated)
	case size == 0 || size%bytecode.SlotSize != 0 || sym.Value%bytecode.SlotSize != 0:
		fn.err = fmt.Errorf("%d bytes at offset %d are not a positive number of whole 8-byte slots: %w",
			size, sym.Value, ErrTruncated)
	default:
		fn.off, fn.len = bytecode.PC(sym.Value/bytecode.SlotSize), bytecode.PC(size/bytecode.SlotSize)
	}
	o.funcs = append(o.funcs, fn)
}

// addUntyped makes functions of a section without function symbols, such as compilers before LLVM
// 7 and assembler files without .type produce: each global symbol starts one. It reports whether
// there were any. Libbpf finds no program there.
func (o *object) addUntyped(sec int) bool {
	var starts []elf.Sym64
	for _, i := range o.f.defined[sec] {
		sym := o.f.symbols[i]
		if elf.ST_TYPE(sym.Info) == elf.STT_NOTYPE && elf.ST_BIND(sym.Info) != elf.STB_LOCAL {
			starts = append(starts, sym)
		}
	}
	sort.SliceStable(starts, func(a, b int) bool { return starts[a].Value < starts[b].Value })
	for i, sym := range starts[:min(len(starts), MaxFunctions+1)] {
		end := uint64(len(o.f.sections[sec].data))
		if i+1 < len(starts) {
			end = starts[i+1].Value
		}
		o.addFunction(sym, max(end, sym.Value)-sym.Value)
	}
	return len(starts) > 0
}

// findEntries chooses the functions that become programs: those outside of
// .text, except static ones that something refers to, or else the global ones
// in it.
//
// Static functions outside of .text come from objects for loaders before libbpf: programs that
// only tail calls reach, and functions that others in the section call.
func (o *object) findEntries() error {
	var static []string
	var callees map[int]bool
	for i, fn := range o.funcs {
		if fn.sec == o.text {
			continue
		}
		if !fn.global {
			if callees == nil {
				callees = o.callees()
			}
			static = append(static, strconv.Quote(fn.name))
		}
		if fn.global || !callees[i] {
			o.entries = append(o.entries, i)
		}
	}
	if len(static) > 0 {
		o.refuse("libbpf refuses static functions outside of .text: %s", some(static))
	}
	if len(o.entries) > 0 {
		return nil
	}
	for i, fn := range o.funcs {
		if fn.sec == o.text && fn.global {
			o.entries = append(o.entries, i)
		}
	}
	if len(o.entries) == 0 {
		return fmt.Errorf("no global function, give the entry function a section name and no static: %w", ErrNoPrograms)
	}
	o.textual = true
	o.diag("libbpf finds no program: all functions are in .text, which it takes for subprograms; " +
		"the global ones are shown as programs of unknown type")
	return nil
}

// some joins the first few of many strings.
func some(list []string) string {
	const few = 5
	if len(list) <= few {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:few], ", "), len(list)-few)
}

// callees returns the functions that any instruction of the object calls or
// takes the address of.
func (o *object) callees() map[int]bool {
	res := map[int]bool{}
	for sec := range o.f.sections {
		relocs := o.f.sections[sec].relocs
		for slot, in := range o.code[sec] {
			off := uint64(slot) * bytecode.SlotSize
			for len(relocs) > 0 && relocs[0].off < off {
				relocs = relocs[1:]
			}
			switch {
			case in.Code != bytecode.CodeCall && !in.IsWide():
			case len(relocs) > 0 && relocs[0].off == off:
				if op, err := o.resolve(in, relocs[0]); err == nil && (op.kind == operandCall || op.kind == operandFunc) {
					res[op.fn] = true
				}
			case in.IsSubprogramCall():
				if fn := o.funcAt(sec, int64(slot)+int64(in.Imm)+1); fn >= 0 {
					res[fn] = true
				}
			}
		}
	}
	return res
}

// funcAt returns the index of the function that contains a slot of a section, or -1. If functions
// have the same start, it returns the last in symbol order. Functions that cannot be used have no
// slots and are never found.
func (o *object) funcAt(sec int, slot int64) int {
	i := sort.Search(len(o.funcs), func(i int) bool {
		f := &o.funcs[i]
		return f.sec > sec || f.sec == sec && int64(f.off) > slot
	}) - 1
	if i < 0 || o.funcs[i].sec != sec || slot >= int64(o.funcs[i].off+o.funcs[i].len) {
		return -1
	}
	return i
}

// setType sets the type and the flags that the section's name implies. A leading question mark
// means that the program is not loaded by default.
func setType(p *bytecode.Program) {
	name := strings.TrimPrefix(p.Section, "?")
	k := kindOf(name)
	_, target, _ := strings.Cut(name, "/")
	p.Type, p.Flags, p.AttachType = k.typ, k.flags, k.attach
	p.AttachTo = AttachName(k.typ, k.attach, target)
}
