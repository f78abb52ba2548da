package variants

import (
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// unsetRegister reads a register that was written on no path, on one, or on all.
func unsetRegister(g *gen) {
	r := bytecode.Reg(2 + g.rnd.IntN(8))
	if g.rnd.IntN(2) == 0 {
		over := g.label()
		g.Helper(prandom)
		g.If(jgt, 0, 0, 3, over)
		g.mov(r, 1)
		g.Label(over)
	}
	if g.rnd.IntN(4) == 0 {
		g.mov(r, 8)
	}
	switch g.n % 10 {
	case 0:
		g.Emit(exit, 0, 0, 0, 0) // r0
		return
	case 1:
		g.Emit(stxDW, 10, r, -8, 0)
	case 2:
		g.Emit(0xdb, 10, r, -8, 0) // atomic add
	case 3:
		g.Emit(stDW, 10, 0, -8, 0)
		g.Emit(0xdb, 10, r, -8, 0xf1) // compare and exchange: r0, too
	case 4:
		g.Emit(addReg, r, 10, 0, 0)
	case 5:
		out := g.label()
		g.If(0x1d, r, 10, 0, out)
		g.Label(out)
	case 6:
		g.typ = "socket_filter"
		g.Emit(0x20, 0, 0, 0, 0) // LD_ABS: r6
	case 7:
		g.typ = "socket_filter"
		g.Emit(movReg, 6, 1, 0, 0)
		g.Emit(0x40, 0, r, 0, 0) // LD_IND
	case 8:
		g.op(0x87, r, 0) // neg
	default:
		g.Emit(movReg, 0, r, 0, 0)
	}
	g.leave()
}

// midLoad jumps to the second slot of a 64-bit load, or past it.
func midLoad(g *gen) {
	g.Helper(prandom)
	hop := int16(1 + g.n%3)
	switch g.rnd.IntN(4) {
	case 0:
		g.Emit(jeq, 0, 0, hop-1, 0)
	case 1:
		g.Emit(ja, 0, 0, hop-1, 0)
	case 2:
		g.Emit(bytecode.CodeGotol, 0, 0, 0, int32(hop)-1)
	default:
		g.Emit(jgt, 0, 0, hop-1, 3)
	}
	g.Wide(1, 0, g.rnd.Uint64())
	for range g.rnd.IntN(3) {
		g.mov(2, 1)
	}
	g.leave()
}

// nullness looks up an element of an array by a key that is a constant, or is not,
// and reads a register that was never set where the pointer is null.
func nullness(g *gen) {
	const array, hash, percpu = 2, 1, 6
	typ := [...]uint32{array, array, hash, percpu}[g.rnd.IntN(4)]
	entries := uint32(1 + g.rnd.IntN(4))
	m := g.Map(bytecode.Map{Name: "m", Type: typ, KeySize: 4, ValueSize: 8, MaxEntries: entries})
	key := int32(g.rnd.IntN(5))
	off := int16(-4 - 4*g.rnd.IntN(3))
	switch g.n % 5 {
	case 0, 1:
		g.Emit(stW, 10, 0, off, key)
	case 2:
		g.mov(1, key)
		g.Emit(0x63, 10, 1, off, 0)
	case 3:
		off = -8
		g.Emit(stDW, 10, 0, off, key)
	default:
		g.Helper(prandom)
		g.op(andImm, 0, 1)
		g.Emit(0x63, 10, 0, off, 0)
	}
	g.Emit(movReg, 2, 10, 0, 0)
	g.op(addImm, 2, int32(off))
	g.MapAddr(1, m)
	g.Helper(mapLookup)
	ok := g.label()
	g.If(jne, 0, 0, 0, ok)
	g.unset(5)
	g.Label(ok)
	g.leave()
}

// trapped calls __bpf_trap on a path that is taken, that may be taken, or that is dead.
func trapped(g *gen) {
	trap := g.label()
	switch g.n % 4 {
	case 0:
		g.mov(6, int32(g.rnd.IntN(8)))
		g.If(jgt, 6, 0, 3, trap)
	case 1:
		g.Helper(prandom)
		g.If(jgt, 0, 0, int32(g.rnd.IntN(50)), trap)
	case 2:
		g.Helper(prandom)
		g.op(andImm, 0, 7)
		g.If(jgt, 0, 0, int32(4+g.rnd.IntN(6)), trap)
	default:
		g.Call("f")
		g.leave()
		g.Func("f", false)
		g.Helper(ktimeGetNS)
		g.If(jslt, 0, 0, int32(g.rnd.IntN(3)), trap)
	}
	g.leave()
	g.Label(trap)
	g.Kfunc("__bpf_trap")
	g.leave()
}

// contextField multiplies the value of a context field, which must not be a pointer.
func contextField(g *gen) {
	fields := []struct {
		typ  string
		size int16
	}{{"socket_filter", 192}, {"sched_cls", 192}, {"xdp", 24}, {"cgroup_skb", 192}}
	f := fields[g.n%len(fields)]
	g.typ = f.typ
	g.Emit(ldxW, 2, 1, 4*int16(g.rnd.IntN(int(f.size/4))), 0)
	if g.rnd.IntN(2) == 0 {
		g.op(mulImm, 2, 3)
	} else {
		g.op(andImm, 2, 3)
	}
	g.leave()
}

// iterator runs an open-coded iterator beside a number on the stack that is bounded,
// and reads a register that was never set where the number is larger.
func iterator(g *gen) {
	bound := int32(1 + g.rnd.IntN(9))
	above := g.rnd.IntN(2) == 0
	slot, it := int16(-8), int16(-16)
	if above {
		slot, it = -16, -8
	}
	g.Helper(prandom)
	g.op(andImm, 0, 7)
	g.Emit(stxDW, 10, 0, slot, 0)
	arg := func() {
		g.Emit(movReg, 1, 10, 0, 0)
		g.op(addImm, 1, int32(it))
	}
	arg()
	g.mov(2, 0)
	g.mov(3, 1+int32(g.rnd.IntN(100)))
	g.Kfunc("bpf_iter_num_new")
	head, out := g.label(), g.label()
	g.Label(head)
	arg()
	g.Kfunc("bpf_iter_num_next")
	g.If(jeq, 0, 0, 0, out)
	switch g.n % 3 {
	case 0:
		g.Emit(ldxW, 7, 0, 0, 0)
	case 1:
		g.op(addImm, 8, 0) // read before it is set, if not on each path
	}
	g.If(ja, 0, 0, 0, head)
	g.Label(out)
	arg()
	g.Kfunc("bpf_iter_num_destroy")
	g.Emit(ldxDW, 6, 10, slot, 0)
	bad := g.label()
	g.If(jgt, 6, 0, bound, bad)
	g.leave()
	g.Label(bad)
	g.unset(9)
}

// resultRange reads a register that was never set, if a helper's result is out of a range, which
// may be the helper's own.
func resultRange(g *gen) {
	size := int32(8 * (1 + g.rnd.IntN(3)))
	g.Emit(movReg, 1, 10, 0, 0)
	g.op(addImm, 1, -size)
	g.mov(2, size)
	g.mov(3, 0)
	g.Helper(probeReadKernelStr)
	bad := g.label()
	switch g.n % 3 {
	case 0:
		g.If(jsgt, 0, 0, size+int32(g.rnd.IntN(3))-1, bad)
	case 1:
		g.If(jslt, 0, 0, -4096+int32(g.rnd.IntN(3)), bad)
	default:
		g.If(jslt, 0, 0, 0, "ok")
		g.If(jgt, 0, 0, size, bad)
		g.Label("ok")
	}
	g.leave()
	g.Label(bad)
	g.unset(9)
}

// stackTable jumps through an address from a table that was kept on the stack: at a fixed offset,
// where it stays known, or at a variable one, where it does not.
func stackTable(g *gen) {
	a, b := g.label(), g.label()
	g.Table(1, a, b)
	g.Emit(ldxDW, 2, 1, 8*int16(g.rnd.IntN(2)), 0)
	slots := 1 + g.rnd.IntN(3)
	for i := range slots {
		g.Emit(stxDW, 10, 2, int16(-8*(i+1)), 0)
	}
	if g.n%3 == 0 {
		g.Helper(prandom)
		g.op(andImm, 0, 8)
		g.Emit(movReg, 3, 10, 0, 0)
		g.Emit(addReg, 3, 0, 0, 0)
		g.Emit(ldxDW, 4, 3, -16, 0)
	} else {
		g.Emit(ldxDW, 4, 10, int16(-8*(1+g.rnd.IntN(slots))), 0)
	}
	g.Emit(bytecode.CodeGotox, 4, 0, 0, 0)
	g.Label(a)
	g.leave()
	g.Label(b)
	g.mov(0, 2)
	g.Emit(exit, 0, 0, 0, 0)
}

// patchRange jumps as far as 16 bits allow, or a little less, over instructions of which the kernel
// lengthens some.
func patchRange(g *gen) {
	const far = 1<<15 - 1
	if g.n >= 12 { // few, because they are large
		unsetRegister(g)
		return
	}
	less := []int{0, 1, 3, 40}[g.n%4]
	g.mov(1, 7)
	g.Helper(prandom)
	g.Emit(movReg, 1, 0, 0, 0)
	g.Emit(jeq, 1, 0, int16(far-less), 9)
	at := int(g.PC())
	for int(g.PC()) < at+far-less {
		switch n := int(g.PC()) - at; {
		case n == 100 && g.n%3 == 0, n == 100+g.n && g.n%3 == 1:
			g.mov(2, 3)
			g.Emit(0x3f, 1, 2, 0, 0) // divided by a register
		default:
			g.mov(1, 3)
		}
	}
	g.leave()
}
