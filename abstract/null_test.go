package abstract_test

import (
	"testing"

	"github.com/bpfcfg/bpfcfg/abstract"
	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/testing/progen"
)

// TestNull checks the facts on both paths after a comparison of a pointer with 0.
// Each row but the last two was decided by Linux 7.3.4: selftests cpumask_success,
// verifier_map_in_map, verifier_direct_packet_access (test8_double_test_variant_1),
// bpf_iter_tasks (dump_task_sleepable) and xdp-bench of xdp-tools 1.5.4 have them; of a
// machine with one processor it knows the number.
func TestNull(t *testing.T) {
	const lookup, cpu, taskRegs, currentTask = 1, 8, 175, 158
	array := bytecode.Map{Name: "array", Type: bytecode.MapArray, KeySize: 4, ValueSize: 8, MaxEntries: 2}
	lookupKey := func(a *progen.Asm, m bytecode.Map) {
		a.MapAddr(1, a.Map(m))
		a.Emit(movX, 2, 10, 0, 0)
		a.Emit(add, 2, 0, 0, -8)
		a.Helper(lookup)
	}
	const st4, stx4 = 0x62, 0x63
	tests := []struct {
		name       string
		typ        string
		build      func(a *progen.Asm) // leaves a pointer in r0
		null, some cfg.Truth
	}{
		{"may be null", "tracing", func(a *progen.Asm) { a.Kfunc("bpf_cpumask_create") }, cfg.Yes, cfg.Yes},
		{"tested before", "tracing", func(a *progen.Asm) {
			a.Kfunc("bpf_cpumask_create")
			a.If(jeq, 0, 0, 0, "out")
		}, cfg.Maybe, cfg.Yes},
		{"not trusted", "tracing", func(a *progen.Asm) {
			a.Helper(currentTask)
			a.Emit(movX, 1, 0, 0, 0)
			a.Helper(taskRegs)
		}, cfg.Yes, cfg.Yes},
		{"constant key", "xdp", func(a *progen.Asm) {
			a.Emit(st4, 10, 0, -8, 1)
			lookupKey(a, array)
		}, cfg.No, cfg.Yes},
		{"key that the machine bounds", "xdp", func(a *progen.Asm) {
			a.Helper(cpu)
			a.Emit(stx4, 10, 0, -8, 0)
			lookupKey(a, array)
		}, cfg.Maybe, cfg.Maybe},
		{"key that the machine bounds, in the middle of a slot", "xdp", func(a *progen.Asm) {
			a.Helper(cpu)
			a.Emit(stx4, 10, 0, -4, 0)
			a.MapAddr(1, a.Map(array))
			a.Emit(movX, 2, 10, 0, 0)
			a.Emit(add, 2, 0, 0, -4)
			a.Helper(lookup)
		}, cfg.Maybe, cfg.Maybe},
		{"key behind the last", "xdp", func(a *progen.Asm) {
			a.Emit(st4, 10, 0, -8, 2)
			lookupKey(a, array)
		}, cfg.Yes, cfg.Yes},
		{"constant key of an inner array", "xdp", func(a *progen.Asm) {
			a.Emit(st4, 10, 0, -8, 1)
			lookupKey(a, bytecode.Map{Type: bytecode.MapArrayOfMaps, KeySize: 4, ValueSize: 4, MaxEntries: 1, Inner: &array})
			a.If(jeq, 0, 0, 0, "out")
			a.Emit(movX, 1, 0, 0, 0)
			a.Emit(movX, 2, 10, 0, 0)
			a.Emit(add, 2, 0, 0, -8)
			a.Helper(lookup)
		}, cfg.No, cfg.Yes},
		{"constant key of an unknown array", "xdp", func(a *progen.Asm) {
			a.Emit(st4, 10, 0, -8, 1)
			lookupKey(a, bytecode.Map{Type: bytecode.MapArrayOfMaps, KeySize: 4, ValueSize: 4, MaxEntries: 1})
			a.If(jeq, 0, 0, 0, "out")
			a.Emit(movX, 1, 0, 0, 0)
			a.Emit(movX, 2, 10, 0, 0)
			a.Emit(add, 2, 0, 0, -8)
			a.Helper(lookup)
		}, cfg.Maybe, cfg.Maybe},
	}
	for _, tt := range tests {
		var a progen.Asm
		tt.build(&a)
		a.If(jeq, 0, 0, 0, "null")
		some := a.PC()
		a.Emit(mov, 0, 0, 0, 0)
		a.Emit(exit, 0, 0, 0, 0)
		a.Label("null")
		null := a.PC()
		a.Emit(mov, 0, 0, 0, 1)
		a.Emit(exit, 0, 0, 0, 0)
		a.Label("out")
		a.Emit(mov, 0, 0, 0, 2)
		a.Emit(exit, 0, 0, 0, 0)
		p := a.Program("p")
		p.Type = tt.typ
		_, f := analyze(t, p, abstract.Verifier)
		if got := [2]cfg.Truth{f.Reach(null), f.Reach(some)}; got != [2]cfg.Truth{tt.null, tt.some} {
			t.Errorf("%s: null %v, not null %v, want %v and %v", tt.name, got[0], got[1], tt.null, tt.some)
		}
	}
}

// TestPacketTwice compares a packet pointer with the end of the packet twice, as the
// selftest test8_double_test_variant_1: Linux 7.3.4 removes what is after the second.
func TestPacketTwice(t *testing.T) {
	const jgeX, jgtX, ldx1 = 0x3d, 0x2d, 0x71
	var a progen.Asm
	a.Emit(ldx4, 2, 1, 76, 0)
	a.Emit(ldx4, 3, 1, 80, 0)
	a.Emit(movX, 0, 2, 0, 0)
	a.Emit(add, 0, 0, 0, 8)
	a.If(jgeX, 3, 0, 0, "good")
	a.If(jgtX, 0, 3, 0, "out")
	at := a.PC()
	a.Emit(ldx1, 0, 2, 0, 0)
	a.Label("out")
	a.Emit(mov, 0, 0, 0, 1)
	a.Emit(exit, 0, 0, 0, 0)
	a.Label("good")
	good := a.PC()
	a.Emit(ldx1, 0, 2, 0, 0)
	a.Emit(exit, 0, 0, 0, 0)
	p := a.Program("p")
	p.Type = "sched_cls"
	_, f := analyze(t, p, abstract.Verifier)
	if f.Reach(at) == cfg.Yes || f.Reach(good) != cfg.Yes {
		t.Errorf("behind the second test %v, where there is room %v", f.Reach(at), f.Reach(good))
	}
}

// TestGlobalPerhapsCalled has a call of a global function that the verifier may not
// see: it verifies those that it sees a call of (selftest arena_spin_lock).
func TestGlobalPerhapsCalled(t *testing.T) {
	const cpu = 8
	var a progen.Asm
	a.Func("main", false)
	a.Helper(cpu)
	a.If(jeq, 0, 0, 0, "out")
	a.Emit(movX, 1, 0, 0, 0)
	a.Call("global")
	a.Label("out")
	a.Emit(mov, 0, 0, 0, 0)
	a.Emit(exit, 0, 0, 0, 0)
	a.Func("global", true, "scalar")
	at := a.PC()
	a.Emit(movX, 0, 1, 0, 0)
	a.Emit(exit, 0, 0, 0, 0)
	_, f := analyze(t, a.Program("p"), abstract.Verifier)
	if got := f.Reach(at); got != cfg.Maybe {
		t.Errorf("a global function that is perhaps called is reached: %v", got)
	}
}
