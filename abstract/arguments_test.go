package abstract_test

import (
	"testing"

	"github.com/bpfcfg/bpfcfg/abstract"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/testing/progen"
)

// TestArguments checks what functions read through the arguments that the verifier
// makes for them: of Linux 7.3, btf_prepare_func_args and the set_…_callback_state
// functions. In 7.3.4's code of the selftests test_global_func_args,
// verifier_global_ptr_args, for_each_hash_map_elem, find_vma, rbtree and timer the
// loads stay or become loads that may fault as here.
func TestArguments(t *testing.T) {
	const findVMA, forEach, setCallback = 180, 164, 170
	hash := bytecode.Map{Name: "hash", Type: bytecode.MapHash, KeySize: 4, ValueSize: 16, MaxEntries: 2}
	helper := func(n int32, callback, with bytecode.Reg) func(a *progen.Asm) {
		return func(a *progen.Asm) {
			a.MapAddr(1, a.Map(hash))
			a.Emit(mov, 2, 0, 0, 0)
			a.FuncAddr(callback, "f")
			a.Emit(mov, with, 0, 0, 0)
			a.Emit(mov, 5, 0, 0, 0)
			a.Helper(n)
		}
	}
	call := func(a *progen.Asm) { a.Call("f") }
	tests := []struct {
		name string
		by   func(a *progen.Asm)
		args []string // of a global function
		reg  bytecode.Reg
		want abstract.Memory
	}{
		{"memory", call, []string{"mem:8"}, 1, abstract.MemPlain},
		{"memory that is there", call, []string{"nonnull:8"}, 1, abstract.MemPlain},
		{"trusted", call, []string{"trusted:task_struct"}, 1, abstract.MemTrusted},
		{"trusted or null", call, []string{"trusted-or-null:task_struct"}, 1, abstract.MemTrusted},
		{"untrusted", call, []string{"untrusted:task_struct"}, 1, abstract.MemObject},
		{"untrusted memory", call, []string{"untrusted:"}, 1, abstract.MemObject},
		{"not known", call, []string{"other"}, 1, abstract.MemUnknown},
		{"key of an element", helper(forEach, 2, 3), nil, 2, abstract.MemPlain},
		{"vma", helper(findVMA, 3, 4), nil, 2, abstract.MemObject},
		{"key for a timer", helper(setCallback, 2, 3), nil, 2, abstract.MemPlain},
		{"value for a timer", helper(setCallback, 2, 3), nil, 3, abstract.MemPlain},
		{"node of a tree", func(a *progen.Asm) {
			a.Emit(mov, 1, 0, 0, 0)
			a.Emit(mov, 2, 0, 0, 0)
			a.FuncAddr(3, "f")
			a.Kfunc("bpf_rbtree_add")
		}, nil, 2, abstract.MemTrusted},
	}
	for _, tt := range tests {
		var a progen.Asm
		a.Func("main", false)
		tt.by(&a)
		a.Emit(mov, 0, 0, 0, 0)
		a.Emit(exit, 0, 0, 0, 0)
		a.Func("f", tt.args != nil, tt.args...)
		a.If(jeq, tt.reg, 0, 0, "null")
		at := a.PC()
		a.Emit(ldx4, 0, tt.reg, 0, 0)
		a.Label("null")
		a.Emit(mov, 0, 0, 0, 0)
		a.Emit(exit, 0, 0, 0, 0)
		_, f := analyze(t, a.Program("p"), abstract.Verifier)
		got := abstract.MemUnknown
		for _, u := range f.Uses() {
			if u.PC == at {
				got = u.To
			}
		}
		if got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
}
