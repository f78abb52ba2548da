package verify

import (
	"fmt"
	"strconv"

	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/kernel"
)

// pat is an instruction of a form. Insertions consist of such instructions.
type pat struct {
	in  bytecode.Insn
	to  target
	far bytecode.PC // source slot that a jump leaves the form for
	// ref is what the operand must refer to: RefInvalid for nothing in particular.
	ref  bytecode.RefKind
	name string // of the kernel function or variable, "" for any
	any  bool   // the immediate is one that only the kernel or a map knows
	// place: a load or store whose offset and size only the kernel knows.
	place bool
}

// target says where a jump of a form leads.
type target uint8

const (
	nowhere target = iota
	within         // Off counts instructions of the form, from the next one
	outside        // to a source slot
)

// p makes an instruction of a form. Jumps stay inside; one over the last instruction leads to the
// end of the form.
func p(code uint8, dst, src bytecode.Reg, off int16, imm int32) pat {
	q := pat{in: bytecode.Insn{Code: code, Dst: dst, Src: src, Off: off, Imm: imm}}
	if k := bytecode.FlowAt([]bytecode.Insn{q.in}, 0).Kind; k == bytecode.FlowGoto || k == bytecode.FlowCond {
		q.to = within
	}
	return q
}

// jumpTo makes a jump to a source slot.
func jumpTo(in bytecode.Insn, far bytecode.PC) pat { return pat{in: in, to: outside, far: far} }

// kernelCall makes a call of a kernel function that is not a helper.
func kernelCall(name string) pat {
	q := p(bytecode.CodeCall, 0, 0, 0, 0)
	q.ref, q.name, q.any = bytecode.RefKfunc, name, true
	return q
}

// kfuncCall makes a call of a kernel function by its BTF.
func kfuncCall(name string) pat {
	q := kernelCall(name)
	q.in.Src = bytecode.CallKfunc
	return q
}

// matches reports whether c.items are a form.
func (c *source) matches(end int32, form ...pat) bool {
	if len(form) != len(c.items) {
		return false
	}
	for k := range form {
		if !c.matchesOne(end, form, k) {
			return false
		}
	}
	return true
}

// matchesOne compares one instruction with that of a form.
func (c *source) matchesOne(end int32, form []pat, k int) bool {
	q, it := &form[k], &c.items[k]
	have, want := it.in, q.in
	if q.any {
		have.Imm = want.Imm
	}
	if q.to != nowhere {
		have.Off, want.Off = 0, 0
		if have.Code == bytecode.CodeGotol {
			have.Imm, want.Imm = 0, 0
		}
	}
	if q.place {
		const sizes = 0x18
		have.Off, have.Code, want.Code = 0, have.Code&^sizes, want.Code&^sizes
	}
	if have != want && !c.clears(have, want) {
		return false
	}
	if q.ref == bytecode.RefInvalid && it.strays() {
		return false
	}
	if q.ref != bytecode.RefInvalid && (it.ref == nil || it.ref.Kind != q.ref || q.name != "" && it.ref.Name != q.name) {
		return false
	}
	switch q.to {
	case within:
		place, n := end, k+1+int(q.in.Off)
		if n < 0 || n > len(c.items) {
			return false
		}
		if n < len(c.items) {
			place = c.items[n].slot
		}
		return int32(it.flow.Target) == place
	case outside:
		return c.lands(it.flow.Target, q.far)
	}
	return true
}

// clears reports whether a blinded program clears a register, where the form has
// the constant 0.
func (c *source) clears(have, want bytecode.Insn) bool {
	return c.Blinded && have == bytecode.Insn{Code: w64 | opXor | byReg, Dst: want.Dst, Src: want.Dst} &&
		(want == bytecode.Insn{Code: w64 | opMov, Dst: want.Dst} || want == bytecode.Insn{Code: w32 | opMov, Dst: want.Dst})
}

// lands reports whether a jump to an xlated slot is one to a source slot.
func (c *source) lands(x, pc bytecode.PC) bool {
	return pc >= 0 && int(pc) < len(c.land) && int32(x) == c.land[pc]
}

// forms reports whether c.items are one of the forms that an instruction can have, and notes which
// ways of a jump remain.
func (c *source) forms(pc bytecode.PC, end int32) bool {
	in, f := c.p.Insns[pc], c.p.Flow(pc)
	switch f.Kind {
	case bytecode.FlowGoto:
		return c.matches(end, jumpTo(in, f.Target))
	case bytecode.FlowKey: // where its code would lie if a kernel took keys
		in.Src = 0
		return c.matches(end, jumpTo(in, f.Target))
	case bytecode.FlowCond:
		return c.condForms(pc, in, f, end)
	case bytecode.FlowExit:
		return c.exitForms(pc, in, end)
	case bytecode.FlowIndirect, bytecode.FlowCallx:
		return c.single(in)
	case bytecode.FlowCall:
		return c.single(in) && c.items[0].linked() && c.calleeRight(f.Callee, c.items[0].flow.Callee)
	case bytecode.FlowFuncAddr:
		return c.sameAddress(in, f.Callee)
	case bytecode.FlowHelper:
		return c.helperForms(pc, in, end)
	}
	return c.plainForms(pc, in, end)
}

// single reports whether an instruction is unchanged apart from its target; the distance in a gotox
// has no meaning.
func (c *source) single(in bytecode.Insn) bool {
	if len(c.items) != 1 {
		return false
	}
	it := &c.items[0]
	if it.strays() || in.IsHelperCall() && !it.isHelper(in.Imm) {
		return false
	}
	have := it.in
	if in.IsGotox() {
		have.Off = in.Off
	}
	if in.IsSubprogramCall() {
		have.Imm, have.Off = in.Imm, in.Off
	}
	return have == in
}

// isGone reports whether nothing is left of a subprogram that the verifier never reaches.
// References to it keep a distance that leads somewhere else, to another function or after the
// program, and never executes (kernel/bpf/core.c bpf_adj_delta_to_imm and kernel/bpf/fixups.c
// jit_subprogs, Linux 7.3): such is a bpf_loop of no rounds.
func (c *source) isGone(start bytecode.PC) bool {
	if start < 0 || int(start) >= len(c.first) || c.Facts.Seen(start) != No || c.Unprivileged {
		return false
	}
	for pc, end := start, c.p.Subprogs[c.p.SubprogAt(start)].End; pc < end; pc++ {
		if c.first[pc] >= 0 {
			return false
		}
	}
	return true
}

// calleeRight reports whether a call of a subprogram is one of the function that it became,
// including the code put before it.
func (c *source) calleeRight(callee, have bytecode.PC) bool {
	if callee < 0 || int(callee) >= len(c.first) || c.land[callee] < 0 || c.isGone(callee) {
		return false
	}
	fn := c.funcAt(have)
	if fn == nil {
		return false
	}
	at := have
	for at < fn.End && c.Original[at] < 0 {
		at++
	}
	return int32(at) == c.land[callee]
}

// linked reports whether a call is said to be of the function that its distance leads to.
func (it *item) linked() bool {
	return it.ref == nil || it.ref.Kind == bytecode.RefFunc && it.ref.Index == int(it.flow.Callee)
}

// sameAddress reports whether a load of a subprogram's address is one of the
// function that it became.
func (c *source) sameAddress(in bytecode.Insn, callee bytecode.PC) bool {
	if len(c.items) != 1 {
		return false
	}
	it := &c.items[0]
	if c.isGone(callee) {
		return it.in.IsWide() && it.in.Dst == in.Dst
	}
	have := it.flow.Callee
	if it.ref != nil && it.ref.Kind == bytecode.RefFunc {
		have = bytecode.PC(it.ref.Index)
	}
	return it.in.IsWide() && it.in.Dst == in.Dst && c.calleeRight(callee, have)
}

// condForms checks a conditional jump: as it is, or wired to the only way that
// the verifier takes.
func (c *source) condForms(pc bytecode.PC, in bytecode.Insn, f bytecode.Flow, end int32) bool {
	goTo := bytecode.Insn{Code: bytecode.CodeGoto}
	b, w := c.block(pc), c.wired(pc, f)
	if w == onlyTarget && c.matches(end, jumpTo(goTo, f.Target)) || w == onlyNext && c.matches(end, jumpTo(goTo, f.Next)) {
		c.way[b] = w
		return true
	}
	if w != bothWays && !c.mayStay(pc, f) || c.mustDecide(pc) != bothWays && c.k.has(kernel.PruneBranches) {
		return false
	}
	if in.Code == bytecode.CodeMayGoto {
		return c.mayGoto(f.Target, end)
	}
	return c.matches(end, jumpTo(in, f.Target))
}

// mayStay reports whether a conditional jump may remain although one of its ways is never taken:
// only if values, not paths, rule it out.
func (c *source) mayStay(pc bytecode.PC, f bytecode.Flow) bool {
	if c.Unprivileged {
		return true
	}
	return c.Facts.Seen(f.Target) != No && c.p.SubprogAt(f.Next) == c.sub && c.Facts.Seen(f.Next) != No
}

// expected says what an instruction should have become.
func (c *source) expected(pc bytecode.PC) string {
	in, f := c.p.Insns[pc], c.p.Flow(pc)
	to := func(pc bytecode.PC) string {
		if pc < 0 || int(pc) >= len(c.land) {
			return "nowhere"
		}
		return fmt.Sprintf("source slot %d at rewritten slot %d", pc, c.land[pc])
	}
	switch f.Kind {
	case bytecode.FlowGoto:
		return "should go to " + to(f.Target)
	case bytecode.FlowCond:
		switch w := c.wired(pc, f); {
		case w == onlyTarget && !c.mayStay(pc, f):
			return "should go to " + to(f.Target) + " only"
		case w == onlyNext && !c.mayStay(pc, f):
			return "should go on to " + to(f.Next) + " only"
		}
		return "should go to " + to(f.Target) + " on the same condition, or to " + to(f.Next)
	case bytecode.FlowCall, bytecode.FlowFuncAddr:
		return "should be of the function from " + to(f.Callee)
	case bytecode.FlowHelper:
		return "no form of " + c.k.Name + " for this call"
	}
	if op := in.ALUOp(); (in.Class() == asm.ALUClass || in.Class() == asm.ALU64Class) && (op == asm.Div || op == asm.Mod) {
		return "not the guards of this division in " + c.k.Name
	}
	return "should be the same, or one of its forms in " + c.k.Name
}

func itoa(n int) string { return strconv.Itoa(n) }
