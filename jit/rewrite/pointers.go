package rewrite

import (
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/cilium/ebpf/asm"
)

// kinds is a set of kinds of pointers.
type kinds uint8

// Without facts about the pointers that a program uses, those whose accesses
// the kernel replaces are followed here, on the safe side: what may be one is
// left unpredicted.
const (
	toCtx    kinds = 1 << iota // the context
	toObject                   // into an arena, a socket, or an object known by its BTF type
	toPacket                   // into packet data, found through the context
)

// pointers holds what each register may be.
type pointers [16]kinds

func (p *pointers) union(q *pointers) (changed bool) {
	for r, k := range q {
		if p[r]|k != p[r] {
			p[r] |= k
			changed = true
		}
	}
	return changed
}

// args returns what any of R1 to R5 may be.
func (p *pointers) args() kinds { return p[1] | p[2] | p[3] | p[4] | p[5] }

const argRegs = 0x3e // R1 to R5

// tracer follows pointers through a program until nothing changes: along the
// blocks, from calls into functions and back, and through stack slots. Sets
// only grow, so that each block is looked at a bounded number of times.
type tracer struct {
	*blocks
	st   *state
	in   []pointers
	work queue

	funcs []traced
	// stray reports whether a pointer was stored elsewhere than at a known
	// place of the stack: then any load of 8 bytes may give it back.
	stray kinds
	// taken holds what functions whose address is taken may get as arguments.
	taken   kinds
	isTaken []bool
	// writes reports whether packet data may be written to.
	writes bool
}

// traced is what is known of one function.
type traced struct {
	slots   [64]kinds // by 8-byte stack slot from r10 down
	returns kinds
	// addressed reports whether the address of its stack is made an operand, so
	// that slots can be reached otherwise than by name.
	addressed bool
	callers   []int32 // blocks with calls of it
	blocks    []int32 // blocks with loads from the stack
}

// tracePointers marks the accesses that the kernel may replace.
func tracePointers(st *state, im *image) {
	t := &tracer{blocks: st.folds.blocks, st: st}
	t.in, t.work = make([]pointers, t.nodes()), newQueue(t.nodes())
	t.funcs, t.isTaken = make([]traced, len(im.funcs)), make([]bool, len(im.funcs))
	block := int32(none)
	for i, s := range im.slots {
		if t.block[i] != none {
			block = t.block[i]
		}
		if s.marks&markSecond != 0 {
			continue
		}
		if usesFrameAddress(s.in) {
			t.funcs[im.funcAt(int32(i))].addressed = true
		}
		if s.in.IsWide() && s.in.Src == bytecode.LdFunc {
			t.isTaken[im.funcAt(s.target)] = true
		}
		if s.target != none && isCallLike(s.in) && !s.in.IsWide() {
			callee := &t.funcs[im.funcAt(s.target)]
			callee.callers = append(callee.callers, block)
		}
		if s.in.Class() == asm.LdXClass && s.in.Src == bytecode.R10 {
			fn := &t.funcs[im.funcAt(int32(i))]
			fn.blocks = append(fn.blocks, block)
		}
	}
	for fn, f := range im.funcs {
		b := t.block[f.start]
		if fn == 0 {
			t.in[b][bytecode.R1] = toCtx
		}
		if f.source != none && fn > 0 {
			t.in[b].union(argPointers(st.src.Subprogs[f.source]))
		}
		t.work.push(b)
	}
	for t.work.more() {
		t.flow(t.work.pop())
	}
	t.mark(im)
	st.mayWrite = t.writes
}

// argPointers returns what the arguments of a global function are by its BTF.
func argPointers(s bytecode.Subprogram) *pointers {
	var p pointers
	for i, arg := range s.Args[:min(len(s.Args), 5)] {
		switch arg {
		case "ctx":
			p[1+i] = toCtx
		case "other":
			p[1+i] = toObject
		}
	}
	return &p
}

// join merges a state into that of a node.
func (t *tracer) join(n int32, p *pointers) {
	if t.in[n].union(p) {
		t.work.push(n)
	}
}

// flow carries the state of a node to its successors.
func (t *tracer) flow(n int32) {
	p := t.in[n]
	join := func(to int32) { t.join(to, &p) }
	if t.isHub(n) {
		t.eachTarget(n, join)
		return
	}
	t.walk(n, &p, nil)
	last := t.lastOf(n)
	if t.endsBlock(int(last)) {
		t.leave(last, join)
	} else if next := last + int32(t.im.slots[last].in.Slots()); int(next) < len(t.block) {
		join(t.block[next])
	}
}

// lastOf returns the last instruction of a block.
func (t *tracer) lastOf(n int32) int32 {
	i := t.start[n]
	for {
		next := i + int32(t.im.slots[i].in.Slots())
		if t.endsBlock(int(i)) || int(next) >= len(t.block) || t.block[next] != none {
			return i
		}
		i = next
	}
}

// walk applies the instructions of a block. visit, if any, is called in front
// of each.
func (t *tracer) walk(n int32, p *pointers, visit func(i int32, p *pointers)) {
	last := t.lastOf(n)
	for i := t.start[n]; ; i += int32(t.im.slots[i].in.Slots()) {
		if visit != nil {
			visit(i, p)
		}
		t.transfer(i, p)
		if i == last {
			return
		}
	}
}

// transfer applies one instruction.
func (t *tracer) transfer(i int32, p *pointers) {
	in := t.im.slots[i].in
	dst := &p[in.Dst&15]
	switch in.Class() {
	case asm.ALU64Class:
		arithmeticKinds(in, p)
	case asm.ALUClass:
		*dst = 0
	case asm.LdClass:
		if !in.IsWide() {
			p[bytecode.R0] = 0
		} else if *dst = 0; t.loadsObject(i) {
			*dst = toObject
		}
	case asm.LdXClass:
		*dst = t.loaded(i, in, p)
	case asm.StXClass:
		if r, ok := atomicLoad(in); ok {
			p[r&15] = t.stray | p[in.Dst&15]
		} else if in.Mode() == asm.MemMode && in.Size() == asm.DWord {
			t.store(i, in, p)
		}
	case asm.JumpClass:
		t.jump(i, in, p)
	}
}

// arithmeticKinds follows 64-bit arithmetic: a pointer plus something is one.
func arithmeticKinds(in bytecode.Insn, p *pointers) {
	dst := &p[in.Dst&15]
	switch isMov := in.ALUOp() == asm.Mov; {
	case isMov && in.Source() == asm.ImmSource:
		*dst = 0
	case isMov && in.Off == 1: // cast between address spaces
		*dst = p[in.Src&15] | toObject
	case isMov:
		*dst = p[in.Src&15]
	case in.Source() == asm.RegSource:
		*dst |= p[in.Src&15]
	}
}

// loadsObject reports whether a 64-bit immediate load loads the address of a
// kernel variable or an arena.
func (t *tracer) loadsObject(i int32) bool {
	s := t.im.slots[i]
	ref, ok := t.im.refAt(s)
	switch {
	case s.in.Src == bytecode.LdBTFID:
		return true
	case ok && (ref.Kind == bytecode.RefMap || ref.Kind == bytecode.RefMapValue):
		return t.st.src.Maps[ref.Index].Type == mapArena
	case ok:
		return ref.Kind == bytecode.RefKsym || ref.Kind == bytecode.RefBTFID
	}
	return false
}

// loaded returns what a load may give.
func (t *tracer) loaded(i int32, in bytecode.Insn, p *pointers) kinds {
	base := p[in.Src&15]
	if in.Size() == asm.Word && base&toCtx != 0 && isPacketField(in.Off) {
		return toPacket
	}
	if in.Size() != asm.DWord {
		return 0
	}
	if in.Src == bytecode.R10 {
		if k := stackSlot(in.Off); k >= 0 {
			return t.stray | t.funcs[t.im.funcAt(i)].slots[k]
		}
		return t.stray
	}
	if base&toObject != 0 || base&toCtx != 0 && contextHoldsObjects(t.st.src.Type) {
		return t.stray | toObject
	}
	return t.stray
}

// isPacketField reports whether the offset is that of data or data_meta in
// struct __sk_buff (include/uapi/linux/bpf.h).
func isPacketField(off int16) bool { return off == 76 || off == 140 }

// contextHoldsObjects reports whether loads of 8 bytes from the context of a
// program type may give pointers to kernel objects.
func contextHoldsObjects(progType string) bool {
	switch progType {
	case "syscall", "kprobe", "tracepoint", "perf_event", "raw_tracepoint", "xdp", "cgroup_device",
		"cgroup_sysctl", "lirc_mode2", "flow_dissector":
		return false
	}
	return true
}

// stackSlot returns the 8-byte slot of the stack at an offset from r10, or -1.
func stackSlot(off int16) int {
	if off >= 0 || off < -maxStack || off%8 != 0 {
		return -1
	}
	return int(-off)/8 - 1
}

// store follows a store of 8 bytes.
func (t *tracer) store(i int32, in bytecode.Insn, p *pointers) {
	value := p[in.Src&15]
	if value == 0 {
		return
	}
	fn := &t.funcs[t.im.funcAt(i)]
	k := stackSlot(in.Off)
	if in.Dst != bytecode.R10 || k < 0 {
		t.addStray(value)
		return
	}
	if fn.slots[k]|value != fn.slots[k] {
		fn.slots[k] |= value
		for _, b := range fn.blocks {
			t.work.push(b)
		}
	}
	// Its address may be passed on, so another function may load it.
	if fn.addressed {
		t.addStray(value)
	}
}

// addStray notes that a load from anywhere may give a pointer.
func (t *tracer) addStray(value kinds) {
	if t.stray|value != t.stray {
		t.stray |= value
		for b := range t.start {
			t.work.push(int32(b))
		}
	}
}

// jump follows calls and exits.
func (t *tracer) jump(i int32, in bytecode.Insn, p *pointers) {
	switch {
	case in.Code == bytecode.CodeExit:
		fn := &t.funcs[t.im.funcAt(i)]
		if fn.returns|p[bytecode.R0] != fn.returns {
			fn.returns |= p[bytecode.R0]
			for _, b := range fn.callers {
				t.work.push(b)
			}
		}
	case in.IsSubprogramCall():
		to := t.im.slots[i].target
		var passed pointers
		copy(passed[1:6], p[1:6])
		t.join(t.block[to], &passed)
		afterCall(p, t.funcs[t.im.funcAt(to)].returns)
	case in.Code == bytecode.CodeCall:
		t.passToCallbacks(p.args())
		if t.returnsObject(i) {
			afterCall(p, toObject)
		} else {
			afterCall(p, 0)
		}
	}
}

// afterCall clears what a call does not keep.
func afterCall(p *pointers, result kinds) {
	clear(p[1:6])
	p[bytecode.R0] = result
}

// passToCallbacks follows the arguments of a helper or kernel function into the
// functions that it may call back.
func (t *tracer) passToCallbacks(args kinds) {
	if t.taken|args == t.taken {
		return
	}
	t.taken |= args
	var passed pointers
	for r := 1; r <= 5; r++ {
		passed[r] = t.taken
	}
	for fn, taken := range t.isTaken {
		if taken {
			t.join(t.block[t.im.funcs[fn].start], &passed)
		}
	}
}

// returnsObject reports whether a helper or kernel function may return a
// pointer to a kernel object.
func (t *tracer) returnsObject(i int32) bool {
	s := t.im.slots[i]
	if ref, ok := t.im.refAt(s); ok && ref.Kind == bytecode.RefKfunc || s.in.IsKfuncCall() {
		switch ref.Name {
		case "bpf_rcu_read_lock", "bpf_rcu_read_unlock", "bpf_preempt_disable", "bpf_preempt_enable", "bpf_throw":
			return false
		}
		return true
	}
	switch asm.BuiltinFunc(s.in.Imm) {
	case asm.FnSkLookupTcp, asm.FnSkLookupUdp, asm.FnSkcLookupTcp, asm.FnSkFullsock, asm.FnTcpSock,
		asm.FnGetListenerSock, asm.FnSkcToTcp6Sock, asm.FnSkcToTcpSock, asm.FnSkcToTcpTimewaitSock,
		asm.FnSkcToTcpRequestSock, asm.FnSkcToUdp6Sock, asm.FnSkcToUnixSock, asm.FnSkcToMptcpSock,
		asm.FnSockFromFile, asm.FnGetCurrentTaskBtf, asm.FnTaskPtRegs, asm.FnPerCpuPtr, asm.FnThisCpuPtr,
		asm.FnKptrXchg, asm.FnMapLookupElem:
		// A map may hold sockets, and kernel pointers in its values.
		return asm.BuiltinFunc(s.in.Imm) != asm.FnMapLookupElem || t.st.socketMap(bytecode.PC(i))
	}
	return false
}

// socketMap reports whether the map of a lookup may hold sockets.
func (st *state) socketMap(pc bytecode.PC) bool {
	fact, ok := st.calls[pc]
	if !ok || fact.Map == NoMap {
		return true
	}
	switch st.src.Maps[fact.Map].Type {
	case mapSockMap, mapSockHash, mapXskMap:
		return true
	}
	return false
}

// mark marks the accesses through what may be a special pointer.
func (t *tracer) mark(im *image) {
	for n := range t.start {
		p := t.in[n]
		t.walk(int32(n), &p, func(i int32, p *pointers) {
			in := im.slots[i].in
			base := in.Dst
			switch in.Class() {
			case asm.LdXClass:
				base = in.Src
			case asm.StClass, asm.StXClass:
				if p[base&15]&toPacket != 0 && im.slots[i].marks&markSeen != 0 {
					t.writes = true
				}
			default:
				return
			}
			if p[base&15]&toCtx != 0 {
				im.slots[i].marks |= markCtx
			}
			if p[base&15]&toObject != 0 {
				im.slots[i].marks |= markOtherCtx
			}
		})
	}
}

// usesFrameAddress reports whether an instruction makes r10 a value.
func usesFrameAddress(in bytecode.Insn) bool {
	switch in.Class() {
	case asm.ALUClass, asm.ALU64Class:
		return in.Source() == asm.RegSource && in.Src == bytecode.R10
	case asm.StXClass:
		return in.Src == bytecode.R10
	}
	return false
}
