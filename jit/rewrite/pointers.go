package rewrite

import (
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/cilium/ebpf/asm"
)

// Without facts about the pointers that a program uses, those whose accesses
// the kernel replaces are followed here, on the safe side: what may be one is
// left unpredicted. There are two sorts, kept as sets of registers.
type pointers struct {
	ctx   uint16 // may be the context
	other uint16 // may be into an arena, a socket, or an object known by its BTF type
}

func (p pointers) union(q pointers) pointers { return pointers{p.ctx | q.ctx, p.other | q.other} }

// of returns what the registers of a set may be, for use in other registers.
func (p pointers) of(r bytecode.Reg) (ctx, other bool) {
	return p.ctx>>r&1 != 0, p.other>>r&1 != 0
}

func (p *pointers) set(r bytecode.Reg, ctx, other bool) {
	p.ctx &^= 1 << r
	p.other &^= 1 << r
	if ctx {
		p.ctx |= 1 << r
	}
	if other {
		p.other |= 1 << r
	}
}

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
	stray pointers
	// taken holds what functions whose address is taken may get as arguments.
	taken   pointers
	isTaken []bool
}

// traced is what is known of one function.
type traced struct {
	slots   [64]pointers // by 8-byte stack slot from r10 down: only bit 0 is used
	returns pointers     // of R0
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
			t.in[b].ctx = 1 << bytecode.R1
		}
		if f.source != none && fn > 0 {
			t.in[b] = t.in[b].union(argPointers(st.src.Subprogs[f.source]))
		}
		t.work.push(b)
	}
	for t.work.more() {
		t.flow(t.work.pop())
	}
	t.mark(im)
}

// argPointers returns what the arguments of a global function are by its BTF.
func argPointers(s bytecode.Subprogram) pointers {
	var p pointers
	for i, arg := range s.Args {
		if i < 5 && arg == "ctx" {
			p.ctx |= 2 << i
		}
		if i < 5 && arg == "other" {
			p.other |= 2 << i
		}
	}
	return p
}

// join merges a state into that of a node.
func (t *tracer) join(n int32, p pointers) {
	if u := t.in[n].union(p); u != t.in[n] {
		t.in[n] = u
		t.work.push(n)
	}
}

// flow carries the state of a node to its successors.
func (t *tracer) flow(n int32) {
	p := t.in[n]
	join := func(to int32) { t.join(to, p) }
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
	switch in.Class() {
	case asm.ALU64Class:
		t.arithmetic(in, p)
	case asm.ALUClass:
		p.set(in.Dst&15, false, false)
	case asm.LdClass:
		if in.IsWide() {
			p.set(in.Dst&15, false, t.loadsObject(i))
		} else {
			p.set(bytecode.R0, false, false)
		}
	case asm.LdXClass:
		ctx, other := t.loaded(i, in, p)
		p.set(in.Dst&15, ctx, other)
	case asm.StXClass:
		if r, ok := atomicLoad(in); ok {
			any := p.ctx|p.other != 0
			p.set(r&15, any, any)
		} else if in.Mode() == asm.MemMode && in.Size() == asm.DWord {
			t.store(i, in, p)
		}
	case asm.JumpClass:
		t.jump(i, in, p)
	}
}

// arithmetic follows 64-bit arithmetic: a pointer plus something is one.
func (t *tracer) arithmetic(in bytecode.Insn, p *pointers) {
	if in.Source() != asm.RegSource {
		if in.ALUOp() == asm.Mov {
			p.set(in.Dst&15, false, false)
		}
		return
	}
	ctx, other := p.of(in.Src & 15)
	if in.ALUOp() != asm.Mov {
		c, o := p.of(in.Dst & 15)
		ctx, other = ctx || c, other || o
	}
	if in.ALUOp() == asm.Mov && in.Off == 1 { // cast between address spaces
		other = true
	}
	p.set(in.Dst&15, ctx, other)
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
func (t *tracer) loaded(i int32, in bytecode.Insn, p *pointers) (ctx, other bool) {
	if in.Size() != asm.DWord {
		return false, false
	}
	ctx, other = t.stray.of(0)
	if in.Src == bytecode.R10 {
		fn := &t.funcs[t.im.funcAt(i)]
		if k := stackSlot(in.Off); k >= 0 {
			c, o := fn.slots[k].of(0)
			return ctx || c, other || o
		}
		return ctx, other
	}
	fromCtx, fromOther := p.of(in.Src & 15)
	return ctx, other || fromOther || fromCtx && contextHoldsObjects(t.st.src.Type)
}

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
	ctx, other := p.of(in.Src & 15)
	if !ctx && !other {
		return
	}
	var value pointers
	value.set(0, ctx, other)
	if k := stackSlot(in.Off); in.Dst == bytecode.R10 && k >= 0 {
		fn := &t.funcs[t.im.funcAt(i)]
		if u := fn.slots[k].union(value); u != fn.slots[k] {
			fn.slots[k] = u
			for _, b := range fn.blocks {
				t.work.push(b)
			}
		}
		// Its address may be passed on, so another function may load it.
		if t.funcs[t.im.funcAt(i)].addressed {
			t.addStray(value)
		}
		return
	}
	t.addStray(value)
}

// addStray notes that a load from anywhere may give a pointer.
func (t *tracer) addStray(value pointers) {
	if u := t.stray.union(value); u != t.stray {
		t.stray = u
		for b := range t.start {
			t.work.push(int32(b))
		}
	}
}

// jump follows calls and exits.
func (t *tracer) jump(i int32, in bytecode.Insn, p *pointers) {
	fn := t.im.funcAt(i)
	switch {
	case in.Code == bytecode.CodeExit:
		ctx, other := p.of(bytecode.R0)
		var value pointers
		value.set(0, ctx, other)
		if u := t.funcs[fn].returns.union(value); u != t.funcs[fn].returns {
			t.funcs[fn].returns = u
			for _, b := range t.funcs[fn].callers {
				t.work.push(b)
			}
		}
	case in.IsSubprogramCall():
		to := t.im.slots[i].target
		t.join(t.block[to], pointers{p.ctx & argRegs, p.other & argRegs})
		ctx, other := t.funcs[t.im.funcAt(to)].returns.of(0)
		t.afterCall(p, ctx, other)
	case in.Code == bytecode.CodeCall:
		t.passToCallbacks(p)
		t.afterCall(p, false, t.returnsObject(i))
	}
}

// afterCall clears what a call does not keep.
func (t *tracer) afterCall(p *pointers, ctx, other bool) {
	p.ctx &^= argRegs
	p.other &^= argRegs
	p.set(bytecode.R0, ctx, other)
}

// passToCallbacks follows the arguments of a helper or kernel function into the
// functions that it may call back.
func (t *tracer) passToCallbacks(p *pointers) {
	var got pointers
	if p.ctx&argRegs != 0 {
		got.ctx = argRegs
	}
	if p.other&argRegs != 0 {
		got.other = argRegs
	}
	if u := t.taken.union(got); u != t.taken {
		t.taken = u
		for fn, taken := range t.isTaken {
			if taken {
				t.join(t.block[t.im.funcs[fn].start], u)
			}
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
			base := in.Dst & 15
			switch in.Class() {
			case asm.LdXClass:
				base = in.Src & 15
			case asm.StClass, asm.StXClass:
			default:
				return
			}
			ctx, other := p.of(base)
			if ctx {
				im.slots[i].marks |= markCtx
			}
			if other {
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
