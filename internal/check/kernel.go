package check

import (
	"fmt"
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/succ"
)

// kinds says which finding a message of the kernel is, by a part of it. The
// first that fits decides.
func kinds() []struct {
	part string
	id   ID
} {
	return []struct {
		part string
		id   ID
	}{
		{"unreachable insn", Unreachable},
		{"jump into the middle of ldimm64", TargetMidLoad},
		{"points outside of the subprog", TargetOutside},
		{"leaves the subprogram", ForeignTarget},
		{"jump out of range from insn", TargetOutside},
		{"no jump tables found", TableMissing},
		{"Failed to properly initialize insn array", TableEntry},
		{"expected PTR_TO_INSN", UnresolvedJump},
		{"on insn prohibited", TablePointer},
		{"mem access 'insn'", TablePointer},
		{"value access", TableAccess},
		{"map value", TableAccess},
		{"write into map forbidden", TableAccess},
		{"min value is negative", TableAccess},
		{"unbounded memory access", TableAccess},
		{"outside of the allowed memory range", TableAccess},
		{"bytes from insn_array", TableAccess},
		{"math between map_value", TableAccess},
		{"points to outside of jump table", TableAccess},
	}
}

// kindOf returns the finding that a message of the kernel at an instruction is.
func (c *context) kindOf(msg string, pc bytecode.PC) ID {
	for _, k := range kinds() {
		if strings.Contains(msg, k.part) {
			return k.id
		}
	}
	if pc >= 0 && pc < c.p.Len() && c.p.Insns[pc].IsGotox() && strings.Contains(msg, "!read_ok") {
		return UnresolvedJump
	}
	return KernelRefuses
}

// verdict adds what Linux's rules say: its message to the finding that tells
// the same, or a finding of its own. Of the rules on values only those about
// jump tables, code addresses, indirect jumps, unset registers and endless loops
// count: what memory a program
// may touch is a verifier's business, which knows more about pointers than the
// facts here do and would be contradicted on real programs.
func (c *context) verdict() {
	c.missingTables()
	c.told = map[refused]bool{}
	c.byPC = map[bytecode.PC][]int{}
	for i := range c.found {
		c.byPC[c.found[i].PC] = append(c.byPC[c.found[i].PC], i)
	}
	set, r := c.a.Rules, c.a.Succ
	if v := set.Static(c.p); !v.Accept {
		c.refusal(v.Message, v.PC)
		return
	}
	if v := set.Check(c.p, r); !v.Accept && c.counts(v.Message, v.PC) {
		c.refusal(v.Message, v.PC)
	}
	for _, f := range r.Facts.Faults() {
		if !f.Loose && c.counts(f.Text, f.PC) {
			c.refusal(f.Text, f.PC)
		}
	}
}

// counts reports whether a message on values is one that this package passes
// on. Linux 6.19 looks at fields only when values are computed.
func (c *context) counts(msg string, pc bytecode.PC) bool {
	if c.kindOf(msg, pc) != KernelRefuses {
		return true
	}
	for _, part := range []string{"!read_ok", "infinite loop detected", "reserved fields", "invalid may_goto",
		"is invalid"} {
		if strings.Contains(msg, part) {
			return true
		}
	}
	return false
}

// missingTables finds the functions that jump indirectly and have no table.
func (c *context) missingTables() {
	last := -1
	for _, in := range c.a.Succ.Indirect {
		sub := c.p.SubprogAt(in.PC)
		if in.Op != "gotox" || sub == last {
			continue
		}
		if last = sub; len(in.Kernel) > 0 || len(succ.Union(c.p, sub)) > 0 {
			continue
		}
		c.add(TableMissing, in.PC, fmt.Sprintf("function %s jumps indirectly and has no jump table", FunctionName(c.p, sub)))
	}
}

// refused is a message of the kernel at an instruction.
type refused struct {
	msg string
	pc  bytecode.PC
}

// refusal records that Linux refuses the program with a message about an
// instruction, or about none.
func (c *context) refusal(msg string, pc bytecode.PC) {
	id := c.kindOf(msg, pc)
	if c.told[refused{msg, pc}] {
		return
	}
	c.told[refused{msg, pc}] = true
	if f := c.same(id, msg, pc); f != nil {
		f.Kernel = msg
		return
	}
	text := fmt.Sprintf("Linux refuses the program: %s", msg)
	switch id {
	case TableAccess:
		text = fmt.Sprintf("Linux refuses this access to a jump table: %s", msg)
	case TablePointer:
		text = fmt.Sprintf("Linux refuses this use of a code address: %s", msg)
	}
	f := c.add(id, pc, text)
	f.key = msg
	if id == KernelRefuses && pc >= 0 && c.p.Insns[pc].IsCallx() {
		f.Fix = "call the functions directly, or in a switch: no Linux up to 7.3 has indirect calls"
	}
	if id != ForeignTarget { // Linux 7.3 does not check that one
		f.Kernel = msg
	}
}

// same returns the finding that a message of the kernel repeats. One about
// binding a table, or about the tables of a function, may be reported at
// another instruction than here; there is at most one of those.
func (c *context) same(id ID, msg string, pc bytecode.PC) *Finding {
	binding := strings.Contains(msg, "initialize insn array")
	for _, i := range c.byPC[pc] {
		if f := &c.found[i]; f.Kernel == "" && (f.ID == id || binding && f.ID.binds()) {
			return f
		}
	}
	if !binding && !strings.Contains(msg, "points outside") {
		return nil
	}
	for i := range c.found {
		if f := &c.found[i]; f.Kernel == "" && (f.ID == id || binding && f.ID.binds()) {
			return f
		}
	}
	return nil
}

// binds reports whether the finding keeps Linux from binding a table.
func (id ID) binds() bool { return id == TableEntry || id == TableUnfrozen || id == TargetMidLoad }
