package check

import (
	"fmt"

	"github.com/bpfcfg/bpfcfg/abstract"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/succ/rules"
)

// kindOf returns the kind of finding for a refusal of the kernel.
func (c *context) kindOf(v *rules.Verdict) ID {
	switch v.Rule {
	case rules.Unreachable:
		return Unreachable
	case rules.MidLoad:
		return TargetMidLoad
	case rules.JumpLeaves, rules.TableLeaves:
		return TargetOutside
	case rules.JumpForeign:
		return ForeignTarget
	case rules.NoTable:
		return TableMissing
	case rules.Binding:
		return TableEntry
	case rules.TableOffset:
		return TableAccess
	case rules.Values:
		return c.kindOfFault(&v.Fault)
	}
	return KernelRefuses
}

// kindOfFault returns the kind of finding for a fault of values.
func (c *context) kindOfFault(f *abstract.Fault) ID {
	switch f.Kind {
	case abstract.UnsetTarget, abstract.NoCodeAddress:
		return UnresolvedJump
	case abstract.UnsetRegister:
		if c.p.Insns[f.PC].IsGotox() {
			return UnresolvedJump
		}
	case abstract.BadMemory, abstract.PointerMath:
		if f.Holds == abstract.Insn {
			return TablePointer
		}
	case abstract.BelowTable, abstract.AboveTable, abstract.NegativeIndex, abstract.UnboundedIndex,
		abstract.PartialEntry, abstract.TableWrite, abstract.EntryOutside:
		if f.Holds != abstract.MapValue {
			return TableAccess
		}
	case abstract.Misaligned, abstract.FarOffset, abstract.UnboundedOffset, abstract.LargeOffset:
		if f.Holds == abstract.Table {
			return TableAccess
		}
	}
	return KernelRefuses
}

// verdict adds the verdict of Linux's rules: its message to the finding about the same
// fault, or a finding of its own. Only the rules decide what is refused; faults that are
// not proven are notes.
func (c *context) verdict() {
	c.missingTables()
	c.byPC = map[bytecode.PC][]int{}
	for i := range c.found {
		c.byPC[c.found[i].PC] = append(c.byPC[c.found[i].PC], i)
	}
	set, r := c.a.Rules, c.a.Succ
	if v := c.a.Static(); !v.Accept {
		c.refusal(&v)
		return
	}
	told := c.a.Verdict()
	switch may := told.May; {
	case !told.Accept:
		c.refusal(&told)
	case may != nil:
		f := c.add(MayRefuse, may.PC, fmt.Sprintf("Linux may refuse the program: %s", may.Message))
		f.key = may.Message
	}
	for v := range set.Faults(r) { // one of each instruction
		switch {
		case !told.Accept && v.PC == told.PC && v.Message == told.Message:
		case v.Fault.Proven:
			c.refusal(&v)
		default:
			f := c.add(MayRefuse, v.PC, fmt.Sprintf("Linux may refuse the program: %s", v.Message))
			f.key = v.Message
		}
	}
}

// missingTables finds the functions that jump indirectly and have no table.
func (c *context) missingTables() {
	last := -1
	for _, in := range c.a.Succ.Indirect {
		sub := c.p.SubprogAt(in.PC)
		if in.Op != "gotox" || sub == last {
			continue
		}
		if last = sub; len(in.Kernel) > 0 || len(c.unions()[sub]) > 0 {
			continue
		}
		c.add(TableMissing, in.PC, fmt.Sprintf("function %s has an indirect jump but no jump table", functionName(c.p, sub)))
	}
}

// refusal records that Linux refuses the program.
func (c *context) refusal(v *rules.Verdict) {
	id := c.kindOf(v)
	if f := c.same(id, v); f != nil {
		f.Kernel = v.Message
		return
	}
	text := fmt.Sprintf("Linux refuses the program: %s", v.Text())
	switch id {
	case TableAccess:
		text = fmt.Sprintf("Linux refuses this access to a jump table: %s", v.Message)
	case TablePointer:
		text = fmt.Sprintf("Linux refuses this use of a code address: %s", v.Message)
	}
	f := c.add(id, v.PC, text)
	f.key = v.Message
	f.Fix = c.refusalFix(id, v)
	if id != ForeignTarget { // Linux 7.3 does not check that one
		f.Kernel = v.Message
	}
}

// same returns the finding that a refusal of the kernel repeats. Refusals about binding a table, or
// about the tables of a function, may be reported at another instruction than here; there is at
// most one of those.
func (c *context) same(id ID, v *rules.Verdict) *Finding {
	is := func(f *Finding) bool {
		return f.Kernel == "" && (f.ID == id || v.Rule == rules.Binding && f.ID.binds())
	}
	for _, i := range c.byPC[v.PC] {
		if is(&c.found[i]) {
			return &c.found[i]
		}
	}
	if v.Rule != rules.Binding && v.Rule != rules.TableLeaves {
		return nil
	}
	for i := range c.found {
		if is(&c.found[i]) {
			return &c.found[i]
		}
	}
	return nil
}

// binds reports whether the finding keeps Linux from binding a table.
func (id ID) binds() bool { return id == TableEntry || id == TableUnfrozen || id == TargetMidLoad }
