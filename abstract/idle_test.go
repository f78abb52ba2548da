package abstract

import (
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/testing/progen"
)

// TestPerhapsPointer stores through a register that perhaps points to slot 3 of the frame: one of two
// paths has put another pointer into the slot that it is loaded from, or a function may have that
// is called back. So the slot is read after the store. A pointer that nothing else can have
// replaced overwrites it.
func TestPerhapsPointer(t *testing.T) {
	for name, between := range map[string]func(a *progen.Asm){
		"join": func(a *progen.Asm) {
			a.If(0x15, 6, 0, 0, "join") // if r6 == 0
			a.Emit(0x7b, 10, 1, -8, 0)  // *(u64 *)(r10 - 8) = r1
			a.Label("join")
		},
		"callback": func(a *progen.Asm) {
			a.Emit(0xb7, 1, 0, 0, 4)
			a.FuncAddr(2, "back")
			a.Emit(0xbf, 3, 10, 0, 0)
			a.Emit(0x07, 3, 0, 0, -8) // its context: r10 - 8
			a.Emit(0xb7, 4, 0, 0, 0)
			a.Helper(181) // bpf_loop
		},
		"nothing": func(*progen.Asm) {},
	} {
		var a progen.Asm
		a.Func("main", false)
		a.Emit(0x79, 6, 1, 0, 0)   // r6 = *(u64 *)(r1 + 0)
		a.Emit(0xbf, 2, 10, 0, 0)  // r2 = r10
		a.Emit(0x07, 2, 0, 0, -24) // r2 += -24
		a.Emit(0x7b, 10, 2, -8, 0) // *(u64 *)(r10 - 8) = r2
		between(&a)
		a.Emit(0x79, 3, 10, -8, 0) // r3 = *(u64 *)(r10 - 8)
		store := a.PC()
		a.Emit(0x7a, 3, 0, 0, 0) // *(u64 *)(r3 + 0) = 0
		a.Emit(0x79, 0, 10, -24, 0)
		a.Emit(bytecode.CodeExit, 0, 0, 0, 0)
		a.Func("back", false)
		a.Emit(0xb7, 0, 0, 0, 0)
		a.Emit(bytecode.CodeExit, 0, 0, 0, 0)
		g, err := cfg.Build(a.Program("perhaps"), nil)
		if err != nil {
			t.Fatal(err)
		}
		if idle := idleSlots(g)[store]>>2&1 != 0; idle != (name == "nothing") {
			t.Errorf("%s: the slot is idle before the store: %v", name, idle)
		}
	}
}

// TestIdle is TestWalkAll for programs in which slots of the stack are read, or not, in many ways.
func TestIdle(t *testing.T) {
	compared, shorter := 0, 0
	for seed := range uint64(500) {
		if whole, less := compareWalks(t, progen.Idle(seed), seed); whole {
			if compared++; less {
				shorter++
			}
		}
	}
	if compared < 200 || shorter < 150 {
		t.Error("the programs do not try it")
	}
	t.Logf("%d programs compared, the walk of %d was shorter", compared, shorter)
}

// TestManyPointers puts pointers to slot 9 into more slots than are followed, one after the other or on
// two paths that meet. By hand: a load through any of them reads slot 9, so that is not idle before.
func TestManyPointers(t *testing.T) {
	for n := range 12 {
		name, last := "in a row", int16(1+n%6)
		if n >= 6 {
			name = "on two paths"
		}
		var a progen.Asm
		a.Func("main", false)
		a.Emit(0x79, 6, 1, 0, 0)    // r6 = *(u64 *)(r1 + 0)
		a.Emit(0x7a, 10, 0, -72, 0) // *(u64 *)(r10 - 72) = 0
		a.Emit(0xbf, 2, 10, 0, 0)   // r2 = r10
		a.Emit(0x07, 2, 0, 0, -72)  // r2 += -72
		for slot := int16(1); slot <= 6; slot++ {
			if slot == 4 && name == "on two paths" {
				a.Jump("join")
				a.Label("other")
			}
			if slot == 1 && name == "on two paths" {
				a.If(0x15, 6, 0, 0, "other") // if r6 == 0
			}
			a.Emit(0x7b, 10, 2, -8*slot, 0) // *(u64 *)(r10 - 8 * slot) = r2
		}
		a.Label("join")
		a.Emit(0x79, 3, 10, -8*last, 0) // r3 = *(u64 *)(r10 - 8 * last)
		load := a.PC()
		a.Emit(0x79, 0, 3, 0, 0) // r0 = *(u64 *)(r3 + 0)
		a.Emit(bytecode.CodeExit, 0, 0, 0, 0)
		g, err := cfg.Build(a.Program("many"), nil)
		if err != nil {
			t.Fatal(err)
		}
		if idleSlots(g)[load]>>8&1 != 0 {
			t.Errorf("%s, slot %d: slot 9 is idle before the load", name, last)
		}
	}
}
