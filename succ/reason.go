package succ

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/abstract"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// maxReasons bounds the number of index bounds that a reason lists.
const maxReasons = 4

// reason explains in a sentence why the targets are these.
func (r *Result) reason(p *bytecode.Program, d *Indirect, e *abstract.Indirect) string {
	if e.Unresolved != "" {
		return e.Unresolved
	}
	var parts []string
	has := map[string]bool{}
	add := func(s string) {
		if !has[s] {
			has[s], parts = true, append(parts, s)
		}
	}
	var selected []bytecode.PC
	if len(e.Funcs) > 0 && len(e.Accesses) > 0 {
		selected = e.Selected(p, abstract.Executions)
	}
	for _, sub := range e.Funcs {
		start := p.Subprogs[sub].Start
		if _, ok := slices.BinarySearch(selected, start); !ok || e.Direct(p, start) { // not out of a table
			add("the address of " + name(p, sub))
		}
	}
	loose := d.Status == OverApproximate
	for _, a := range e.Accesses {
		if a.Label {
			add(fmt.Sprintf("label difference added at %d, in slots of 8 bytes; Linux refuses arithmetic on code addresses",
				a.BoundPC))
		}
		if a.Table < 0 && a.Map < 0 {
			continue
		}
		add(r.bound(p, a))
	}
	text := strings.Join(parts[:min(len(parts), maxReasons)], "; ")
	if n := len(parts) - maxReasons; n > 0 {
		text += fmt.Sprintf("; and %d more", n)
	}
	if loose {
		text += "; not every target is proven to be selected"
	}
	return text
}

// bound explains the range of a table's index.
func (r *Result) bound(p *bytecode.Program, a abstract.Access) string {
	where := ""
	if a.Table >= 0 {
		where = p.Tables[a.Table].Name
	} else if idx := a.Indices(p, abstract.Executions); len(idx) > 0 {
		_, _, where = extent(&p.Maps[a.Map], idx[0])
	}
	if c, ok := a.Off.IsConst(); ok {
		return fmt.Sprintf("entry at byte %d of %s", c, where)
	}
	b, ok := r.Exact.BoundOf(a)
	if !ok {
		return "any entry of " + where
	}
	return fmt.Sprintf("r%d in [%d,%d] from the %s at %d", a.BoundReg, b.Min, b.Max, kind(p.Insns[a.BoundPC]), a.BoundPC)
}

// kind names the instruction that bounds an index.
func kind(in bytecode.Insn) string {
	switch in.Class() {
	case asm.JumpClass, asm.Jump32Class:
		return "branch"
	case asm.ALUClass, asm.ALU64Class:
		switch in.ALUOp() {
		case asm.And:
			return "mask"
		case asm.Mod:
			return "remainder"
		case asm.RSh:
			return "shift"
		case asm.Div:
			return "division"
		}
	}
	return "instruction"
}

// name returns a subprogram's name, or one made of its first slot.
func name(p *bytecode.Program, sub int) string {
	if n := p.Subprogs[sub].Name; n != "" {
		return n
	}
	return "the function at " + p.Subprogs[sub].Start.String()
}
