package jit

import (
	"sort"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/jit/x86"
)

// operand is the value of an instruction's operand that its bits do not contain:
// the callee of a call, the address that a 64-bit immediate load loads. Values
// are looked up once, not in every walk.
type operand struct {
	value   uint64
	slot    int32 // relative to the function
	ref     int32 // index in Program.Refs, -1 without
	callee  int32 // index in Program.Funcs, -1 if it is no subprogram
	arena   int32 // index in Program.ArenaArgs, -1 without
	known   bool
	thunked bool
}

// operand returns the operand of the current instruction, nil if it has none,
// and moves on to the next.
func (c *function) operand() *operand {
	if c.next < len(c.operands) && int(c.operands[c.next].slot) == c.slot {
		c.next++
		return &c.operands[c.next-1]
	}
	return nil
}

// resolveOperands fills in c.operands.
func (c *function) resolveOperands() error {
	refs := c.prog.Refs
	r := sort.Search(len(refs), func(i int) bool { return refs[i].PC >= c.fn.Start })
	args := c.prog.ArenaArgs
	a := sort.Search(len(args), func(i int) bool { return args[i].PC >= c.fn.Start })
	for k := 0; k < len(c.insns); k += int(c.insns[k].Slots()) {
		pc := c.fn.Start + bytecode.PC(k)
		for r < len(refs) && refs[r].PC < pc {
			r++
		}
		for a < len(args) && args[a].PC < pc {
			a++
		}
		op := operand{slot: int32(k), ref: -1, callee: -1, arena: -1}
		if r < len(refs) && refs[r].PC == pc {
			op.ref = int32(r)
		}
		if a < len(args) && args[a].PC == pc {
			op.arena = int32(a)
		}
		wanted, err := c.resolve(k, &op)
		if err != nil {
			return err
		}
		if wanted {
			c.operands = append(c.operands, op)
		}
	}
	return nil
}

// resolve fills in the operand of the instruction at slot k, and reports
// whether it has one.
func (c *function) resolve(k int, op *operand) (bool, error) {
	in := c.insns[k]
	switch in.Code {
	case bytecode.CodeLdImm64:
		if in.Src == bytecode.LdImm64 && op.ref < 0 {
			return false, nil
		}
	case codeMov64K, codeMov32K:
		if op.ref < 0 {
			return false, nil
		}
		op.value, op.known = c.refValue(c.prog.Refs[op.ref])
		return true, nil
	case bytecode.CodeCall:
	default:
		return false, nil
	}
	if callee, ok := c.calleeOf(k, op); ok {
		op.callee = int32(callee)
		op.value, op.known = c.funcAddress(callee)
		return true, c.checkFuncAddress(k, op)
	}
	if op.ref >= 0 {
		ref := c.prog.Refs[op.ref]
		op.value, op.known = c.refValue(ref)
		if in.Code == bytecode.CodeCall && c.prog.Addresses.Thunked != nil {
			op.thunked = c.prog.Addresses.Thunked(ref)
		}
	}
	return true, nil
}

// calleeOf returns the function that the instruction at slot k calls or takes the address of.
// checkProgram has checked that it exists.
func (c *function) calleeOf(k int, op *operand) (int, bool) {
	pc := c.fn.Start + bytecode.PC(k)
	target, ok := subprogTarget(c.prog, pc, op.ref)
	if !ok {
		return 0, false
	}
	return funcAt(c.prog.Funcs, target), true
}

// subprogTarget returns the slot of the subprogram that the instruction at pc
// calls or loads the address of. A reference, given as an index in p.Refs or
// -1, comes first: kernel dumps hold other numbers in Imm.
func subprogTarget(p *Program, pc bytecode.PC, ref int32) (bytecode.PC, bool) {
	if ref >= 0 && p.Refs[ref].Kind == bytecode.RefFunc {
		return bytecode.PC(p.Refs[ref].Index), true
	}
	if ref >= 0 {
		return 0, false
	}
	switch f := bytecode.FlowAt(p.Insns, pc); f.Kind {
	case bytecode.FlowCall, bytecode.FlowFuncAddr:
		return f.Callee, true
	}
	return 0, false
}

// funcAt returns the index of the function that starts at pc, -1 if none does.
func funcAt(funcs []Func, pc bytecode.PC) int {
	i := sort.Search(len(funcs), func(i int) bool { return funcs[i].Start >= pc })
	if i < len(funcs) && funcs[i].Start == pc {
		return i
	}
	return -1
}

// funcAddress returns the address of function i, if known.
func (c *function) funcAddress(i int) (uint64, bool) {
	if a := c.prog.Addresses.Funcs; i < len(a) && a[i] != 0 {
		return a[i], true
	}
	return 0, false
}

// checkFuncAddress checks that the address of a function has the form that a
// load of it was laid out for: subprograms are compiled with a placeholder in
// the module area.
func (c *function) checkFuncAddress(k int, op *operand) error {
	if op.known && c.insns[k].IsWide() && !x86.FitsInt32(op.value) {
		return c.failure(k, ErrInput, "function address outside the upper 2 GiB")
	}
	return nil
}

// refValue returns the value of an operand, if known.
func (c *function) refValue(ref bytecode.Ref) (uint64, bool) {
	if f := c.prog.Addresses.Value; f != nil {
		if v, ok := f(ref); ok {
			return v, true
		}
	}
	switch ref.Kind {
	case bytecode.RefHelper, bytecode.RefKfunc, bytecode.RefKsym:
		if ref.Name != "" {
			return c.symbol(ref.Name)
		}
	}
	return 0, false
}

// symbol returns the address of a kernel symbol, if known.
func (c *function) symbol(name string) (uint64, bool) {
	if f := c.prog.Addresses.Symbol; f != nil {
		if a, ok := f(name); ok {
			return a, true
		}
	}
	a, ok := c.prof.Symbols[name]
	return a, ok && a != 0
}

// movOperand emits a load of an operand's value. If that is not known, the
// kind decides the length: kernel text, static data and BPF images lie in the
// upper 2 GiB, which the 7-byte form reaches; maps and other allocations do
// not.
func (c *function) movOperand(d x86.Reg, op *operand) {
	near := op.callee >= 0
	if op.ref >= 0 {
		switch c.prog.Refs[op.ref].Kind {
		case bytecode.RefKsym, bytecode.RefBTFID, bytecode.RefHelper, bytecode.RefKfunc, bytecode.RefFunc:
			near = true
		}
	}
	size, kind := c.movAddress(d, op.value, op.known, near)
	c.relocOperand(size, kind, op.known, op)
}
