package load

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
	"github.com/google/go-cmp/cmp"
)

// mapNamed returns a map of a program.
func mapNamed(t *testing.T, p *bytecode.Program, name string) bytecode.Map {
	t.Helper()
	for _, m := range p.Maps {
		if m.Name == name {
			return m
		}
	}
	t.Fatalf("%s: no map %q", p.Name, name)
	return bytecode.Map{}
}

// TestInner reads the definition of the maps in a map of maps.
func TestInner(t *testing.T) {
	m := mapNamed(t, program(t, loadFile(t, "testdata/inner.o"), "count"), "tables")
	want := &bytecode.Map{Name: "inner", Type: bytecode.MapArray, KeySize: 4, ValueSize: 8, MaxEntries: 5, NoKptrs: true}
	if diff := cmp.Diff(want, m.Inner); diff != "" || m.Type != bytecode.MapHashOfMaps {
		t.Errorf("type %d, inner map (-want +got):\n%s", m.Type, diff)
	}
}

// names renders the targets of code pointers as "offset function+slots".
func names(p *bytecode.Program, ptrs []bytecode.CodePointer) string {
	var res []string
	for _, c := range ptrs {
		where := "elsewhere"
		if s := p.SubprogAt(c.Target); s >= 0 {
			where = fmt.Sprintf("%s+%d", p.Subprogs[s].Name, c.Target-p.Subprogs[s].Start)
		}
		if c.Func {
			where = "&" + where
		}
		res = append(res, fmt.Sprintf("%d:%s", c.Off, where))
	}
	return strings.Join(res, " ")
}

// TestFunctionTables checks tables of functions against the initializers in the
// sources, and that functions only tables know are linked where an indirect
// call could reach them, and only there.
func TestFunctionTables(t *testing.T) {
	data := loadFile(t, "testdata/data.o")
	callx := loadFile(t, testenv.Path(t, "seed-callx/p3_table.o"))
	stack := loadFile(t, testenv.Path(t, "seed-callx/p2_context.o"))
	for _, c := range []struct {
		o         *Object
		prog, tab string
		want      string
		functions string
	}{
		{data, "call", ".data.rel.ro", "0:&two+0 8:&three+0 16:&two+0", "call one two three"},
		{data, "store", ".data", "8:&three+0", "store three two one"},
		{data, "use", ".data", "8:&elsewhere", "use"},
		{callx, "first", ".rodata", "0:&low+0 8:&mid+0 16:&low+0 24:&high+0 32:&spare+0 40:&low+0 48:&high+0",
			"first pick low mid high spare"},
		{callx, "second", ".rodata", "0:&low+0 8:&mid+0 16:&low+0 24:&high+0 32:&spare+0 40:&low+0 48:&high+0",
			"second pick low mid high spare"},
		{stack, "only_inc", ".rodata", "8:&inc+0", "only_inc run inc"},
	} {
		p := program(t, c.o, c.prog)
		if got := names(p, mapNamed(t, p, c.tab).Code); got != c.want {
			t.Errorf("%s: table is %s, want %s", c.prog, got, c.want)
		}
		var functions []string
		for _, s := range p.Subprogs {
			functions = append(functions, s.Name)
		}
		if got := strings.Join(functions, " "); got != c.functions {
			t.Errorf("%s: functions %s, want %s", c.prog, got, c.functions)
		}
	}
}

// TestLabelTables checks tables of labels in data. The slots are those of the
// labels in the disassembly of the object by llvm-objdump 22.
func TestLabelTables(t *testing.T) {
	o := loadFile(t, testenv.Path(t, "corpus/out/24_rodata_table.o"))
	for _, c := range []struct{ prog, tab, want string }{
		{"plain", ".rodata", "0:plain+10 8:plain+16 16:plain+12 24:plain+10 32:plain+14 " +
			"48:elsewhere 64:elsewhere 80:elsewhere 96:elsewhere"},
		{"pairs", ".rodata", "0:elsewhere 8:elsewhere 16:elsewhere 24:elsewhere 32:elsewhere " +
			"48:pairs+12 64:pairs+18 80:pairs+12 96:pairs+15"},
		{"writable", ".data", "0:writable+19 8:writable+21 16:writable+19"},
	} {
		p := program(t, o, c.prog)
		if got := names(p, mapNamed(t, p, c.tab).Code); got != c.want {
			t.Errorf("%s: %s, want %s", c.prog, got, c.want)
		}
	}
	p := program(t, o, "plain")
	want := []bytecode.DataSymbol{{Name: "plain.tab", Off: 0, Size: 40}, {Name: "pairs.tab", Off: 40, Size: 64}}
	if d := cmp.Diff(want, mapNamed(t, p, ".rodata").Symbols); d != "" {
		t.Error(d)
	}
}

// TestDataSections checks values, variables and constness against data.c.
func TestDataSections(t *testing.T) {
	p := program(t, loadFile(t, "testdata/data.o"), "use")
	for _, c := range []struct {
		name     string
		readOnly bool
		value    []byte
		symbols  string
	}{
		{".rodata", true, []byte{5, 0, 0, 0, 0, 0, 0, 0}, "limit+0"},
		{".rodata.conf", true, []byte{9, 0, 0, 0}, "mode+0"},
		{".data.custom", false, []byte{77, 0, 0, 0, 0, 0, 0, 0}, "custom+0"},
		{".bss", false, make([]byte, 40), "zeroed+0 hidden_counter+8"},
		{".bss.big", false, make([]byte, 512), "big_zero+0"},
	} {
		m := mapNamed(t, p, c.name)
		var symbols []string
		for _, s := range m.Symbols {
			symbols = append(symbols, fmt.Sprintf("%s+%d", s.Name, s.Off))
		}
		if m.ReadOnly != c.readOnly || !bytes.Equal(m.Value, c.value) || strings.Join(symbols, " ") != c.symbols {
			t.Errorf("%s: %+v, want %+v", c.name, m, c)
		}
	}
	if m := mapNamed(t, program(t, loadFile(t, "testdata/data.o"), "call"), ".data.rel.ro"); m.ReadOnly || !m.Const {
		t.Errorf("%+v", m)
	}
	for _, name := range []string{"hash", "array", "outer"} {
		if m := mapNamed(t, p, name); m.ReadOnly || m.Value != nil {
			t.Errorf("map %q: %+v", name, m)
		}
	}
}

// TestLegacyMaps checks maps against the structures in legacy.c.
func TestLegacyMaps(t *testing.T) {
	p := program(t, loadFile(t, "testdata/legacy.o"), "use")
	want := []bytecode.Map{
		{Name: "two_map", Type: 2, KeySize: 4, ValueSize: 16, MaxEntries: 3, NoKptrs: true},
		{Name: "one_map", Type: 1, KeySize: 4, ValueSize: 8, MaxEntries: 64, Flags: 1, NoKptrs: true},
	}
	if d := cmp.Diff(want, p.Maps); d != "" {
		t.Error(d)
	}
}

// TestKernelReferences checks what kernel.c refers to. The places in .kconfig are
// those in libbpf.txt.
func TestKernelReferences(t *testing.T) {
	o := loadFile(t, "testdata/kernel.o")
	got := map[string]string{}
	for _, p := range o.Programs {
		for _, r := range p.Refs {
			what := r.Name
			switch r.Kind {
			case bytecode.RefKfunc:
				what = "call " + r.Name
			case bytecode.RefKsym:
				what = fmt.Sprintf("address %s src %d", r.Name, p.Insns[r.PC].Src)
			case bytecode.RefMapValue:
				what = fmt.Sprintf("%s+%d", p.Maps[r.Index].Name, r.Off)
			}
			got[p.Name] += what + "\n"
		}
		for _, r := range p.Relocs {
			got[p.Name] += r.Note() + "\n"
		}
	}
	want := map[string]string{
		"types": "call bpf_task_acquire\ncall bpf_task_release\n" +
			"address no_such_function src 0\ncall no_such_function\n" +
			"CO-RE relocation: byte offset of struct task_struct.pid, unknown until load\n" +
			"weak symbol: no_such_function, unknown until load\nweak symbol: no_such_function, unknown until load\n" +
			"CO-RE relocation: value of enum kind.KIND_B, unknown until load\n" +
			"CO-RE relocation: existence of struct task_struct, unknown until load\n",
		"values": "address no_such_symbol src 0\n.kconfig+0\n.kconfig+16\n.kconfig+8\n.kconfig+17\n.kconfig+12\n" +
			"address cpu_number src 3\n" +
			"weak symbol: no_such_symbol, unknown until load\nweak symbol: cpu_number, unknown until load\n",
		"again": ".kconfig+16\n",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	m := mapNamed(t, program(t, o, "again"), ".kconfig")
	if m.Value != nil || !m.ReadOnly {
		t.Errorf(".kconfig has a known value or can change: %+v", m)
	}
}

// TestException checks that the exception callback is marked.
func TestException(t *testing.T) {
	o := loadFile(t, "testdata/exception.o")
	for name, want := range map[string]string{"thrower": "on_throw", "plain": ""} {
		got := ""
		for _, s := range program(t, o, name).Subprogs {
			if s.Exception {
				got += s.Name
			}
		}
		if got != want {
			t.Errorf("%s: exception callback %q, want %q", name, got, want)
		}
	}
}
