package rules

import (
	"fmt"
	"slices"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// maxSubprograms is the kernel's limit (BPF_MAX_SUBPROGS, Linux 7.3).
const maxSubprograms = 256

// exceptionTags refuses a program with several exception callbacks.
//
// Source: kernel/bpf/verifier.c bpf_find_exception_callback_insn_off, Linux 6.12 and 7.3.
func (c *checker) exceptionTags() *Verdict {
	if !c.set.Exceptions || c.p.ExceptionTags < 2 {
		return nil
	}
	return &Verdict{Message: "multiple exception callback tags for main subprog", PC: -1, Errno: "EEXIST", Rule: Calls}
}

// subprograms finds the entries: slot 0, and the targets of calls and of loads of function
// addresses.
//
// Source: kernel/bpf/verifier.c add_subprogs, Linux 7.3.
func (c *checker) subprograms() *Verdict {
	n := c.p.Len()
	c.starts = []bytecode.PC{0}
	seen := map[bytecode.PC]bool{0: true}
	for pc := bytecode.PC(0); pc < n; pc++ {
		f := c.p.Flow(pc)
		if f.Kind != bytecode.FlowCall && f.Kind != bytecode.FlowFuncAddr {
			continue
		}
		if f.Callee < 0 || f.Callee >= n {
			return reject(pc, Calls, "call to invalid destination")
		}
		if seen[f.Callee] {
			continue
		}
		if len(c.starts) >= maxSubprograms {
			return &Verdict{Message: "too many subprograms", PC: pc, Errno: "E2BIG", Rule: Calls}
		}
		seen[f.Callee] = true
		c.starts = append(c.starts, f.Callee)
	}
	for _, s := range c.p.Subprogs {
		if s.Exception && !seen[s.Start] {
			seen[s.Start] = true
			c.starts = append(c.starts, s.Start)
		}
	}
	for _, ref := range c.p.Refs {
		for _, start := range c.functionsIn(ref) {
			if !seen[start] {
				seen[start] = true
				c.starts = append(c.starts, start)
			}
		}
	}
	slices.Sort(c.starts)
	c.starts = append(c.starts, n)
	return nil
}

// functionsIn returns the functions in the constant table that an instruction
// refers to, for kernels with indirect calls: referring to it counts as calling
// them.
func (c *checker) functionsIn(ref bytecode.Ref) []bytecode.PC {
	if !c.set.StaticCallx || ref.Kind != bytecode.RefMapValue ||
		!c.p.Maps[ref.Index].ReadOnly && !c.p.Maps[ref.Index].Const {
		return nil
	}
	var starts []bytecode.PC
	for _, cell := range c.p.Maps[ref.Index].Code {
		if cell.Func && cell.Target >= 0 && cell.Target < c.p.Len() {
			starts = append(starts, cell.Target)
		}
	}
	return starts
}

// bounds returns the subprogram that contains pc: start, and end exclusive.
func (c *checker) bounds(pc bytecode.PC) (start, end bytecode.PC) {
	i, found := slices.BinarySearch(c.starts, pc)
	if !found {
		i--
	}
	return c.starts[i], c.starts[i+1]
}

// jumpRanges checks that direct jumps stay in their subprogram and that no
// subprogram ends in an instruction that falls through. The second slot of a
// 64-bit load is scanned as an ordinary instruction.
//
// Source: kernel/bpf/verifier.c check_subprogs, Linux 7.3.
func (c *checker) jumpRanges() *Verdict {
	sub := 0
	for pc := bytecode.PC(0); pc < c.p.Len(); pc++ {
		start, end := c.starts[sub], c.starts[sub+1]
		if to, jumps := c.jumpTarget(pc); jumps && (to < start || to >= end) {
			return reject(pc, JumpLeaves, fmt.Sprintf("jump out of range from insn %d to %d", pc, to))
		}
		if pc != end-1 {
			continue
		}
		switch in := c.p.Insns[pc]; {
		case in.Code == bytecode.CodeExit, in.Code == bytecode.CodeGoto, in.Code == bytecode.CodeGotol:
		case in.IsGotox() && c.set.LastGotox:
		default:
			if v := c.unless(reject(pc, Ending, "last insn is not an exit or jmp")); v != nil {
				return v
			}
		}
		sub++
	}
	return nil
}

// results refuses instructions that may return a number from a function that returns none by its
// BTF prototype: legacy packet loads and tail calls.
//
// Source: kernel/bpf/check_btf.c check_btf_func, Linux 7.3.
func (c *checker) results() *Verdict {
	for i := 1; i < len(c.p.Subprogs); i++ {
		s := &c.p.Subprogs[i]
		if s.Result == "" || s.Result == "int" {
			continue
		}
		for pc := s.Start; pc < s.End; pc += c.p.Insns[pc].Slots() {
			switch in := c.p.Insns[pc]; {
			case isPacketLoad(in):
				return reject(pc, Calls, "LD_ABS is only allowed in functions that return 'int'.")
			case in.IsHelperCall() && in.Imm == bytecode.HelperTailCall:
				return reject(pc, Calls, "tail_call is only allowed in functions that return 'int'.")
			}
		}
	}
	return nil
}

// jumpTarget returns where a jump leads by its offset field, whatever its other fields: the kernel
// checks only class and operation. Kernels that do not distinguish indirect jumps here treat them
// as jumps, too.
func (c *checker) jumpTarget(pc bytecode.PC) (to bytecode.PC, jumps bool) {
	in := c.p.Insns[pc]
	op := in.Code & 0xf0
	isJump := in.Code&0x07 == 0x05 || in.Code&0x07 == 0x06
	if !isJump || op == 0x80 || op == 0x90 || in.IsGotox() && c.set.LastGotox {
		return 0, false
	}
	if in.Code == bytecode.CodeGotol {
		return pc + 1 + bytecode.PC(in.Imm), true
	}
	return pc + 1 + bytecode.PC(in.Off), true
}

// recursion refuses a subprogram that calls itself, directly or not. A cycle through a function's
// address is accepted.
//
// Source: kernel/bpf/verifier.c sort_subprogs_topo, Linux 7.3.
func (c *checker) recursion() *Verdict {
	if c.set.DeepRecursion {
		return nil
	}
	if site, ok := c.cycle(c.directCalls()); ok {
		return reject(site.pc, Calls, fmt.Sprintf("recursive call from %s() to %s()", c.name(site.from), c.name(site.to)))
	}
	return nil
}

// directCalls returns the direct calls of each subprogram, in slot order.
func (c *checker) directCalls() [][]callSite {
	calls := make([][]callSite, len(c.starts)-1)
	for pc := bytecode.PC(0); pc < c.p.Len(); pc++ {
		if f := c.p.Flow(pc); f.Kind == bytecode.FlowCall && !c.isSecond(pc) {
			from, to := c.index(pc), c.index(f.Callee)
			calls[from] = append(calls[from], callSite{pc, from, to})
		}
	}
	return calls
}

// cycle returns the first call that a depth-first search over calls finds to lead
// back into a subprogram that is not left yet.
func (c *checker) cycle(calls [][]callSite) (callSite, bool) {
	const unseen, open, done = 0, 1, 2
	state := make([]uint8, len(calls))
	for root := range calls {
		if state[root] != unseen {
			continue
		}
		stack := []frame{{sub: root}}
		state[root] = open
		for len(stack) > 0 {
			top := &stack[len(stack)-1]
			if top.next == len(calls[top.sub]) {
				state[top.sub] = done
				stack = stack[:len(stack)-1]
				continue
			}
			site := calls[top.sub][top.next]
			top.next++
			switch state[site.to] {
			case open:
				return site, true
			case unseen:
				state[site.to] = open
				stack = append(stack, frame{sub: site.to})
			}
		}
	}
	return callSite{}, false
}

// callSite is a call.
type callSite struct {
	pc       bytecode.PC
	from, to int // indices in starts
}

// frame is a subprogram on the path of the depth-first search.
type frame struct{ sub, next int }

// index returns the index in starts of the subprogram that contains pc.
func (c *checker) index(pc bytecode.PC) int {
	i, found := slices.BinarySearch(c.starts, pc)
	if !found {
		i--
	}
	return i
}

// name returns a subprogram's name, empty when unknown, as the kernel's is.
func (c *checker) name(sub int) string {
	if i := c.p.SubprogAt(c.starts[sub]); i >= 0 {
		return c.p.Subprogs[i].Name
	}
	return ""
}
