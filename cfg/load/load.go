// Package load makes bytecode.Programs from compiled objects and from raw
// instructions.
//
//	obj, err := load.ELF("x.o", data)
//	for _, p := range obj.Programs {
//		fmt.Println(p.Section, p.Name, p.Len(), len(p.Tables))   // xdp parse 262 2
//	}
//	for _, f := range obj.Failed {
//		fmt.Println(f.Err)                                       // undefined symbol, …
//	}
//
// An object is linked as libbpf 1.8 does it (tools/lib/bpf/libbpf.c): one program for each global
// function in a program section, followed by the functions of .text that it needs, each placed
// when its first call is met, depth first. Jump tables, data sections, maps and kernel functions
// become tables, maps and references of the program. Where libbpf refuses an object as a whole
// for one bad program, ELF keeps the others, and where libbpf refuses what has an obvious meaning
// (a subprogram outside of .text), ELF links it and says so in Diags.
//
// Unlike libbpf, a program with an indirect call also gets, at its end, the functions that its
// data sections point to, because the call may reach them.
//
// The package does not apply CO-RE relocations, does not look at the running kernel, and does not
// check whether a kernel accepts a program.
package load

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// Limits on input. Files beyond them are refused with ErrTooLarge.
const (
	// MaxFile is the size of the largest file that is read, in bytes. It also
	// keeps every section offset within 32 bits.
	MaxFile = 256 << 20
	// MaxInsns is the number of slots of the longest program: the kernel's limit for a privileged
	// user (BPF_COMPLEXITY_LIMIT_INSNS, include/linux/bpf.h).
	MaxInsns = 1_000_000
	// MaxLinked bounds what linking an object may produce over all programs: slots, table entries
	// and code pointers together. Without a bound, a small file with many programs that call one
	// long function could cause a huge result. An object may produce freeLinked, and two more for
	// each byte of the file.
	MaxLinked  = 16_000_000
	freeLinked = 1_000_000
	// MaxFunctions bounds the functions of an object and MaxPrograms those that become programs.
	// Both cost more than their symbols in the file.
	MaxFunctions = 1_000_000
	MaxPrograms  = 100_000
	// MaxDiags bounds the diagnostics of an object, and of each program;
	// MaxAllDiags those of all its programs together.
	MaxDiags    = 1000
	MaxAllDiags = 20_000
	// MaxZeroed bounds the size of an object's .bss sections, in bytes, for which initial zeros
	// are kept as a value. The rest has an unknown value.
	MaxZeroed = 16 << 20
)

// The errors that callers distinguish. A returned error wraps one of them with the file and the
// place in it.
var (
	ErrTruncated  = errors.New("file is cut off or damaged: get a whole copy")
	ErrNotELF     = errors.New("not an ELF file: give an object made by clang --target=bpf -c")
	ErrNotBPF     = errors.New("not a relocatable BPF object: compile with clang --target=bpf -c")
	ErrTooLarge   = errors.New("too large")
	ErrNoPrograms = errors.New("it contains no BPF programs")
	ErrAsm        = errors.New("not an unambiguous instruction of cilium/ebpf")
)

// Object is a loaded object file.
type Object struct {
	Name      string           // as given to ELF
	ByteOrder binary.ByteOrder // of the file; the programs are decoded
	License   string           // contents of section "license"
	Types     []byte           // section .BTF, nil if there is none or it is malformed

	// Programs are in order of section and address, as libbpf has them.
	Programs []*bytecode.Program
	// Functions are all functions of the object, in order of section and address.
	// Subprogram.From of a program counts them from 1.
	Functions []Function
	// Uncalled are programs made of the functions that no program has: no program calls or names
	// them, so libbpf does not load them. A function that another of them calls is not listed by
	// itself. Each counts as a function of .text.
	Uncalled []*bytecode.Program
	// StructOps are the structures of functions that programs of type struct_ops are assigned to.
	StructOps []StructOps
	// Compilers are the compilers that the object names, each once.
	Compilers []Compiler

	// Failed are the programs that could not be linked, in the same order.
	Failed []ProgramError
	// Diags lists oddities of the object as a whole.
	Diags []string
	// Refused lists the reasons for which libbpf refuses the object as a whole or misses programs
	// of it. Other loaders may accept it.
	Refused []string
}

// ProgramError is the reason why a program could not be linked.
type ProgramError struct {
	Name    string // C name of the entry function
	Section string
	Err     error // names the file, section, program and slot
}

// Error returns the text of Err.
func (e ProgramError) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e ProgramError) Unwrap() error { return e.Err }

// Limits bound the resources that a file may use, for callers that need lower limits than the
// constants. The limit on the result of linking follows from the size of the file. A field that
// is not positive, or is above its constant, counts as the constant.
type Limits struct {
	File  int // bytes of a file: MaxFile
	Insns int // slots of a program: MaxInsns
}

// or returns the effective limit.
func or(limit, most int) int {
	if limit <= 0 {
		return most
	}
	return min(limit, most)
}

func (l Limits) file() int  { return or(l.File, MaxFile) }
func (l Limits) insns() int { return or(l.Insns, MaxInsns) }

// ELF loads a BPF object file of either byte order. The name is for messages.
//
// The error is nil when at least one program was found, even if none of them
// could be linked: see Object.Failed. The slices of the result may share memory
// with each other; only Types shares it with data.
func ELF(name string, data []byte) (*Object, error) { return Limits{}.ELF(name, data) }

// ELF is the function of that name within limits.
func (l Limits) ELF(name string, data []byte) (*Object, error) {
	if len(data) > l.file() {
		return nil, fmt.Errorf("load %s: %d bytes, the limit is %d: %w", name, len(data), l.file(), ErrTooLarge)
	}
	f, err := parseELF(data)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", name, err)
	}
	o, err := newObject(name, f, l)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", name, err)
	}
	res := &Object{Name: name, ByteOrder: f.order, License: o.license(), Diags: o.diags}
	if i := f.sectionNamed(".BTF"); i >= 0 && o.types != nil {
		res.Types = f.sections[i].data
	}
	for _, fn := range o.entries {
		p, err := o.link(fn)
		if err != nil {
			sec := f.sections[o.funcs[fn].sec].name
			err = fmt.Errorf("load %s: section %q: program %q: %w", name, sec, o.funcs[fn].name, err)
			res.Failed = append(res.Failed, ProgramError{o.funcs[fn].name, sec, err})
			continue
		}
		if p.BigEndian = f.order == binary.BigEndian; p.BigEndian {
			p.Diags = append([]string{OtherOrder}, p.Diags...)
		}
		if o.types != nil {
			o.types.setLocals(p)
		}
		res.Programs = append(res.Programs, p)
	}
	res.Functions, res.Uncalled = o.functions(), o.uncalled(res.Programs)
	res.StructOps, res.Compilers = o.structOps(), o.compilers()
	res.bind()
	o.undefined.refuse(o)
	res.Refused = o.refused
	return res, nil
}

// OtherOrder is the diagnostic of a program from a big-endian object. Constants of data sections
// are read in the object's byte order. Everything after loading assumes a little-endian machine,
// so parts of stack slots and byte swaps may be wrong for this program.
const OtherOrder = "compiled for a big-endian machine: the analysis of partial stack slots and byte swaps and " +
	"the machine code assume a little-endian one"
