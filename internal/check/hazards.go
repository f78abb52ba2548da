package check

import (
	"fmt"
	"slices"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/succ"
)

// foreignTargets finds indirect jumps that leave their function. Linux compares
// the tables with the function that they are taken for, not with the one that
// jumps (kernel/bpf/verifier.c check_indirect_jump, Linux 7.3).
func (c *context) foreignTargets() {
	for _, in := range c.gotox() {
		sub := c.p.SubprogAt(in.PC)
		for _, pc := range in.Range {
			to := c.p.SubprogAt(pc)
			if to < 0 || to == sub {
				continue
			}
			f := c.add(ForeignTarget, in.PC, fmt.Sprintf("this jump can go to insn %d of %s, in the stack frame of %s", pc,
				FunctionName(c.p, to), FunctionName(c.p, sub)))
			f.key = FunctionName(c.p, to)
			f.Related = []Related{{c.location(pc), pc, "target"}}
			break
		}
	}
}

// gotox returns the indirect jumps that the verifier reaches and whose targets
// are known.
func (c *context) gotox() []succ.Indirect {
	return slices.DeleteFunc(slices.Clone(c.a.Succ.Indirect), func(in succ.Indirect) bool {
		return in.Op != "gotox" || !in.Reached || in.Status == succ.Unresolved
	})
}

// movedTargets finds targets that the verifier's rewrites delete, which leaves
// a table entry without an address, and targets in front of which they insert
// code. It takes the predicted program for what the kernel makes; without one
// there is nothing to say.
//
// Source: kernel/bpf/fixups.c opt_remove_nops and kernel/bpf/bpf_insn_array.c,
// Linux 7.3; programs with such an entry crash it when run.
func (c *context) movedTargets() {
	x := c.a.Xlated
	if x == nil {
		return
	}
	nops, entries := map[bytecode.PC]int{}, map[bytecode.PC]bool{}
	for _, in := range c.gotox() {
		for _, pc := range in.Range {
			if !c.g.InsnAt(pc) || int(pc) >= len(x.Xlated) {
				continue
			}
			switch at := x.Xlated[pc]; {
			case at == jit.Deleted:
				c.nopTarget(nops, in, pc)
			case !entries[pc] && at >= 0 && int(at) < len(x.Original) && x.Original[at] < 0:
				entries[pc] = true
				f := c.add(EntryTarget, pc, fmt.Sprintf("the jump at insn %d can come here, in front of which Linux inserts code",
					in.PC))
				f.Related = []Related{{c.location(in.PC), in.PC, "jump"}}
			}
		}
	}
}

// nopTarget reports a deleted target, once for each; seen holds the findings.
// The level is raised when an execution can select the target.
func (c *context) nopTarget(seen map[bytecode.PC]int, in succ.Indirect, pc bytecode.PC) {
	if _, ok := seen[pc]; !ok {
		f := c.add(NopTarget, pc, fmt.Sprintf("Linux deletes \"%s\", and the jump at insn %d then goes to address 0",
			c.p.Text(pc), in.PC))
		f.Related = []Related{{c.location(in.PC), in.PC, "jump"}}
		seen[pc] = len(c.found) - 1
	}
	if _, selected := slices.BinarySearch(in.Exact, pc); selected {
		c.found[seen[pc]].Level = Error
	}
}
