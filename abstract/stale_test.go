package abstract

import (
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/testing/progen"
)

// TestStaleLinks ends a link in several ways after a constant was added, and makes a new one.
// Linux 6.18.15, 6.19.14 and 7.0.13 take r4 for 24 then and follow that way alone; 6.12.117, 7.1.13 and
// 7.3.4 know that it is 28.
func TestStaleLinks(t *testing.T) {
	copied := func(a *progen.Asm) {
		a.Emit(0x61, 2, 1, 0, 0)
		a.Emit(0xbf, 3, 2, 0, 0)
		a.Emit(0x07, 3, 0, 0, 4)
	}
	branch := func(a *progen.Asm) {
		a.Emit(0x61, 5, 1, 4, 0)
		a.If(0x15, 5, 0, 1, "join")
		a.Emit(0xb7, 5, 0, 0, 2)
		a.Label("join")
	}
	for name, body := range map[string]func(a *progen.Asm){
		"a sum": func(a *progen.Asm) {
			copied(a)
			a.Emit(0x61, 5, 1, 4, 0)
			a.Emit(0x0f, 3, 5, 0, 0)
		},
		"a mask": func(a *progen.Asm) {
			copied(a)
			a.Emit(0x57, 3, 0, 0, 63)
		},
		"a shift": func(a *progen.Asm) {
			copied(a)
			a.Emit(0x77, 3, 0, 0, 1)
		},
		"a mask in another block": func(a *progen.Asm) {
			copied(a)
			branch(a)
			a.Emit(0x57, 3, 0, 0, 63)
		},
		"a mask in another block, alone": func(a *progen.Asm) {
			copied(a)
			a.Emit(0xb7, 2, 0, 0, 0)
			branch(a)
			a.Emit(0x57, 3, 0, 0, 63)
		},
	} {
		for _, kept := range []bool{false, true} {
			var a progen.Asm
			body(&a)
			a.Emit(0xbf, 4, 3, 0, 0)
			a.Emit(0x07, 4, 0, 0, 8)
			a.If(0x55, 3, 0, 20, "out")
			a.If(0x55, 4, 0, 24, "right")
			wrong := a.PC()
			leave(&a, 1)
			a.Label("right")
			right := a.PC()
			leave(&a, 2)
			a.Label("out")
			leave(&a, 0)
			_, f := fixpointOf(t, a.Program("links"), Options{Rules: Verifier, Quirks: Quirks{StaleLinks: kept}})
			got := [2]cfg.Truth{f.Reach(wrong), f.Reach(right)}
			if kept && (got[0] == cfg.No || got[1] == cfg.Yes) || !kept && got != [2]cfg.Truth{cfg.No, cfg.Yes} {
				t.Errorf("%s, kept %v: r4 is 24 %v, 28 %v", name, kept, got[0], got[1])
			}
			if !f.UsedQuirks().StaleLinks {
				t.Errorf("%s, kept %v: makes no difference", name, kept)
			}
		}
	}
}

// leave ends a program with a number.
func leave(a *progen.Asm, n int32) {
	a.Emit(0xb7, 0, 0, 0, n)
	a.Emit(bytecode.CodeExit, 0, 0, 0, 0)
}
