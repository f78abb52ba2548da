package progen

import "github.com/bpfcfg/bpfcfg/cfg/bytecode"

// enter makes the start of the functions that only Mixed has: the pointer goes to
// R6, a number to R7.
func (g *gen) enter(k funcKind) {
	pointer := map[funcKind]bytecode.Reg{kindMap: 4, kindVMA: 3, kindBuffer: 2}[k]
	switch k {
	case kindMap, kindTimer:
		g.a.Emit(0x61, 7, 2, 0, 0)
		g.a.Emit(opLdxDW, 8, 3, int16(8*g.rnd.IntN(8)), 0)
		g.a.Emit(opStxDW, 3, 7, int16(8*g.rnd.IntN(8)), 0)
	default:
		g.a.Emit(opMovK, 7, 0, 0, 1)
	}
	if pointer != 0 {
		g.a.Emit(opMovX, 6, pointer, 0, 0)
		g.a.Emit(opLdxDW, 7, 6, int16(8*g.rnd.IntN(4)), 0)
	} else {
		g.a.Emit(opMovK, 6, 0, 0, 0)
	}
}

// special makes the functions that are written out, and reports whether k is one of them.
func (g *gen) special(k funcKind, name string) bool {
	number := func() int32 { return g.few() }
	switch k {
	case kindGlobal:
		// What Linux makes of the parameters: 32 bytes or none, 32 bytes, unknown.
		args := [][]string{{"mem:32", "scalar"}, {"nonnull:32", "scalar"}, {"other", "scalar"}, nil}[g.rnd.IntN(4)]
		g.a.Func(name, true, args...)
		some := g.label()
		g.a.If(0x55, 1, 0, 0, some) // !=
		g.a.Emit(opMovK, 0, 0, 0, number())
		g.a.Emit(bytecode.CodeExit, 0, 0, 0, 0)
		g.a.Label(some)
		for range 1 + g.rnd.IntN(3) {
			g.storeArgument(1)
		}
		g.branchOver(2, func() { g.storeArgument(1) })
	case kindPacket:
		g.a.Func(name, false)
		g.a.Emit(opMovX, 6, 1, 0, 0)
		g.a.Emit(opMovX, 7, 2, 0, 0)
		g.storeArgument(7)
		g.packetLoad(8)
		g.storeArgument(7)
		g.a.Emit(opMovK, 0, 0, 0, 1+int32(g.rnd.IntN(3)))
	case kindGiver:
		g.a.Func(name, false)
		g.a.Emit(opMovX, 3, 1, 0, 0)
		g.a.Emit(opAddK, 3, 0, 0, int32(8*g.rnd.IntN(4)))
		if g.rnd.IntN(2) == 0 {
			g.branchOver(2, func() { g.a.Emit(opMovX, 3, 1, 0, 0) })
		}
		g.a.Emit(opStxDW, 1, 3, 0, 0)
		g.a.Emit(opMovK, 0, 0, 0, number())
	case kindMaybe:
		if g.rnd.IntN(2) == 0 {
			g.a.Func(name, true, "other", "scalar")
		} else {
			g.a.Func(name, false)
		}
		some := g.label()
		g.a.Emit(opMovK, 0, 0, 0, number())
		g.a.If(0x55, 2, 0, 0, some) // !=
		g.a.Emit(bytecode.CodeExit, 0, 0, 0, 0)
		g.a.Label(some)
		bits, n := g.size()
		g.a.Emit(0x62|bits, 1, 0, int16(g.rnd.IntN(8/n)*n), g.few())
	case kindArgs:
		g.a.Func(name, false)
		g.a.subs[len(g.a.subs)-1].Params = 7
		g.a.Emit(opLdxDW, 0, bytecode.R11, 8, 0)
		g.a.Emit(opLdxDW, 1, bytecode.R11, 16, 0)
		g.storeArgument(1)
		g.branchOver(0, func() { g.storeArgument(1) })
	default:
		return false
	}
	if k == kindGlobal {
		g.a.Emit(opMovK, 0, 0, 0, number())
	}
	g.a.Emit(bytecode.CodeExit, 0, 0, 0, 0)
	return true
}

// storeArgument stores a constant to the 32 bytes that r points to.
func (g *gen) storeArgument(r bytecode.Reg) {
	bits, n := g.size()
	g.a.Emit(0x62|bits, r, 0, int16(g.rnd.IntN(32/n)*n), g.few())
}

// branchOver makes a piece that a comparison of r passes over.
func (g *gen) branchOver(r bytecode.Reg, piece func()) {
	l := g.label()
	g.a.If(g.cond(), r, 0, g.few(), l)
	piece()
	g.a.Label(l)
}

// bufferAt lets a helper write to a buffer at a variable offset.
func (g *gen) bufferAt() {
	n := 1 + g.rnd.IntN(24)
	g.aim(1, 3, n, 1)
	g.a.Emit(opMovK, 2, 0, 0, int32(n))
	if g.rnd.IntN(3) == 0 {
		g.a.Emit(opMovX, 2, g.number(false), 0, 0)
		mask := int32(1)
		for int(2*mask+1) <= n {
			mask = 2*mask + 1
		}
		g.a.Emit(opAndK, 2, 0, 0, mask)
	}
	g.a.Emit(opMovK, 3, 0, 0, 0)
	g.boundary()
	g.a.Helper([]int32{4, 16, 45, 112, 113, 114, 115}[g.rnd.IntN(7)])
	g.look()
}

// lastArg lets a helper write after the last of its arguments.
func (g *gen) lastArg() {
	g.a.Emit(opMovX, 1, 10, 0, 0)
	g.a.Emit(opAddK, 1, 0, 0, int32(-8*(2+g.rnd.IntN(scratch-2))))
	g.a.Emit(opMovK, 2, 0, 0, 8)
	g.a.Emit(opMovK, 3, 0, 0, 0)
	reg, helper := bytecode.Reg(4), int32(105+g.rnd.IntN(2)) // strtol, strtoul
	switch g.rnd.IntN(3) {
	case 0:
		reg, helper = 3, 183 // get_func_arg
	case 1:
		reg, helper = 2, 184 // get_func_ret
	}
	g.target(reg, 5)
	g.boundary()
	g.a.Helper(helper)
	g.look()
	g.look()
}

// iterator loops over numbers.
func (g *gen) iterator() {
	head, end := g.label(), g.label()
	at := int32(iterAt - 8*g.depth)
	own := func() {
		g.a.Emit(opMovX, 1, 10, 0, 0)
		g.a.Emit(opAddK, 1, 0, 0, at)
	}
	own()
	g.a.Emit(opMovK, 2, 0, 0, 0)
	g.a.Emit(opMovX, 3, g.number(false), 0, 0)
	g.a.Emit(opAndK, 3, 0, 0, 15)
	g.a.Kfunc("bpf_iter_num_new")
	g.a.Label(head)
	own()
	g.a.Kfunc("bpf_iter_num_next")
	g.a.If(opJeqK, 0, 0, 0, end)
	g.a.Emit(0x61, 0, 0, 0, 0)
	g.body()
	g.a.Jump(head)
	g.a.Label(end)
	own()
	g.a.Kfunc("bpf_iter_num_destroy")
	g.a.Emit(opMovK, 0, 0, 0, g.few())
}

// kfunc calls a kernel function that may write to the stack.
func (g *gen) kfunc() {
	switch g.rnd.IntN(4) {
	case 0:
		g.a.Kfunc([]string{"bpf_rcu_read_lock", "bpf_rcu_read_unlock"}[g.rnd.IntN(2)])
		g.a.Emit(opMovK, 0, 0, 0, g.few())
	case 1: // an unknown number
		reg := bytecode.Reg(1 + g.rnd.IntN(5))
		for r := bytecode.R1; r <= bytecode.R5; r++ {
			g.a.Emit(opMovK, r, 0, 0, 0)
		}
		g.target(reg, reg%5+1)
		g.a.Emit(opMovK, reg%5+1, 0, 0, 0)
		g.boundary()
		g.a.Kfunc("bpf_mystery")
	default: // a dynptr, and a copy of what it leads to
		const at = dynptrAt
		g.a.MapValue(1, g.array, 0)
		g.a.Emit(opMovK, 2, 0, 0, 32)
		g.a.Emit(opMovK, 3, 0, 0, 0)
		g.a.Emit(opMovX, 4, 10, 0, 0)
		g.a.Emit(opAddK, 4, 0, 0, at)
		g.boundary()
		g.a.Helper(197)
		g.aim(1, 3, 8, 1)
		g.a.Emit(opMovK, 2, 0, 0, 8)
		g.a.Emit(opMovX, 3, 10, 0, 0)
		g.a.Emit(opAddK, 3, 0, 0, at)
		g.a.Emit(opMovK, 4, 0, 0, 0)
		g.a.Emit(opMovK, 5, 0, 0, 0)
		g.boundary()
		g.a.Helper(201) // dynptr_read
	}
	g.look()
}

// twins spills a number twice and returns a piece that looks at both.
func (g *gen) twins() func() {
	r := g.number(false)
	if g.kind == kindMain && g.rnd.IntN(2) == 0 {
		r = 1
		g.a.Emit(opLdxDW, r, 6, int16(8*g.rnd.IntN(8)), 0)
	}
	var slots [2]int16
	for i := range slots {
		slots[i] = int16(-8 * (1 + g.rnd.IntN(scratch)))
		g.a.Emit(opStxDW, 10, r, slots[i], 0)
	}
	return func() {
		for _, off := range slots {
			g.a.Emit(opLdxDW, 2, 10, off, 0)
			g.branchOn(2)
		}
		g.look()
	}
}

// callback has a helper call a function of a kind. set puts the arguments into registers, one of
// them the function.
func (g *gen) callback(reg bytecode.Reg, k funcKind, args func(), call func()) {
	look := g.twins()
	args()
	g.a.FuncAddr(reg, g.want(k))
	g.boundary()
	call()
	look()
}

func (g *gen) cbLoop() {
	g.callback(2, kindCallback, func() {
		if g.rnd.IntN(2) == 0 {
			g.a.Emit(opMovK, 1, 0, 0, int32(g.rnd.IntN(4)))
		} else {
			g.a.Emit(opMovX, 1, g.number(false), 0, 0)
			g.a.Emit(opAndK, 1, 0, 0, 3)
		}
		g.pass(3)
		g.a.Emit(opMovK, 4, 0, 0, 0)
	}, func() { g.a.Helper(181) })
}

// pass puts a pointer to 32 bytes of the stack into r.
func (g *gen) pass(r bytecode.Reg) {
	if g.rnd.IntN(3) == 0 {
		g.aim(r, 5, 32, 8)
		return
	}
	g.ownStack(r)
}

func (g *gen) cbForEach() {
	g.callback(2, kindMap, func() {
		g.pass(3)
		g.a.MapAddr(1, []int{g.array, g.hash}[g.rnd.IntN(2)])
		g.a.Emit(opMovK, 4, 0, 0, 0)
	}, func() { g.a.Helper(164) })
}

func (g *gen) cbFindVMA() {
	g.callback(3, kindVMA, func() {
		g.pass(4)
		g.a.Emit(opMovX, 1, 6, 0, 0)
		g.a.Emit(opMovX, 2, g.number(false), 0, 0)
		g.a.Emit(opMovK, 5, 0, 0, 0)
	}, func() { g.a.Helper(180) })
}

func (g *gen) cbRingbuf() {
	g.callback(2, kindBuffer, func() {
		g.pass(3)
		g.a.MapAddr(1, g.array)
		g.a.Emit(opMovK, 4, 0, 0, 0)
	}, func() { g.a.Helper(209) })
}

func (g *gen) cbTimer() {
	helper := func(value, fn bytecode.Reg, call func()) {
		g.callback(fn, kindTimer, func() {
			for r := bytecode.R1; r <= bytecode.R5; r++ {
				g.a.Emit(opMovK, r, 0, 0, 0)
			}
			g.a.MapValue(value, g.array, 0)
		}, call)
	}
	switch g.rnd.IntN(3) {
	case 0:
		helper(1, 2, func() { g.a.Helper(170) })
	case 1:
		helper(1, 2, func() { g.a.Kfunc("bpf_wq_set_callback_impl") })
	case 2:
		helper(2, 4, func() { g.a.Kfunc("bpf_task_work_schedule_signal_impl") })
	}
}

func (g *gen) cbRBTree() {
	g.callback(3, kindNodes, func() {
		g.a.MapValue(1, g.array, 0)
		g.a.MapValue(2, g.array, 16)
		g.a.Emit(opMovK, 4, 0, 0, 0)
		g.a.Emit(opMovK, 5, 0, 0, 0)
	}, func() { g.a.Kfunc("bpf_rbtree_add_impl") })
}
