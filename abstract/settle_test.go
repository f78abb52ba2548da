package abstract

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/testing/progen"
)

// TestWalkAll states that a walk which leaves out paths that are covered comes to the
// instructions that one comes to which leaves out nothing, goes the same ways, and is not
// more certain.
func TestWalkAll(t *testing.T) {
	compared, shorter := 0, 0
	for seed := range uint64(640) {
		p := constants(seed)
		switch seed % 16 {
		case 5, 6, 7:
			p = pairs(seed)
		case 8, 9, 10, 11, 12, 13, 14:
			p = parts(seed)
		case 1:
			p = progen.Random(seed, 12+int(seed%20))
		case 2:
			p = progen.Stack(seed, true)
		case 3:
			p = progen.Copies(seed)
		case 4:
			p = progen.Callbacks(seed)
		case 15:
			p = onStack(seed)
		}
		p.Type = "syscall"
		if whole, less := compareWalks(t, p, seed); whole {
			if compared++; less {
				shorter++
			}
		}
	}
	if compared < 100 || shorter < 80 {
		t.Error("the programs do not try it")
	}
	t.Logf("%d programs compared, the walk of %d was shorter", compared, shorter)
}

// compareWalks compares a walk with one that leaves out no path, and reports whether that came to an end,
// and the other one was shorter.
func compareWalks(t *testing.T, p *bytecode.Program, seed uint64) (compared, shorter bool) {
	t.Helper()
	const most = 30_000
	g, err := cfg.Build(p, nil)
	if err != nil {
		t.Fatal(err)
	}
	var w [2]*walker
	for i := range w {
		w[i] = newWalker(p, g, WalkOptions{Steps: most})
		w[i].keepsAll = i == 1
		w[i].settle(true)
	}
	if w[1].out.Ending != AllPaths || !Analyze(p, g, Options{Rules: Verifier}).walkable() {
		return false, false
	}
	for pc := bytecode.PC(0); pc < p.Len(); pc += p.Insns[pc].Slots() {
		a, b := &w[0].places[pc], &w[1].places[pc]
		for i, x := range [3][2]cfg.Truth{{a.seen, b.seen}, {a.taken, b.taken}, {a.fell, b.fell}} {
			if (x[0] == cfg.No) != (x[1] == cfg.No) || x[0] > x[1] {
				t.Errorf("seed %d, slot %d %q: %s %v; when nothing is left out %v", seed, pc, p.Text(pc),
					[]string{"seen", "taken", "fell through"}[i], x[0], x[1])
			}
		}
	}
	return true, w[0].insns < w[1].insns
}

// TestSettleCallback states that a function that is handed to kernel code which nothing is
// known of is not taken for one that is never called, though a walk does not come there.
func TestSettleCallback(t *testing.T) {
	var a progen.Asm
	a.Func("main", false)
	a.FuncAddr(1, "f")
	call := a.PC()
	a.Kfunc("bpf_not_known")
	a.Emit(0xb7, 0, 0, 0, 0)
	a.Emit(0x95, 0, 0, 0, 0)
	a.Func("f", false)
	at := a.PC()
	a.Emit(0xb7, 0, 0, 0, 0)
	a.Emit(0x95, 0, 0, 0, 0)
	p := a.Program("p")
	to := &cfg.Targets{}
	to.Add(call, at)
	g, err := cfg.Build(p, to)
	if err != nil {
		t.Fatal(err)
	}
	opt := Options{Rules: Verifier}
	f := Analyze(p, g, opt)
	if got := Settle(p, f, opt, 1000).Reach(at); f.Reach(at) != cfg.Maybe || got != cfg.Maybe {
		t.Errorf("%v, settled %v, want maybe", f.Reach(at), got)
	}
}

// pairs makes a program in which paths with other constants meet, and registers are then
// compared with each other, which nothing else has decided anything by.
func pairs(seed uint64) *bytecode.Program {
	rnd := rand.New(rand.NewPCG(seed, 22))
	var a progen.Asm
	data := []bytecode.Reg{7, 8, 9, 2, 3}
	reg := func() bytecode.Reg { return data[rnd.IntN(len(data))] }
	small := func() int32 { return int32(rnd.IntN(5)) - 1 }
	a.Emit(0xbf, 6, 1, 0, 0)
	for _, r := range data {
		a.Emit(0xb7, r, 0, 0, small())
	}
	for i := range 2 + rnd.IntN(4) { // paths that meet
		end := fmt.Sprint("meet", i)
		a.Emit(0x61, 0, 6, int16(4*i), 0)
		a.If(0x15, 0, 0, 0, end)
		a.Emit(0xb7, reg(), 0, 0, small())
		a.Label(end)
	}
	for i := range 3 { // places at which a state may be remembered
		next := fmt.Sprint("next", i)
		for range 3 {
			switch rnd.IntN(5) {
			case 0:
				a.Emit([]uint8{0xbf, 0xbc, 0x0f, 0x1c, 0x5f, 0x4f}[rnd.IntN(6)], reg(), reg(), 0, 0)
			case 1:
				a.Emit(0x7b, 10, reg(), -8, 0)
				a.Emit(0x79, reg(), 10, -8, 0)
			case 2:
				a.Emit([]uint8{0x87, 0xdc, 0x84}[rnd.IntN(3)], reg(), 0, 0, 32)
			default:
				a.Emit(0xb7, 0, 0, 0, 0)
			}
		}
		a.If(0x05, 0, 0, 0, next)
		a.Label(next)
	}
	for i := range 1 + rnd.IntN(3) { // decisions
		end := fmt.Sprint("end", i)
		a.If([]uint8{0x1d, 0x5d, 0x2d, 0xad, 0xdd, 0x7d, 0x4d, 0x1e, 0x2e, 0xae}[rnd.IntN(10)], reg(), reg(), 0, end)
		a.Emit(0xb7, reg(), 0, 0, small())
		a.Label(end)
	}
	a.Emit(0xb7, 0, 0, 0, 0)
	a.Emit(0x95, 0, 0, 0, 0)
	return a.Program("pairs")
}

// parts makes a program in which paths with other constants meet, which then go through stores of
// parts of a slot and atomic operations, before something is decided by a part of the slot or by
// what was there.
func parts(seed uint64) *bytecode.Program {
	const mov, store4, load4 = 0xb7, 0x63, 0x61
	rnd := rand.New(rand.NewPCG(seed, 23))
	var a progen.Asm
	reg := func() bytecode.Reg { return bytecode.Reg(7 + rnd.IntN(2)) }
	bit := func() int32 { return int32(rnd.IntN(2)) }
	half := func() int16 { return -4 * int16(1+rnd.IntN(2)) }
	a.Emit(0xbf, 6, 1, 0, 0)
	a.Emit(mov, 7, 0, 0, bit())
	a.Emit(mov, 8, 0, 0, bit())
	atomic := rnd.IntN(2) == 0
	if a.Emit(0x7a, 10, 0, -8, bit()); !atomic {
		a.Emit(0x62, 10, 0, -4, bit())
		a.Emit(0x62, 10, 0, -8, bit())
	}
	for i := range 1 + rnd.IntN(2) { // paths that meet
		end := fmt.Sprint("meet", i)
		a.Emit(load4, 0, 6, int16(4*i), 0)
		a.If(0x15, 0, 0, 0, end)
		if rnd.IntN(2) == 0 {
			a.Emit([]uint8{0x62, 0x7a, 0x7a}[rnd.IntN(3)], 10, 0, -8, bit())
		} else {
			a.Emit(mov, reg(), 0, 0, bit())
		}
		a.Label(end)
	}
	for i := range 3 { // places at which a state may be remembered
		next := fmt.Sprint("next", i)
		a.Emit(mov, 0, 0, 0, 0)
		a.Emit(mov, 0, 0, 0, 0)
		a.If(0x05, 0, 0, 0, next)
		a.Label(next)
	}
	r := reg()
	for range 1 + rnd.IntN(2) {
		op := []int32{0, 1, 0xe1, 0xf1, 0xf1}[rnd.IntN(5)]
		switch {
		case !atomic:
			a.Emit([]uint8{store4, store4, 0x73}[rnd.IntN(3)], 10, reg(), half(), 0)
			a.Emit(store4, 10, reg(), half(), 0)
		case op == 0xf1: // the result is in r0
			a.Emit(0xdb, 10, r, -8, op)
			a.Emit(0xbf, r, 0, 0, 0)
		default:
			a.Emit(0xdb, 10, r, -8, op)
		}
	}
	switch rnd.IntN(4) { // decided by a register, a slot or a half of it
	case 0, 1:
	case 2:
		a.Emit(0x79, r, 10, -8, 0)
	default:
		a.Emit(load4, r, 10, half(), 0)
	}
	a.If(0x15, r, 0, bit(), "end")
	a.Emit(mov, 0, 0, 0, 0)
	a.Label("end")
	a.Emit(mov, 0, 0, 0, 0)
	a.Emit(0x95, 0, 0, 0, 0)
	return a.Program("parts")
}

// waysBack are ways of the number at fp-8 into r2: instructions, and those of a function f that they call.
func waysBack() map[string][2]func(a *progen.Asm) {
	const mov, movX, storeX, load = 0xb7, 0xbf, 0x7b, 0x79
	one := func(code uint8, dst, src bytecode.Reg, off int16, imm int32) func(*progen.Asm) {
		return func(a *progen.Asm) { a.Emit(code, dst, src, off, imm) }
	}
	all := func(parts ...func(*progen.Asm)) func(*progen.Asm) {
		return func(a *progen.Asm) {
			for _, f := range parts {
				f(a)
			}
		}
	}
	get, call := one(load, 2, 10, -8, 0), func(a *progen.Asm) { a.Call("f") }
	result := all(call, one(movX, 2, 0, 0, 0))
	return map[string][2]func(a *progen.Asm){
		"load":                  {get},
		"load of a part":        {one(0x71, 2, 10, -8, 0)},
		"signed load":           {one(0x81, 2, 10, -8, 0)},
		"acquire":               {one(0xdb, 2, 10, -8, atomicLoadAcq)},
		"release":               {all(get, one(0xdb, 10, 2, -16, atomicStoreRel), one(load, 2, 10, -16, 0))},
		"fetch":                 {one(0xdb, 10, 2, -8, atomicFetch)},
		"exchange":              {one(0xdb, 10, 2, -8, 0xe1)},
		"compare and exchange":  {all(one(mov, 0, 0, 0, 7), one(0xdb, 10, 2, -8, atomicCmpXchg), one(movX, 2, 0, 0, 0))},
		"sum":                   {all(one(load, 3, 10, -8, 0), one(0x0f, 2, 3, 0, 0))},
		"argument":              {all(get, one(movX, 1, 2, 0, 0), result), one(movX, 0, 1, 0, 0)},
		"argument on the stack": {all(get, one(storeX, 11, 2, -8, 0), result), one(load, 0, 11, 8, 0)},
		"slot of the caller": {all(one(movX, 1, 10, 0, 0), one(0x07, 1, 0, 0, -8), result),
			one(load, 0, 1, 0, 0)},
		"stored for the caller": {all(get, one(movX, 1, 10, 0, 0), one(0x07, 1, 0, 0, -16), call, one(load, 2, 10, -16, 0)),
			all(one(storeX, 1, 2, 0, 0), one(mov, 0, 0, 0, 0))},
		"kept by the caller": {all(one(load, 7, 10, -8, 0), call, one(movX, 2, 7, 0, 0)),
			all(one(mov, 7, 0, 0, 5), one(mov, 0, 0, 0, 0))},
	}
}

// TestDecidesBack: a number that differs between two ways which meet decides a branch, however it gets
// there, so neither way may be left out because of the other. Executions take both sides.
func TestDecidesBack(t *testing.T) {
	const mov, exit, store = 0xb7, 0x95, 0x7a
	for name, way := range waysBack() {
		var a progen.Asm
		a.Func("main", false)
		a.Emit(0x61, 3, 1, 0, 0)
		a.Emit(store, 10, 0, -16, 0)
		a.Emit(store, 10, 0, -8, 0)
		a.If(0x15, 3, 0, 0, "meet")
		a.Emit(store, 10, 0, -8, 1)
		a.Label("meet")
		for r := bytecode.R1; r <= bytecode.R5; r++ {
			a.Emit(mov, r, 0, 0, 0)
		}
		for i := range 3 { // the verifier remembers a state after some jumps and instructions
			a.Jump(fmt.Sprint("on", i))
			a.Label(fmt.Sprint("on", i))
			a.Emit(mov, 0, 0, 0, 0)
			a.Emit(mov, 0, 0, 0, 0)
		}
		way[0](&a)
		a.If(0x15, 2, 0, 1, "one")
		a.Emit(mov, 0, 0, 0, 0)
		a.Emit(exit, 0, 0, 0, 0)
		a.Label("one")
		a.Emit(mov, 0, 0, 0, 1)
		a.Emit(exit, 0, 0, 0, 0)
		one := a.PC() - 2
		if way[1] != nil {
			a.Func("f", false)
			way[1](&a)
			a.Emit(exit, 0, 0, 0, 0)
		}
		p := a.Program(name)
		p.Type = "syscall"
		for i := range p.Subprogs[1:] {
			p.Subprogs[i+1].Params = 6
		}
		g, err := cfg.Build(p, nil)
		if err != nil {
			t.Fatal(err)
		}
		w := newWalker(p, g, WalkOptions{Steps: 1000})
		w.settles = true
		w.all()
		if zero := one - 2; w.out.Ending != AllPaths || w.places[zero].seen != cfg.Yes || w.places[one].seen != cfg.Yes {
			t.Errorf("%s: %v; 0 is seen: %v, 1: %v", name, w.out.Ending, w.places[zero].seen, w.places[one].seen)
		}
	}
}

// onStack makes a program of constants that differ between paths which meet, and that functions get
// on the stack, decide branches by, and hand on.
func onStack(seed uint64) *bytecode.Program {
	const (
		movX, mov, exit            = 0xbf, 0xb7, 0x95
		load, store, storeX, loadX = 0x61, 0x7a, 0x7b, 0x79
	)
	rnd := rand.New(rand.NewPCG(seed, 31))
	var a progen.Asm
	reg := func() bytecode.Reg { return bytecode.Reg(7 + rnd.IntN(3)) }
	small := func() int32 { return int32(rnd.IntN(4)) }
	decide := func(r bytecode.Reg, end string) {
		a.If([]uint8{0x15, 0x55, 0x25, 0xd5}[rnd.IntN(4)], r, 0, small(), end)
		a.Emit(mov, reg(), 0, 0, small())
		a.Label(end)
	}
	call := func(f string) {
		for i := range 2 {
			if rnd.IntN(4) == 0 {
				a.Emit(store, 11, 0, int16(-8*(i+1)), small())
			} else {
				a.Emit(storeX, 11, reg(), int16(-8*(i+1)), 0)
			}
		}
		for r := bytecode.R1; r <= bytecode.R5; r++ {
			a.Emit(mov, r, 0, 0, 0)
		}
		a.Call(f)
		a.Emit(movX, reg(), 0, 0, 0)
	}
	a.Func("main", false)
	a.Emit(movX, 6, 1, 0, 0)
	for r := bytecode.R7; r <= bytecode.R9; r++ {
		a.Emit(mov, r, 0, 0, small())
	}
	for i := range 10 {
		end := fmt.Sprint("end", i)
		switch rnd.IntN(3) {
		case 0: // paths that meet
			a.Emit(load, 0, 6, int16(4*rnd.IntN(8)), 0)
			a.If(0x15, 0, 0, small(), end)
			a.Emit(mov, reg(), 0, 0, small())
			a.Label(end)
		case 1:
			call([]string{"f", "g"}[rnd.IntN(2)])
		default:
			decide(reg(), end)
		}
	}
	a.Emit(mov, 0, 0, 0, 0)
	a.Emit(exit, 0, 0, 0, 0)
	for _, name := range []string{"f", "g"} {
		a.Func(name, false)
		for r := bytecode.R7; r <= bytecode.R9; r++ {
			a.Emit(mov, r, 0, 0, small())
		}
		a.Emit(loadX, reg(), 11, 8, 0)
		a.Emit(loadX, reg(), 11, 16, 0)
		decide(reg(), name+"1")
		if name == "f" {
			call("g")
		}
		decide(reg(), name+"2")
		a.Emit(movX, 0, reg(), 0, 0)
		a.Emit(exit, 0, 0, 0, 0)
	}
	p := a.Program("onStack")
	for i := range p.Subprogs[1:] {
		p.Subprogs[i+1].Params = 7
	}
	return p
}

// constants makes a program of a few constants that differ between paths which meet, go
// through registers, parts of slots and atomic operations, and decide branches.
func constants(seed uint64) *bytecode.Program {
	const (
		movX, mov, add, exit = 0xbf, 0xb7, 0x07, 0x95
		jeq, jne, jgt, jsle  = 0x15, 0x55, 0x25, 0xd5
		load, atomic         = 0x61, 0xdb
	)
	rnd := rand.New(rand.NewPCG(seed, 21))
	var a progen.Asm
	data := []bytecode.Reg{7, 8, 9, 2, 3}
	reg := func() bytecode.Reg { return data[rnd.IntN(len(data))] }
	small := func() int32 { return int32(rnd.IntN(4)) }
	slot := func(size int) int16 { return int16(-16 + size*rnd.IntN(16/size)) }
	a.Emit(movX, 6, 1, 0, 0)
	for _, r := range data {
		a.Emit(mov, r, 0, 0, small())
	}
	a.Emit(0x7a, 10, 0, -8, small())
	a.Emit(0x7a, 10, 0, -16, small())
	for i := range 24 + rnd.IntN(24) {
		end := fmt.Sprint("end", i)
		size := []int{8, 8, 4, 2, 1}[rnd.IntN(5)]
		width := map[int]uint8{8: 0x18, 4: 0x00, 2: 0x08, 1: 0x10}[size]
		switch rnd.IntN(8) {
		case 0, 1: // paths that meet
			a.Emit(load, 0, 6, int16(4*rnd.IntN(8)), 0)
			a.If(jeq, 0, 0, small(), end)
			a.Emit(mov, reg(), 0, 0, small())
			a.Label(end)
		case 2:
			a.Emit([]uint8{0x0f, 0x5f, 0x4f, 0xaf, movX, 0xbc}[rnd.IntN(6)], reg(), reg(), 0, 0)
		case 3:
			a.Emit(0x63|width, 10, reg(), slot(size), 0)
		case 4:
			a.Emit(load|width, reg(), 10, slot(size), 0)
		case 5:
			a.Emit(movX, 4, 10, 0, 0)
			a.Emit(add, 4, 0, 0, -16)
			if rnd.IntN(2) == 0 {
				a.Emit(0x63|width, 4, reg(), slot(size)+16, 0)
			} else {
				a.Emit(load|width, reg(), 4, slot(size)+16, 0)
			}
		case 6:
			a.Emit(atomic, 10, reg(), slot(8), []int32{0, 1, 0x40, 0x41, 0xe1}[rnd.IntN(5)])
		default: // a decision
			code := []uint8{jeq, jne, jgt, jsle}[rnd.IntN(4)]
			if rnd.IntN(2) == 0 {
				a.If(code, reg(), 0, small(), end)
			} else {
				a.If(code|8, reg(), reg(), 0, end)
			}
			a.Emit(mov, reg(), 0, 0, small())
			a.Label(end)
		}
	}
	a.Emit(mov, 0, 0, 0, 0)
	a.Emit(exit, 0, 0, 0, 0)
	return a.Program("constants")
}

// TestWalkPacketLoad states that a walk goes on after a legacy packet load in a function with the
// word that was loaded, though it has left the function with 0 as well (kernel/bpf/verifier.c
// check_ld_abs, Linux 7.3).
func TestWalkPacketLoad(t *testing.T) {
	var a progen.Asm
	a.Func("main", false)
	a.Call("f")
	a.Emit(0xb7, 0, 0, 0, 0)
	a.Emit(0x95, 0, 0, 0, 0)
	a.Func("f", false)
	a.Emit(0xbf, 6, 1, 0, 0)
	a.Emit(0x30, 0, 0, 0, 0)
	a.If(0x55, 0, 0, 0, "at")
	a.Emit(0x95, 0, 0, 0, 0)
	a.Label("at")
	at := a.PC()
	a.Emit(0xb7, 0, 0, 0, 0)
	a.Emit(0x95, 0, 0, 0, 0)
	p := a.Program("p")
	p.Type = "socket_filter"
	g, err := cfg.Build(p, nil)
	if err != nil {
		t.Fatal(err)
	}
	w := newWalker(p, g, WalkOptions{Steps: 1000})
	w.settles = true
	if w.all(); w.places[at].seen != cfg.Yes {
		t.Errorf("a branch on the word that was loaded: %v, want yes", w.places[at].seen)
	}
}

// TestSettleEdges states that between two blocks which are reached, and of which the first only
// runs into the second, an edge is left after questions were settled, and none that no path
// of the walk takes.
func TestSettleEdges(t *testing.T) {
	settled, open := 0, 0
	for seed := range uint64(200) {
		p := constants(seed)
		p.Type = "syscall"
		g, err := cfg.Build(p, nil)
		if err != nil {
			t.Fatal(err)
		}
		opt := Options{Rules: Verifier}
		f := Analyze(p, g, opt)
		s := Settle(p, f, opt, 50_000)
		if s == f {
			continue
		}
		w := newWalker(p, g, WalkOptions{Options: opt, Steps: 50_000})
		w.settles = true
		w.all()
		for i, e := range g.Edges() {
			last := g.Blocks[e.From].Last
			way := w.places[last].taken
			if e.Kind == cfg.FallThrough {
				way = w.places[last].fell
			}
			if p.Flow(last).Kind == bytecode.FlowCond && way == cfg.No && f.EdgeFeasible(i) {
				if open++; s.EdgeFeasible(i) {
					t.Errorf("seed %d: the edge from block %d to %d, which no path takes, is left", seed, e.From, e.To)
				}
			}
			if e.Kind != cfg.FallThrough || p.Flow(last).Kind == bytecode.FlowCond || s.ReachBlock(e.From) == cfg.No {
				continue
			}
			if settled++; !s.EdgeFeasible(i) {
				t.Errorf("seed %d: the edge from block %d to %d is gone", seed, e.From, e.To)
			}
		}
	}
	if settled == 0 || open == 0 {
		t.Errorf("%d edges were looked at, and %d that no path takes: want both", settled, open)
	}
}
