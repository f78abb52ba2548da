package rewrite

import (
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/cilium/ebpf/asm"
)

// blocks is the control-flow graph of an image as the kernel's analyses see it:
// a gotox leads to all entries of all instruction arrays whose smallest entry
// lies in its subprogram (kernel/bpf/cfg.c jt_from_subprog, Linux 7.3). Nodes
// are basic blocks, and for each function a hub between its gotox instructions
// and their targets, so that the number of edges stays linear.
type blocks struct {
	im    *image
	block []int32   // by slot: the block that begins there, none in the middle
	start []int32   // by block: first slot
	hubs  [][]int32 // by function: targets of its gotox instructions, as blocks
	last  []int32   // by function: its last exit, 0 without one
}

// nodes returns the number of blocks and hubs.
func (f *blocks) nodes() int { return len(f.start) + len(f.hubs) }

// isHub reports whether a node is a hub.
func (f *blocks) isHub(n int32) bool { return int(n) >= len(f.start) }

// eachTarget calls edge for each node that a hub leads to.
func (f *blocks) eachTarget(hub int32, edge func(to int32)) {
	for _, b := range f.hubs[int(hub)-len(f.start)] {
		edge(b)
	}
}

// findBlocks marks where blocks begin and collects the targets of gotox, of
// which there are as many tables as given.
func findBlocks(im *image, tables int) *blocks {
	f := &blocks{im: im}
	n := len(im.slots)
	leads := make([]bool, n+1)
	for i, s := range f.im.slots {
		if s.target != none {
			leads[s.target] = true
		}
		if s.marks&markSecond == 0 && f.endsBlock(i) {
			leads[i+int(s.in.Slots())] = true
		}
	}
	targets := make([][]int32, len(f.im.funcs))
	for t := range tables {
		list := f.im.entries[t]
		if len(list) == 0 {
			continue
		}
		low := list[0]
		for _, to := range list {
			low = min(low, to)
			leads[to] = true
		}
		fn := f.im.funcAt(low)
		targets[fn] = append(targets[fn], list...)
	}
	f.last = make([]int32, len(f.im.funcs))
	for fn := range f.im.funcs {
		leads[f.im.funcs[fn].start] = true
		for i := f.im.funcs[fn].start; i < f.im.end(fn); i++ {
			if f.im.slots[i].in.Code == bytecode.CodeExit {
				f.last[fn] = i
			}
		}
		leads[f.last[fn]] = true
	}
	f.block = make([]int32, n)
	for i := range n {
		f.block[i] = none
		if leads[i] {
			f.block[i] = int32(len(f.start))
			f.start = append(f.start, int32(i))
		}
	}
	f.hubs = make([][]int32, len(targets))
	for fn, list := range targets {
		f.hubs[fn] = f.uniqueBlocks(list)
	}
	return f
}

// uniqueBlocks returns the blocks that begin at the given slots, once each.
func (f *blocks) uniqueBlocks(slots []int32) []int32 {
	have := make(map[int32]bool, len(slots))
	var out []int32
	for _, s := range slots {
		if b := f.block[s]; !have[b] {
			have[b] = true
			out = append(out, b)
		}
	}
	return out
}

// endsBlock reports whether control can leave the instruction for elsewhere
// than the next one.
func (f *blocks) endsBlock(i int) bool {
	in := f.im.slots[i].in
	switch in.Class() {
	case asm.JumpClass, asm.Jump32Class:
		return in.Code != bytecode.CodeCall || isTailCall(in)
	case asm.LdClass:
		return isPacketLoad(in)
	}
	return false
}

func isTailCall(in bytecode.Insn) bool {
	return in.IsHelperCall() && in.Imm == bytecode.HelperTailCall
}

// isPacketLoad reports whether the instruction is one of classic BPF's loads
// from packet data (RFC 9669 section 5.5).
func isPacketLoad(in bytecode.Insn) bool {
	return in.Class() == asm.LdClass && (in.Mode() == asm.AbsMode || in.Mode() == asm.IndMode)
}

// leave calls edge for each node that the last instruction of a block leads to
// (kernel/bpf/liveness.c bpf_insn_successors). Tail calls and packet loads may
// end the function.
func (f *blocks) leave(i int32, edge func(to int32)) {
	s := &f.im.slots[i]
	next := i + int32(s.in.Slots())
	to := func(i int32) {
		if int(i) < len(f.block) {
			edge(f.block[i])
		}
	}
	switch {
	case s.in.Code == bytecode.CodeExit:
	case s.in.IsGotox():
		edge(int32(len(f.start) + f.im.funcAt(i)))
	case s.in.Code == bytecode.CodeGoto, s.in.Code == bytecode.CodeGotol:
		to(s.target)
	case s.target != none:
		to(next)
		to(s.target)
	default:
		to(next)
		to(f.last[f.im.funcAt(i)])
	}
}

// queue holds the nodes whose state has changed, each once.
type queue struct {
	list []int32
	wait []bool
}

func newQueue(nodes int) queue { return queue{wait: make([]bool, nodes)} }

func (q *queue) more() bool { return len(q.list) > 0 }

func (q *queue) push(n int32) {
	if !q.wait[n] {
		q.wait[n] = true
		q.list = append(q.list, n)
	}
}

func (q *queue) pop() int32 {
	n := q.list[0]
	q.list = q.list[1:]
	q.wait[n] = false
	return n
}
