// Package progen makes BPF programs for tests and benchmarks: of given shapes and
// any size, and random ones that end and stay within their memory.
//
//	p := progen.Diamonds(17)          // 17 independent branches, one precise register
//	p := progen.Random(seed, 40)      // about 40 pieces, jump tables and calls
//
// The programs are meant for our own analysis and interpreter; whether a kernel
// would accept them is not promised.
package progen

import (
	"fmt"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// Asm collects the instructions of a program. The zero value is ready to use.
type Asm struct {
	insns  []bytecode.Insn
	labels map[string]bytecode.PC
	jumps  []fixup
	tables []table
	refs   []bytecode.Ref
	subs   []bytecode.Subprogram
	maps   []bytecode.Map
	code   []codeCell
}

// codeCell is a cell of a map that holds a function's address.
type codeCell struct {
	m     int
	off   int64
	label string
}

// fixup is a jump, call or function address whose target is not known yet.
type fixup struct {
	pc    bytecode.PC
	label string
	far   bool // the distance goes into Imm
	fn    bool // a function address
}

// table is a jump table by labels.
type table struct {
	name   string
	labels []string
}

// Emit adds an instruction.
func (a *Asm) Emit(code uint8, dst, src bytecode.Reg, off int16, imm int32) {
	a.insns = append(a.insns, bytecode.Insn{Code: code, Dst: dst, Src: src, Off: off, Imm: imm})
}

// Func begins a subprogram.
func (a *Asm) Func(name string, global bool, args ...string) {
	a.subs = append(a.subs, bytecode.Subprogram{Name: name, Start: a.PC(), Global: global, Args: args})
	a.Label(name)
}

// Label names the next slot.
func (a *Asm) Label(name string) {
	if a.labels == nil {
		a.labels = make(map[string]bytecode.PC)
	}
	if _, dup := a.labels[name]; dup {
		panic("bug: label " + name + " is there twice")
	}
	a.labels[name] = a.PC()
}

// PC returns the slot of the next instruction.
func (a *Asm) PC() bytecode.PC { return bytecode.PC(len(a.insns)) }

// Jump adds a jump to a label. It takes the 32-bit form of goto, so that any
// distance fits; conditional jumps have 16 bits.
func (a *Asm) Jump(label string) {
	a.jumps = append(a.jumps, fixup{pc: a.PC(), label: label, far: true})
	a.Emit(bytecode.CodeGotol, 0, 0, 0, 0)
}

// If adds a conditional jump with an immediate, or with a register if code says
// so.
func (a *Asm) If(code uint8, dst, src bytecode.Reg, imm int32, label string) {
	a.jumps = append(a.jumps, fixup{pc: a.PC(), label: label})
	a.Emit(code, dst, src, 0, imm)
}

// Call adds a call of a subprogram.
func (a *Asm) Call(label string) {
	a.jumps = append(a.jumps, fixup{pc: a.PC(), label: label, far: true})
	a.Emit(bytecode.CodeCall, 0, bytecode.CallSubprogram, 0, 0)
}

// FuncAddr loads the address of a subprogram.
func (a *Asm) FuncAddr(dst bytecode.Reg, label string) {
	a.jumps = append(a.jumps, fixup{pc: a.PC(), label: label, far: true, fn: true})
	a.Wide(dst, bytecode.LdFunc, 0)
}

// Wide adds a 64-bit immediate load.
func (a *Asm) Wide(dst, src bytecode.Reg, v uint64) {
	a.Emit(bytecode.CodeLdImm64, dst, src, 0, int32(uint32(v)))
	a.Emit(bytecode.CodeInvalid, 0, 0, 0, int32(uint32(v>>32)))
}

// Table loads the address of a new jump table with these labels.
func (a *Asm) Table(dst bytecode.Reg, labels ...string) {
	a.refs = append(a.refs, bytecode.Ref{PC: a.PC(), Kind: bytecode.RefTable, Index: len(a.tables)})
	a.Wide(dst, bytecode.LdMapValue, 0)
	a.tables = append(a.tables, table{fmt.Sprintf("jt%d", len(a.tables)), labels})
}

// Map adds a map and returns its index.
func (a *Asm) Map(m bytecode.Map) int {
	a.maps = append(a.maps, m)
	return len(a.maps) - 1
}

// MapValue loads the address of a byte of a map's value.
func (a *Asm) MapValue(dst bytecode.Reg, index int, off int64) {
	a.refs = append(a.refs, bytecode.Ref{PC: a.PC(), Kind: bytecode.RefMapValue, Index: index, Off: off})
	a.Wide(dst, bytecode.LdMapValue, 0)
}

// MapAddr loads the address of a map.
func (a *Asm) MapAddr(dst bytecode.Reg, index int) {
	a.refs = append(a.refs, bytecode.Ref{PC: a.PC(), Kind: bytecode.RefMap, Index: index})
	a.Wide(dst, bytecode.LdMapFD, 0)
}

// Helper adds a call of a helper by number.
func (a *Asm) Helper(n int32) { a.Emit(bytecode.CodeCall, 0, bytecode.CallHelper, 0, n) }

// Program links what was collected.
func (a *Asm) Program(name string) *bytecode.Program {
	if len(a.subs) == 0 {
		a.subs = []bytecode.Subprogram{{Name: name}}
	}
	for i := range a.subs {
		a.subs[i].End = a.PC()
		if i+1 < len(a.subs) {
			a.subs[i].End = a.subs[i+1].Start
		}
	}
	at := func(label string) bytecode.PC {
		pc, ok := a.labels[label]
		if !ok {
			panic("bug: no label " + label)
		}
		return pc
	}
	for _, f := range a.jumps {
		d := at(f.label) - f.pc - 1
		in := &a.insns[f.pc]
		switch {
		case f.far:
			in.Imm = int32(d)
		case d != bytecode.PC(int16(d)):
			panic(fmt.Sprintf("bug: jump at %d is too long", f.pc))
		default:
			in.Off = int16(d)
		}
		if f.fn {
			a.refs = append(a.refs, bytecode.Ref{PC: f.pc, Kind: bytecode.RefFunc, Index: int(at(f.label))})
		}
	}
	for _, c := range a.code {
		a.maps[c.m].Code = append(a.maps[c.m].Code, bytecode.CodePointer{Off: c.off, Target: at(c.label), Func: true})
	}
	p := &bytecode.Program{Name: name, Type: "syscall", Insns: a.insns, Subprogs: a.subs, Maps: a.maps, Refs: a.refs}
	for _, t := range a.tables {
		jt := bytecode.JumpTable{Name: t.name}
		for _, l := range t.labels {
			jt.Targets = append(jt.Targets, at(l))
		}
		p.Tables = append(p.Tables, jt)
	}
	sortRefs(p.Refs)
	return p
}

// Kfunc adds a call of a kernel function by name.
func (a *Asm) Kfunc(name string) {
	a.refs = append(a.refs, bytecode.Ref{PC: a.PC(), Kind: bytecode.RefKfunc, Name: name})
	a.Emit(bytecode.CodeCall, 0, bytecode.CallKfunc, 0, 1)
}

// Exception makes the subprogram that is being written the program's exception
// callback.
func (a *Asm) Exception() { a.subs[len(a.subs)-1].Exception = true }
