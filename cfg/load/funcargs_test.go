package load

import (
	"testing"

	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
	"github.com/google/go-cmp/cmp"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/testing/wellformed"
)

// TestDescribe describes parameters by BTF of cilium/ebpf. The kinds are those of
// btf_prepare_func_args in Linux 7.3.
func TestDescribe(t *testing.T) {
	u32 := &btf.Int{Name: "u32", Size: 4}
	fn := func(params ...btf.Type) *btf.Func {
		proto := &btf.FuncProto{Return: u32}
		for _, p := range params {
			proto.Params = append(proto.Params, btf.FuncParam{Name: "p", Type: p})
		}
		return &btf.Func{Name: "f", Type: proto, Linkage: btf.GlobalFunc}
	}
	pair := &btf.Struct{Name: "pair", Size: 16}
	context := &btf.Struct{Name: "xdp_md", Size: 24}
	tagged := func(to btf.Type, tags ...string) *btf.Func {
		f := fn(&btf.Pointer{Target: to})
		f.ParamTags = [][]string{tags}
		return f
	}
	task := &btf.Struct{Name: "task_struct___mine", Size: 16}
	for _, c := range []struct {
		fn   *btf.Func
		typ  string
		want []string
	}{
		{fn(), "xdp", []string{}},
		{fn(u32, &btf.Pointer{Target: pair}), "xdp", []string{"scalar", "mem:16"}},
		{fn(&btf.Pointer{Target: context}), "xdp", []string{"ctx"}},
		{fn(&btf.Pointer{Target: context}), "sched_cls", []string{"mem:24"}},
		{fn(pair), "xdp", []string{"other"}},
		{tagged(pair, "arg:nonnull"), "xdp", []string{"nonnull:16"}},
		{tagged(task, "arg:trusted"), "xdp", []string{"trusted:task_struct"}},
		{tagged(task, "arg:nullable", "arg:trusted"), "xdp", []string{"trusted-or-null:task_struct"}},
		{tagged(task, "arg:untrusted"), "xdp", []string{"untrusted:task_struct"}},
		{tagged(u32, "arg:untrusted"), "xdp", []string{"untrusted:"}},
		{tagged(u32, "arg:arena"), "xdp", []string{"arena"}},
		{tagged(&btf.Const{Type: &btf.TypeTag{Type: u32, Value: "arena"}}), "xdp", []string{"arena"}},
		{tagged(&btf.TypeTag{Type: u32, Value: "user"}), "xdp", []string{"mem:4"}},
	} {
		s := bytecode.Subprogram{Global: true}
		err := Describe(&s, c.fn, c.typ)
		if err != nil || cmp.Diff(c.want, s.Args) != "" || s.Params != len(c.want) || s.Result != "int" {
			t.Errorf("%v for %s: %+v %v, want %q", c.fn, c.typ, s, err, c.want)
		}
	}
	for _, odd := range []*btf.Func{{Name: "f"}, {Name: "f", Type: u32}, {}} {
		s := bytecode.Subprogram{Global: true}
		if err := Describe(&s, odd, "xdp"); err == nil && s.Args != nil {
			t.Errorf("%v: %q", odd, s.Args)
		}
	}
}

// TestFromAsmOdd gives instructions with odd annotations: an error or a program.
func TestFromAsmOdd(t *testing.T) {
	for _, in := range []asm.Instruction{
		btf.WithFuncMetadata(asm.Mov.Imm(asm.R0, 0), &btf.Func{}),
		asm.Mov.Imm(asm.R0, 0).WithReference("nowhere"),
		asm.LoadImm(asm.R1, -1, asm.DWord).WithReference("ksym"),
		asm.Call.Label("f"),
		asm.Ja.Label(""),
	} {
		p, err := FromAsm(asm.Instructions{in.WithSymbol("f"), asm.Return()})
		if (p == nil) == (err == nil) {
			t.Errorf("%v: %v, %v", in, p, err)
		}
		if err == nil {
			if err := wellformed.Check(p); err != nil {
				t.Errorf("%v: %v", in, err)
			}
		}
	}
}
