package target

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/cilium/ebpf/btf"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/load"
)

// kernelTypes makes the types of a kernel of its own: where task_struct has its
// fields, and what else it has.
func kernelTypes(t *testing.T, types ...btf.Type) []byte {
	t.Helper()
	b := btf.Builder{}
	for _, typ := range types {
		if _, err := b.Add(typ); err != nil {
			t.Fatal(err)
		}
	}
	data, err := b.Marshal(nil, &btf.MarshalOptions{Order: binary.LittleEndian})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func objectFile(t *testing.T, name string) *load.Object {
	t.Helper()
	data, err := os.ReadFile("../testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	o, err := load.ELF(name, data)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// made returns the instructions of a program for a kernel with these types.
func made(t *testing.T, o *load.Object, prog string, types ...btf.Type) *bytecode.Program {
	t.Helper()
	k, err := Read("vmlinux", kernelTypes(t, types...))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range k.Apply(o).Programs {
		if p.Name == prog {
			return p
		}
	}
	t.Fatalf("no program %q", prog)
	return nil
}

// TestApply checks relocations against a kernel whose structures are laid out
// here. What is poisoned is what libbpf makes of it: call 0xbad2310.
func TestApply(t *testing.T) {
	o := objectFile(t, "pending.o")
	long := &btf.Int{Name: "long int", Size: 8, Encoding: btf.Signed}
	num := &btf.Int{Name: "int", Size: 4, Encoding: btf.Signed}
	task := &btf.Struct{Name: "task_struct", Size: 96, Members: []btf.Member{
		{Name: "pid", Type: num, Offset: 8 * 16}, {Name: "state", Type: long, Offset: 8 * 80}}}
	funcs := &btf.Enum{Name: "funcs", Size: 4, Values: []btf.EnumValue{{Name: "FUNC_LOOP", Value: 200}}}
	tests := []struct {
		prog, want string
	}{
		{"field", "r1 = 0"}, {"type", "r1 = 0"}, {"size", "r1 = 8"}, {"place", "r1 = 80"}, {"value", "r1 = 0xc8"},
	}
	for _, tt := range tests {
		p := made(t, o, tt.prog, task, funcs)
		if got := p.Text(0); got != tt.want || p.Relocs[0].State != bytecode.RelocApplied {
			t.Errorf("%s: %s, %+v, want %s", tt.prog, got, p.Relocs[0], tt.want)
		}
	}
	p := made(t, o, "stack", task, funcs)
	if p.Text(3) != "*(u32 *)(r1 +16) = 1" || p.Text(4) != "*(u64 *)(r1 +80) = 2" {
		t.Errorf("%s, %s", p.Text(3), p.Text(4))
	}
	p = made(t, o, "stack", &btf.Struct{Name: "task_struct", Size: 4, Members: []btf.Member{{Name: "pid", Type: num}}})
	if p.Insns[4] != (bytecode.Insn{Code: 0x85, Imm: 0xbad2310}) || p.Relocs[1].State != bytecode.RelocPoisoned {
		t.Errorf("%s, %+v", p.Text(4), p.Relocs)
	}
	if p.PendingAt(3) != 0 || o.Programs[5].PendingAt(3) == 0 {
		t.Error("the object was changed, or nothing was")
	}
}

// TestResize checks that a load follows an unsigned field that has another size,
// and is poisoned when the field is signed.
func TestResize(t *testing.T) {
	in := bytecode.Insn{Code: 0x61, Dst: 1, Src: 1}
	q := request{kind: coreByteOffset, typ: 1, path: "0:0"}
	for _, tt := range []struct {
		from, to, sign uint64
		code           uint8
		ok             bool
	}{{4, 8, 0, 0x79, true}, {4, 2, 0, 0x69, true}, {4, 4, 1, 0x61, true}, {4, 8, 1, 0x61, false}, {16, 8, 0, 0x61, true}} {
		got := in
		ok, err := resize(&got, q, map[request]answer{q.with(coreByteSize): {local: tt.from, target: tt.to},
			q.with(coreSigned): {local: tt.sign, target: tt.sign}})
		if err != nil || ok != tt.ok || got.Code != tt.code {
			t.Errorf("%+v: %#x %t %v", tt, got.Code, ok, err)
		}
	}
}

// TestSymbols checks kernel functions and variables: a weak one that is missing
// is poisoned or zero, one that must exist makes the program fail.
func TestSymbols(t *testing.T) {
	o := objectFile(t, "kernel.o")
	k, err := Read("vmlinux", kernelTypes(t, taskFunction("bpf_task_acquire", true), taskFunction("bpf_task_release", false)))
	if err != nil {
		t.Fatal(err)
	}
	out := k.Apply(o)
	if len(out.Failed) > 0 {
		t.Fatal(out.Failed)
	}
	poisoned := 0
	for _, r := range out.Programs[0].Relocs {
		if r.Kind == bytecode.RelocWeak && r.State == bytecode.RelocPoisoned {
			poisoned++
		}
	}
	if p := out.Programs[0]; poisoned != 2 || p.Insns[1].Imm == 0 {
		t.Errorf("%d poisoned, %+v", poisoned, p.Relocs)
	}
	for _, c := range []struct {
		types []btf.Type
		want  error
	}{
		{[]btf.Type{taskFunction("bpf_task_acquire", true)}, errMissing},
		{[]btf.Type{taskFunction("bpf_task_acquire", false), taskFunction("bpf_task_release", false)}, errOther},
	} {
		if k, err = Read("vmlinux", kernelTypes(t, c.types...)); err != nil {
			t.Fatal(err)
		}
		if out = k.Apply(o); len(out.Failed) != 1 || !errors.Is(out.Failed[0].Err, c.want) {
			t.Errorf("%+v, want %v", out.Failed, c.want)
		}
	}
}

// taskFunction makes a kernel function that takes a task, and returns one or nothing.
func taskFunction(name string, returns bool) btf.Type {
	task := &btf.Pointer{Target: &btf.Struct{Name: "task_struct", Size: 8}}
	proto := &btf.FuncProto{Return: (*btf.Void)(nil), Params: []btf.FuncParam{{Name: "p", Type: task}}}
	if returns {
		proto.Return = task
	}
	return &btf.Func{Name: name, Type: proto, Linkage: btf.StaticFunc}
}

// TestFlavours states that a function is found by its name without the flavour, and by
// its prototype: of testdata/flavour.c, only bpf_task_acquire___one is there
// (bpf_object__resolve_ksym_func_btf_id in tools/lib/bpf/libbpf.c).
func TestFlavours(t *testing.T) {
	p := made(t, objectFile(t, "flavour.o"), "flavour", taskFunction("bpf_task_acquire", true),
		taskFunction("bpf_task_release", false))
	have := map[string]bytecode.RelocState{}
	for _, r := range p.Relocs {
		have[strings.TrimPrefix(r.Text, "weak symbol: ")] = r.State
	}
	for name, want := range map[string]bytecode.RelocState{"bpf_task_acquire___one": bytecode.RelocApplied,
		"bpf_task_acquire___void": bytecode.RelocPoisoned, "bpf_task_gain___one": bytecode.RelocPoisoned} {
		if got, ok := have[name]; !ok || got != want {
			t.Errorf("%s: %v, want %v; all: %v", name, got, want, have)
		}
	}
	for _, r := range p.Refs {
		if strings.Contains(r.Name, "___") {
			t.Errorf("slot %d refers to %q, which is no function of the kernel", r.PC, r.Name)
		}
	}
}

// TestConfig checks values of .kconfig against a configuration file.
func TestConfig(t *testing.T) {
	o := objectFile(t, "kernel.o")
	k, err := Read("vmlinux", kernelTypes(t, &btf.Int{Name: "int", Size: 4}))
	if err != nil {
		t.Fatal(err)
	}
	c, err := ReadConfig("config", []byte("#\n# Linux/x86 7.3.4 Kernel Configuration\n#\nCONFIG_HZ=250\nCONFIG_SMP=y\n"+
		"CONFIG_DEFAULT_HOSTNAME=\"(none)\"\nCONFIG_ILLEGAL_POINTER_VALUE=0xdead000000000000\n"))
	if err != nil {
		t.Fatal(err)
	}
	k.SetConfig(c)
	var got bytecode.Map
	for _, p := range k.Apply(o).Programs {
		for _, m := range p.Maps {
			if m.Name == ".kconfig" {
				got = m
			}
		}
	}
	want := map[string]string{"CONFIG_HZ": "\xfa\x00\x00\x00", "CONFIG_SMP": "\x01", "LINUX_KERNEL_VERSION": "\x04\x03\x07\x00",
		"CONFIG_DEFAULT_HOSTNAME":      "(none)\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
		"CONFIG_ILLEGAL_POINTER_VALUE": "\x00\x00\x00\x00\x00\x00\xad\xde"}
	for _, s := range got.Symbols {
		if v := string(got.Value[s.Off : s.Off+s.Size]); v != want[s.Name] {
			t.Errorf("%s: %q, want %q", s.Name, v, want[s.Name])
		}
	}
	if len(got.Symbols) != len(want) || len(got.Unknown) != 0 {
		t.Errorf("%+v", got)
	}
}

// TestReadErrors checks files that hold no types and no configuration.
func TestReadErrors(t *testing.T) {
	for _, data := range []string{"", "x", "\x7fELF", "\x9f\xeb\x01\x00\xff\xff\xff\xff", strings.Repeat("\x9f\xeb", 40)} {
		k, err := Read("f", []byte(data))
		if err == nil || !strings.HasPrefix(err.Error(), "f: not the types of a kernel: ") {
			t.Errorf("%q: %v, %v", data, k, err)
		}
	}
	for _, data := range [][]byte{nil, []byte("hello\n"), {0x1f, 0x8b, 0}, bytes.Repeat([]byte("#\n"), 10)} {
		if _, err := ReadConfig("f", data); err == nil {
			t.Errorf("%q is taken for a configuration", data)
		}
	}
}

// TestFixupText checks that the text of a fixup, which read takes apart, is still
// what the library writes.
func TestFixupText(t *testing.T) {
	if _, err := read(&btf.COREFixup{}); err != nil {
		t.Error(err)
	}
}

// TestMembers states that a struct_ops has the kernel's number of its member, which is
// another than the object's where the structure has grown.
func TestMembers(t *testing.T) {
	number := &btf.Int{Name: "int", Size: 4, Encoding: btf.Signed}
	ops := &btf.Struct{Name: "tcp_congestion_ops", Size: 32}
	for i, name := range []string{"flags", "undo_cwnd", "cong_avoid", "ssthresh"} {
		ops.Members = append(ops.Members, btf.Member{Name: name, Type: number, Offset: btf.Bits(64 * i)})
	}
	o := objectFile(t, "../../../testdata/graph/ops.o")
	for name, want := range map[string]uint32{"half_ssthresh": 3, "half_avoid": 2, "half_undo": 1, "route": 0} {
		if p := made(t, o, name, number, ops); p.AttachType != want {
			t.Errorf("%s: member %d, want %d", name, p.AttachType, want)
		}
		if p := made(t, o, name, number); name == "half_undo" && p.AttachType != 2 {
			t.Errorf("%s: member %d without the structure, want the object's own", name, p.AttachType)
		}
	}
}
