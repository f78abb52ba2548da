package rules

import (
	"fmt"
	"slices"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// errInit is the kernel's message about an instruction array that does not fit the program.
const errInit = "Failed to properly initialize insn array"

// insnArrayValueSize is the size of a value as user space sees it, in bytes; programs address
// 8-byte cells.
const insnArrayValueSize = 16

// bindFDArray claims the tables that are bound without being referred to, before everything else.
func (c *checker) bindFDArray() *Verdict {
	for i, t := range c.p.Tables {
		if t.FDArray {
			if v := c.bind(i, -1); v != nil {
				return v
			}
		}
	}
	return nil
}

// bind claims a table for the program once.
//
// Source: kernel/bpf/verifier.c __add_used_map and
// kernel/bpf/bpf_insn_array.c bpf_insn_array_init, Linux 7.3.
func (c *checker) bind(table int, pc bytecode.PC) *Verdict {
	if c.bound[table] || !c.set.Indirect {
		return nil
	}
	t := c.p.Tables[table]
	if t.Unfrozen {
		return reject(pc, Binding, errInit)
	}
	for _, to := range t.Targets {
		if to < 0 || to >= c.p.Len() || to > 0 && c.p.Insns[to-1].Code == bytecode.CodeLdImm64 {
			return reject(pc, Binding, errInit)
		}
	}
	c.bound[table] = true
	c.order = append(c.order, table)
	return nil
}

// load64 checks a 64-bit immediate load and binds the table it refers to.
//
// Source: kernel/bpf/verifier.c check_and_resolve_insns and
// kernel/bpf/bpf_insn_array.c insn_array_map_direct_value_addr, Linux 7.3.
func (c *checker) load64(pc bytecode.PC) *Verdict {
	in := c.p.Insns[pc]
	if pc+1 >= c.p.Len() {
		return reject(pc, Encoding, "invalid bpf_ld_imm64 insn")
	}
	half := c.p.Insns[pc+1]
	if half.Code != 0 || half.Dst != 0 || half.Src != 0 || half.Off != 0 {
		return reject(pc, Encoding, "invalid bpf_ld_imm64 insn")
	}
	if in.Off != 0 && !c.set.LateFields {
		return reject(pc, Encoding, "BPF_LD_IMM64 uses reserved fields")
	}
	if in.Src > bytecode.LdMapIdxValue {
		return reject(pc, Encoding, "unrecognized bpf_ld_imm64 insn")
	}
	ref, ok := c.p.RefAt(pc)
	if !ok {
		return nil
	}
	switch ref.Kind {
	case bytecode.RefMap, bytecode.RefMapValue:
		return c.lockable(ref.Index, pc)
	case bytecode.RefTableMap:
		return c.bind(ref.Index, pc)
	case bytecode.RefTable:
		if v := c.bind(ref.Index, pc); v != nil {
			return v
		}
		size := int64(len(c.p.Tables[ref.Index].Targets)) * 8
		if off := int64(uint32(ref.Off)); off%8 != 0 || off >= size {
			msg := fmt.Sprintf("invalid access to map value pointer, value_size=%d off=%d", insnArrayValueSize, off)
			return &Verdict{Message: msg, PC: pc, Errno: c.set.OffsetErrno, Rule: TableOffset}
		}
	}
	return nil
}

// targets returns the slots that the kernel's walk assumes for any indirect
// jump of the subprogram [start, end): the union of all tables whose smallest
// entry lies in it, ascending. It does not look at what the jump uses.
//
// Source: kernel/bpf/cfg.c create_jt, jt_from_subprog and jt_from_map, Linux
// 7.3.
func (c *checker) targets(pc, start, end bytecode.PC) ([]bytecode.PC, *Verdict) {
	var union []bytecode.PC
	for _, i := range c.order {
		t := c.p.Tables[i].Targets
		if len(t) == 0 {
			continue
		}
		if low := slices.Min(t); low >= start && low < end {
			if c.set.PerSubprogram && slices.Max(t) >= end {
				return nil, reject(pc, TableLeaves,
					fmt.Sprintf("jump table of subprog starting at %d spans multiple subprogs", start))
			}
			union = append(union, t...)
		}
	}
	if len(union) == 0 {
		return nil, reject(pc, NoTable, fmt.Sprintf("no jump tables found for subprog starting at %d", start))
	}
	slices.Sort(union)
	union = slices.Compact(union)
	if union[0] < start || union[len(union)-1] >= end {
		msg := fmt.Sprintf("jump table for insn %d points outside of the subprog [%d,%d]", pc, start, end)
		return nil, reject(pc, TableLeaves, msg)
	}
	return union, nil
}

// lockable refuses maps whose values have a lock for programs that may run while it is held.
//
// Source: kernel/bpf/verifier.c check_map_prog_compatibility, Linux 5.1 to 7.3.
func (c *checker) lockable(index int, pc bytecode.PC) *Verdict {
	if index >= len(c.p.Maps) || !c.p.Maps[index].SpinLock {
		return nil
	}
	switch c.p.Type {
	case "socket_filter":
		return reject(pc, Calls, "socket filter progs cannot use bpf_spin_lock yet")
	case "kprobe", "tracepoint", "perf_event", "raw_tracepoint", "raw_tracepoint_writable":
		return reject(pc, Calls, "tracing progs cannot use bpf_spin_lock yet")
	}
	return nil
}
