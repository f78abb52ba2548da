// Package bytecode holds a BPF program as the kernel sees it at load time: the
// instructions of an entry function and of the subprograms it needs, linked
// into one index space, with maps, jump tables and source lines beside them.
//
//	o, err := load.ELF("x.o", data)                // package cfg/load makes Programs
//	p := o.Programs[0]
//	for pc := bytecode.PC(0); pc < p.Len(); pc += p.Insns[pc].Slots() {
//		fmt.Println(pc, p.Text(pc))            // 8 gotox r2
//	}
//
// A Program is plain data and is not changed after it has been made. The package does not read
// files and does not follow control flow further than one instruction (FlowAt). It does not check
// programs: a Program may be one that no kernel would accept.
package bytecode

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
)

// Program is one loadable unit.
type Program struct {
	Name    string // C name of the entry function, unescaped, as the file has it
	Section string // ELF section of the entry function, which decides the program type
	Type    string // program type in libbpf's words ("xdp", "syscall"), empty when unknown

	Insns    []Insn       // all subprograms, linked
	Subprogs []Subprogram // by Start; the first starts at slot 0, each ends where the next starts
	Maps     []Map        // in order of first reference
	Tables   []JumpTable  // in order of first reference
	Refs     []Ref        // by PC; at most one for each PC
	Relocs   []Reloc      // by PC; at most one for each PC: changes that the loader makes for the running kernel
	Lines    []Line       // by PC; each holds until the next
	KeySites []KeySite    // by PC: jumps that the object's static keys control
	Cleanups []Cleanup    // by Start: landing pads of calls that throw (section .bpf_cleanup of LLVM 23)
	Diags    []string     // oddities that the loader found, in a fixed order

	// Sleepable and the like are loader flags (BPF_F_* of BPF_PROG_LOAD).
	Flags uint32
	// BigEndian reports whether the program is for big-endian machines. The values of its maps
	// are then big-endian too.
	BigEndian bool
	// AttachType is the expected attach type that the program is loaded with (enum
	// bpf_attach_type), 0 if there is none or it is the first. For a struct_ops program it is the
	// number of the member.
	AttachType uint32
	// AttachTo is the target that the program is bound to at load time, in the kernel's naming:
	// "bpf_fentry_test1", "btf_trace_sched_switch", "bpf_lsm_file_open", "struct
	// tcp_congestion_ops"; for an extension, the function of the other program. It is empty if
	// there is none or it is not known.
	AttachTo string
	// AttachMember is the name of the member that a struct_ops program is assigned to, if the
	// object names it.
	AttachMember string
	// ExceptionTags is the number of exception callbacks that BTF names for the program. The
	// kernel accepts one; if there are more, none is linked.
	ExceptionTags int
	// CPUs is the number of possible processors of the target machine
	// (/sys/devices/system/cpu/possible), 0 if it is not known.
	CPUs int
	// Kernel holds the types of the target kernel, nil if they are not known.
	Kernel Types
	// Locals are the structures of the object, by ID. Only a program that allocates or frees
	// objects has them.
	Locals []LocalType
	// Kfuncs are the prototypes, as the object declares them, of the kernel functions that the
	// program calls, by name.
	Kfuncs []Kfunc

	// Rewritten reports whether Insns come from a running kernel and its verifier has already
	// rewritten them. Such a program must not be rewritten again.
	Rewritten bool
}

// TypedEntry reports whether the entry function gets the arguments of its BTF prototype instead
// of a context: it replaces a function of another program (freplace), or belongs to a library
// that programs are linked with.
//
// Source: kernel/bpf/verifier.c do_check_common, Linux 7.3.
func (p *Program) TypedEntry() bool { return p.Type == "ext" || p.Type == "" && p.Section == ".text" }

// OddText is the diagnostic of a program made of a function in .text, which is usual in
// libraries that other objects are linked with.
const OddText = "from a function in .text, which libbpf does not load by itself"

// Subprogram is a function of a Program.
type Subprogram struct {
	Name   string // C name, empty when unknown
	Start  PC     // slot after the first
	End    PC     // slot after the last
	Global bool   // verified by itself, by its BTF types, and not again at each call

	// Args holds the BTF kind of each parameter of a global function: "scalar", "ctx", "mem:N"
	// (pointer to N bytes, may be null), "nonnull:N", "trusted:T" (pointer to a kernel's
	// structure T), "trusted-or-null:T", "untrusted:T" (T may have been freed, or is not a
	// structure), "arena" (pointer into one), or "other". It is nil if there is no BTF.
	Args []string
	// Params is the number of parameters in the function's BTF prototype, and Result the kind of
	// its result: "void", "int" (an integer or enum of at most 8 bytes), or "other". They are 0
	// and empty if there is no BTF.
	Params int
	Result string
	// Distrusted reports whether a static function has a parameter for which the kernel accepts
	// no type, such as a pointer to memory. From the second call on the kernel then ignores the
	// prototype.
	Distrusted bool
	// Exception reports whether the function is the program's exception
	// callback (BTF declaration tag "exception_callback:NAME").
	Exception bool
	// From is the function of the object that this one was copied from, counted from 1 in order
	// of section and address; 0 if it comes from no object.
	From int
}

// Label returns the name of the subprogram, or one made from its first slot where it has none.
func (s *Subprogram) Label() string {
	if s.Name == "" {
		return fmt.Sprintf("func_%d", s.Start)
	}
	return s.Name
}

// Map describes a map that a Program refers to.
type Map struct {
	Name       string
	Type       uint32 // BPF_MAP_TYPE_*
	KeySize    uint32 // bytes
	ValueSize  uint32 // bytes
	MaxEntries uint32
	Flags      uint32 // BPF_F_*
	SpinLock   bool   // the value has a bpf_spin_lock
	Inner      *Map   // template for the elements of a map of maps; nil if unknown

	// NoKptrs reports whether the kernel knows of no pointers in the value, so that what a program
	// loads from it is a number. It is false where that is not known.
	NoKptrs bool

	// ReadOnly reports whether neither the program nor user space can change
	// the value: a frozen BPF_F_RDONLY_PROG array such as .rodata.
	ReadOnly bool
	// Const reports whether the source puts only constants into the map although the kernel lets
	// the program write to it: .data.rel.ro. Only its code addresses, which no kernel knows, are
	// treated as constants.
	Const bool
	// Value is the initial value of a data section or of an array of one element; nil if unknown.
	Value []byte
	// Symbols names the variables inside Value, by Off.
	Symbols []DataSymbol
	// Unknown lists the variables whose value in a running kernel may differ from Value, by Off.
	// They do not overlap.
	Unknown []DataSymbol
	// Elements are the programs or maps that a loader puts into an array before it loads
	// programs, by Index. User space may change them later.
	Elements []Element
	// Code lists the slots of Value that hold code addresses, by Off (R_BPF_64_ABS64
	// relocations). No Linux loader applies these relocations.
	Code []CodePointer
}

// Element is an element of an array of programs or maps.
type Element struct {
	Index uint32
	Name  string // of the program or map
}

// Cleanup is a landing pad: if the kernel unwinds, a call in [Start, End) that throws an
// exception continues at Pad. The ranges of a program do not overlap.
type Cleanup struct{ Start, End, Pad PC }

// DataSymbol is a variable in a data section.
type DataSymbol struct {
	Name string
	Off  int64 // byte offset in the section
	Size int64 // bytes
	// Config reports whether the variable is const volatile, that is, configuration that a loader
	// may set before it loads the program. It is known only from BTF.
	Config bool
}

// CodePointer is an 8-byte cell of a data section that holds a code address.
type CodePointer struct {
	Off    int64 // byte offset of the cell in the section
	Target PC    // slot that it points to, -1 if that is not part of this program
	Func   bool  // the target is the first slot of a function
}

// JumpTable is a BPF_MAP_TYPE_INSN_ARRAY map: an array of code addresses that
// indirect jumps load from.
type JumpTable struct {
	Name string
	// Targets holds the slot of each entry as submitted to the kernel. It may lie outside the
	// program or on the second slot of a 64-bit immediate load.
	Targets []PC
	// Unfrozen reports whether the map would not be frozen at load. The kernel refuses such a
	// map; loaders such as libbpf freeze it.
	Unfrozen bool
	// FDArray reports whether the program binds the map through fd_array even if no instruction
	// refers to it.
	FDArray bool
}

// RefKind is the kind of thing that an instruction's operand refers to.
type RefKind uint8

// The kinds of reference.
const (
	RefInvalid  RefKind = iota
	RefMap              // Maps[Index], the map itself
	RefMapValue         // Maps[Index], byte Off of its first value
	RefTable            // Tables[Index], byte Off of its addresses
	RefTableMap         // Tables[Index], the map itself
	RefFunc             // subprogram that starts at slot Index
	RefHelper           // helper number Index, called Name where known
	RefKfunc            // kernel function Name
	RefKsym             // kernel variable Name
	RefBTFID            // kernel BTF object number Index
	RefUnknown          // undefined or unsupported; Name describes it
)

// MapRef returns the kind of a reference to a map, which may be a jump table: to the map itself,
// or to its first value.
func MapRef(table, value bool) RefKind {
	switch {
	case table && value:
		return RefTable
	case table:
		return RefTableMap
	case value:
		return RefMapValue
	}
	return RefMap
}

// Ref is the meaning of an operand that the instruction's bits alone do not determine: the map
// that a 64-bit immediate load refers to, or the kernel function that a call refers to.
type Ref struct {
	PC    PC
	Kind  RefKind
	Index int    // see RefKind
	Off   int64  // byte offset, see RefKind
	Name  string // symbol, see RefKind
}

// Line is a line of C source.
type Line struct {
	PC   PC     // first slot made from the line
	File string // as the compiler recorded it
	Line int    // from 1
	Col  int    // from 1; 0 when unknown
	Text string // the line itself, empty if not recorded
}

// RefAt returns the reference of the instruction at pc, and reports whether it has one.
func (p *Program) RefAt(pc PC) (Ref, bool) {
	i := sort.Search(len(p.Refs), func(i int) bool { return p.Refs[i].PC >= pc })
	if i < len(p.Refs) && p.Refs[i].PC == pc {
		return p.Refs[i], true
	}
	return Ref{}, false
}

// Unconfigured returns a copy of the program in which the values of configuration variables
// (DataSymbol.Config) are unknown, and reports whether there are any.
func (p *Program) Unconfigured() (*Program, bool) {
	q := *p
	q.Maps = slices.Clone(p.Maps)
	has := false
	for i := range q.Maps {
		m := &q.Maps[i]
		if !m.ReadOnly {
			continue
		}
		var settings []DataSymbol
		for _, s := range m.Symbols {
			if s.Config {
				settings = append(settings, s)
			}
		}
		if len(settings) > 0 {
			m.Unknown = union(append(settings, m.Unknown...)) // parts of them may be unknown already
			has = true
		}
	}
	return &q, has
}

// union sorts variables by Off and makes those that overlap one: it has the name of the first,
// or of one that is configuration.
func union(list []DataSymbol) []DataSymbol {
	slices.SortStableFunc(list, func(a, b DataSymbol) int { return cmp.Compare(a.Off, b.Off) })
	out := list[:0]
	for _, s := range list {
		last := len(out) - 1
		if last < 0 || out[last].Off+out[last].Size <= s.Off {
			out = append(out, s)
			continue
		}
		u := &out[last]
		u.Size = max(u.Size, s.Off+s.Size-u.Off)
		if s.Config && !u.Config {
			u.Name, u.Config = s.Name, true
		}
	}
	return out
}

// Number returns 1 to 8 bytes of a map's value as a number, in the byte order of the target
// machine.
func (p *Program) Number(b []byte) uint64 {
	var v uint64
	for i, c := range b {
		if p.BigEndian {
			v = v<<8 | uint64(c)
		} else {
			v |= uint64(c) << (8 * i)
		}
	}
	return v
}

// LineAt returns the source line of the instruction at pc, and reports whether one is known. A
// line does not extend over the start of a subprogram.
func (p *Program) LineAt(pc PC) (Line, bool) {
	i := sort.Search(len(p.Lines), func(i int) bool { return p.Lines[i].PC > pc }) - 1
	s := p.SubprogAt(pc)
	if i < 0 || s < 0 || p.Lines[i].PC < p.Subprogs[s].Start {
		return Line{}, false
	}
	return p.Lines[i], true
}

// SubprogAt returns the index in Subprogs of the subprogram that contains pc,
// or -1.
func (p *Program) SubprogAt(pc PC) int {
	i := sort.Search(len(p.Subprogs), func(i int) bool { return p.Subprogs[i].Start > pc }) - 1
	if i < 0 || pc >= p.Subprogs[i].End {
		return -1
	}
	return i
}

// Flow returns how control leaves the instruction at pc; see FlowAt.
func (p *Program) Flow(pc PC) Flow { return FlowAt(p.Insns, pc) }

// Len returns the number of slots.
func (p *Program) Len() PC { return PC(len(p.Insns)) }

// KptrTag reports whether a type tag of BTF may mark a pointer in a map's value that the kernel
// tracks: every tag except those known to mean something else, because new kernels have new tags.
//
// Source: kernel/bpf/btf.c btf_find_kptr, Linux 5.19 to 7.3.
func KptrTag(tag string) bool { return tag != "user" && tag != "percpu" && tag != "rcu" }
