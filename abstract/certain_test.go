package abstract_test

import (
	"testing"

	"github.com/bpfcfg/bpfcfg/abstract"
	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/internal/testing/progen"
)

// ways emits n ways that meet: the i-th sets r3 to i and r4 to what set does.
func ways(a *progen.Asm, n int, set func(i int)) {
	a.Emit(ldx, 2, 1, 0, 0)
	for i := range n {
		a.If(jeq, 2, 0, int32(i), name("way", i))
	}
	a.Emit(mov, 3, 0, 0, int32(n))
	set(n)
	a.Jump("meet")
	for i := range n {
		a.Label(name("way", i))
		a.Emit(mov, 3, 0, 0, int32(i))
		set(i)
		a.Jump("meet")
	}
	a.Label("meet")
}

func name(prefix string, i int) string {
	return prefix + string(rune('A'+i/26)) + string(rune('A'+i%26))
}

// TestCertain checks the answer for an instruction: whether the verifier gets
// there for certain.
func TestCertain(t *testing.T) {
	tests := []struct {
		name  string
		build func(a *progen.Asm) // "at" is what is asked about
		want  cfg.Truth
	}{
		{"few ways, kept apart", func(a *progen.Asm) {
			ways(a, 3, func(i int) { a.Emit(mov, 4, 0, 0, int32(i%2)) })
			a.If(jeq, 3, 0, 1, "odd")
			a.Jump("out")
			a.Label("odd")
			a.If(jne, 4, 0, 1, "at") // never: r4 is 1 where r3 is
		}, cfg.No},
		{"many ways, joined", func(a *progen.Asm) {
			ways(a, 200, func(i int) { a.Emit(mov, 4, 0, 0, int32(i)) })
			a.If(jeq, 3, 0, 33, "odd")
			a.Jump("out")
			a.Label("odd")
			a.If(jne, 4, 0, 33, "at")
		}, cfg.Maybe},
		{"many ways, one way on", func(a *progen.Asm) {
			ways(a, 200, func(i int) { a.Emit(mov, 4, 0, 0, int32(i)) })
			a.Jump("at")
		}, cfg.Yes},
		{"behind a branch that is not certain", func(a *progen.Asm) {
			ways(a, 200, func(i int) { a.Emit(mov, 4, 0, 0, int32(i)) })
			a.If(jeq, 3, 0, 33, "odd")
			a.Jump("meet2")
			a.Label("odd")
			a.If(jne, 4, 0, 33, "meet2")
			a.Emit(mov, 5, 0, 0, 1)
			a.Label("meet2")
			a.Jump("at")
		}, cfg.Yes},
		{"behind a long loop that its counter bounds", func(a *progen.Asm) {
			a.Emit(mov, 3, 0, 0, 0)
			a.Label("loop")
			a.Emit(add, 3, 0, 0, 1)
			a.If(jne, 3, 0, 200_000, "loop")
			a.If(jgt, 3, 0, 200_000, "at")
		}, cfg.No},
	}
	for _, tt := range tests {
		var a progen.Asm
		tt.build(&a)
		a.Label("out")
		a.Emit(mov, 0, 0, 0, 0)
		a.Emit(exit, 0, 0, 0, 0)
		a.Label("at")
		at := a.PC()
		a.Emit(mov, 0, 0, 0, 1)
		a.Emit(exit, 0, 0, 0, 0)
		_, f := analyze(t, a.Program("p"), abstract.Verifier)
		if got := f.Reach(at); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}
