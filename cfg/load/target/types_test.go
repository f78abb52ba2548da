package target

import (
	"testing"

	"github.com/cilium/ebpf/btf"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// TestTypes checks arguments and members as Linux 7.3 treats them: a tracepoint's
// arguments are there, fentry's may be freed; what is behind a trusted pointer is
// trusted where the kernel lists it or tags it.
func TestTypes(t *testing.T) {
	long := &btf.Int{Name: "long", Size: 8}
	inner := &btf.Struct{Name: "css_set", Size: 8, Members: []btf.Member{{Name: "n", Type: long}}}
	tagged := &btf.Pointer{Target: &btf.TypeTag{Type: inner, Value: "rcu"}}
	task := &btf.Struct{Name: "task_struct", Size: 48}
	task.Members = []btf.Member{
		{Name: "pid", Type: long, Offset: 0},
		{Name: "cgroups", Type: tagged, Offset: 64},
		{Name: "parent", Type: &btf.Pointer{Target: task}, Offset: 128},
		{Name: "leader", Type: &btf.Pointer{Target: task}, Offset: 192},
		{Name: "list", Type: &btf.Array{Type: long, Index: long, Nelems: 2}, Offset: 256},
	}
	safe := &btf.Struct{Name: "task_struct__safe_rcu", Size: 8,
		Members: []btf.Member{{Name: "leader", Type: &btf.Pointer{Target: task}}}}
	arg := &btf.FuncProto{Return: &btf.Pointer{Target: task}, Params: []btf.FuncParam{
		{Name: "n", Type: long}, {Name: "task", Type: &btf.Pointer{Target: task}},
	}}
	raw := &btf.FuncProto{Return: &btf.Void{}, Params: append([]btf.FuncParam{
		{Type: &btf.Pointer{Target: &btf.Void{}}}}, arg.Params...)}
	k, err := Read("vmlinux", kernelTypes(t, task, safe,
		&btf.Func{Name: "f", Type: arg, Linkage: btf.StaticFunc},
		&btf.Typedef{Name: "btf_trace_f", Type: &btf.Pointer{Target: raw}}))
	if err != nil {
		t.Fatal(err)
	}
	types := k.Types()
	fexit := &bytecode.Program{Type: "tracing", AttachType: attachFexit, AttachTo: "f"}
	rawTP := &bytecode.Program{Type: "tracing", AttachType: attachRawTP, AttachTo: "btf_trace_f"}
	const object, trusted, rcu = bytecode.PointerObject, bytecode.PointerTrusted, bytecode.PointerRCU
	for _, c := range []struct {
		p    *bytecode.Program
		off  int64
		want bytecode.PointerKind
	}{
		{fexit, 0, bytecode.PointerNumber}, {fexit, 8, object}, {fexit, 16, object}, {fexit, 24, bytecode.PointerUnknown},
		{rawTP, 0, bytecode.PointerNumber}, {rawTP, 8, trusted}, {rawTP, 16, bytecode.PointerUnknown},
	} {
		if got := types.Argument(c.p, c.off, 8); got.Kind != c.want || got.Null {
			t.Errorf("argument at %d of attach type %d: %+v, want kind %d", c.off, c.p.AttachType, got, c.want)
		}
	}
	sleeps := *rawTP
	sleeps.Flags = bytecode.SleepableFlag
	for _, c := range []struct {
		p    *bytecode.Program
		base bytecode.PointerKind
		off  int64
		want bytecode.PointerKind
		null bool
	}{
		{rawTP, trusted, 0, bytecode.PointerNumber, false}, {rawTP, trusted, 40, bytecode.PointerNumber, false},
		{rawTP, trusted, 8, rcu, true}, {rawTP, trusted, 16, object, false}, {rawTP, trusted, 24, rcu, false},
		{&sleeps, trusted, 8, object, false}, {rawTP, object, 8, object, false},
	} {
		got := types.Member(c.p, bytecode.Pointer{Kind: c.base, Type: types.Struct("task_struct")}, c.off, 8)
		if got.Kind != c.want || got.Null != c.null {
			t.Errorf("member at %d behind kind %d: %+v, want kind %d, null %v", c.off, c.base, got, c.want, c.null)
		}
	}
}
