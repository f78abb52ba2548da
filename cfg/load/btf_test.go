package load

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
	"github.com/cilium/ebpf/btf"
	"github.com/google/go-cmp/cmp"
)

// TestBTFAgainstCilium compares every type, function, line and CO-RE relocation
// of all objects with what cilium/ebpf reads from them.
func TestBTFAgainstCilium(t *testing.T) {
	own, err := filepath.Glob("testdata/*.o")
	if err != nil {
		t.Fatal(err)
	}
	types := 0
	for _, path := range append(own, testenv.Glob(t, "corpus/*/*.o")...) {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		spec, ext, err := btf.LoadSpecAndExtInfosFromReader(bytes.NewReader(data))
		if errors.Is(err, btf.ErrNotFound) || strings.Contains(path, "testdata/kernel.") {
			continue // cilium knows no kernel variables without type
		} else if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		f, err := parseELF(data)
		if err != nil {
			t.Fatal(err)
		}
		o, err := newObject(path, f, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if o.types == nil || o.ext == nil {
			t.Errorf("%s: no types: %v", path, o.diags)
			continue
		}
		for id := 1; id < len(o.types.start); id++ {
			compareType(t, path, o.types, uint32(id), spec)
			types++
		}
		if typ, err := spec.TypeByID(btf.TypeID(len(o.types.start))); err == nil {
			t.Errorf("%s: type %v is missing", path, typ)
		}
		for i := range f.sections {
			compareExt(t, path, o, i, ext)
		}
	}
	if types < 1000 {
		t.Errorf("only %d types compared", types)
	}
}

// compareType compares name, size and members of one type.
func compareType(t *testing.T, path string, b *btfTypes, id uint32, spec *btf.Spec) {
	t.Helper()
	want, err := spec.TypeByID(btf.TypeID(id))
	if err != nil {
		t.Fatal(err)
	}
	got, name := b.at(id), want.TypeName()
	if tag, ok := want.(*btf.TypeTag); ok {
		name = tag.Value
	}
	if got.kind != kindDeclTag && b.str(got.name) != name {
		t.Errorf("%s: type %d is %q, want %q", path, id, b.str(got.name), name)
	}
	if got.kind != kindDatasec && got.kind != kindVar && b.at(b.strip(id)).kind != kindVoid {
		size, err := btf.Sizeof(want)
		if n, ok := b.sizeOf(id); ok != (err == nil) || ok && int(n) != size {
			t.Errorf("%s: type %d, %v: size %d (%v), want %d (%v)", path, id, want, n, ok, size, err)
		}
	}
	if s, ok := want.(*btf.Struct); ok {
		if got.kind != kindStruct || got.vlen != len(s.Members) {
			t.Errorf("%s: type %d has %d members, want %v", path, id, got.vlen, s.Members)
			return
		}
		for i, m := range s.Members {
			g := b.member(got, i)
			if g.name != m.Name || b.str(b.at(g.typ).name) != m.Type.TypeName() || g.off&0xffffff != uint32(m.Offset) {
				t.Errorf("%s: type %d member %d is %+v, want %+v", path, id, i, g, m)
			}
		}
	}
	if fn, ok := want.(*btf.Func); ok && (got.kind != kindFunc || got.vlen != int(fn.Linkage)) {
		t.Errorf("%s: function %q has linkage %d, want %v", path, fn.Name, got.vlen, fn.Linkage)
	}
}

// compareExt compares what is known of one section.
func compareExt(t *testing.T, path string, o *object, sec int, ext *btf.ExtInfos) {
	t.Helper()
	funcs, lines, core := ext.Section(o.f.sections[sec].name)
	var got, want []string
	for _, f := range o.ext.funcs[sec] {
		got = append(got, fmt.Sprint("function ", f.slot, o.types.str(o.types.at(f.typ).name)))
	}
	for _, f := range funcs {
		want = append(want, fmt.Sprint("function ", f.Offset, f.Func.Name))
	}
	for _, l := range o.ext.lines[sec] {
		got = append(got, fmt.Sprint(l.slot, " ", o.types.str(l.file), " ", l.pos>>10, " ", l.pos&0x3ff, " ",
			o.types.str(l.text)))
	}
	for _, l := range lines {
		want = append(want, fmt.Sprint(l.Offset, " ", l.Line.FileName(), " ", l.Line.LineNumber(), " ",
			l.Line.LineColumn(), " ", l.Line.Line()))
	}
	for _, c := range o.ext.core[sec] {
		got = append(got, fmt.Sprint("relocation ", c.slot))
	}
	for _, c := range core {
		want = append(want, fmt.Sprint("relocation ", c.Offset))
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s: section %q: %s", path, o.f.sections[sec].name, d)
	}
}

// TestBTFChain reads types that refer to each other a million deep, which ends
// the process of readers that recurse.
func TestBTFChain(t *testing.T) {
	const n = 1_000_000
	data := make([]byte, btfHeaderSize+n*btfTypeSize+1)
	put := binary.LittleEndian.PutUint32
	binary.LittleEndian.PutUint16(data, btfMagic)
	put(data[4:], btfHeaderSize)
	put(data[12:], n*btfTypeSize)
	put(data[16:], n*btfTypeSize)
	put(data[20:], 1)
	for i := range n {
		at := data[btfHeaderSize+i*btfTypeSize:]
		put(at[4:], uint32(kindConst)<<24)
		put(at[8:], uint32(i+2)%(n+1))
	}
	b, err := parseBTF(data, binary.LittleEndian)
	if err != nil {
		t.Fatal(err)
	}
	if size, ok := b.sizeOf(1); ok {
		t.Errorf("size of the chain is %d", size)
	}
	if id := b.strip(1); id != 0 {
		t.Errorf("the chain names type %d", id)
	}
}

// TestArgs checks the parameters of global functions against their sources in
// order.c. The kinds are those of btf_prepare_func_args in Linux 7.3.
func TestArgs(t *testing.T) {
	p := program(t, loadFile(t, "testdata/order.o"), "second")
	got := map[string]bytecode.Subprogram{}
	for _, s := range p.Subprogs {
		got[s.Name] = s
	}
	for _, c := range []struct {
		name   string
		global bool
		args   []string
	}{
		{"second", true, nil},
		{"leaf", false, nil},
		{"hidden_fn", false, nil},
		{"weak_fn", true, []string{"scalar"}},
		{"global_fn", true, []string{"mem:32", "scalar"}},
		{"tagged_fn", true, []string{"nonnull:32", "ctx", "scalar"}},
	} {
		s := got[c.name]
		if s.Global != c.global || cmp.Diff(c.args, s.Args) != "" {
			t.Errorf("%s: global %v, parameters %q; want %v, %q", c.name, s.Global, s.Args, c.global, c.args)
		}
	}
	for _, s := range program(t, loadFile(t, "testdata/order.nobtf.o"), "second").Subprogs {
		if s.Global || s.Args != nil {
			t.Errorf("without BTF %s is global: %+v", s.Name, s)
		}
	}
}

// TestContextArgs checks when a pointer counts as the context.
func TestContextArgs(t *testing.T) {
	o := loadFile(t, testenv.Path(t, "corpus/out/01_ipproto_xdp.o"))
	f, err := os.ReadFile(testenv.Path(t, "corpus/out/01_ipproto_xdp.o"))
	if err != nil {
		t.Fatal(err)
	}
	e, err := parseELF(f)
	if err != nil {
		t.Fatal(err)
	}
	obj, err := newObject("", e, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	id, ok := obj.types.find(kindFunc, o.Programs[0].Name)
	if !ok {
		t.Fatal("no BTF of the program")
	}
	for typ, want := range map[string]string{"xdp": "ctx", "syscall": "mem:24", "": "mem:24"} {
		if got := obj.types.args(id, typ); len(got) != 1 || got[0] != want {
			t.Errorf("parameters for type %q are %q, want %q", typ, got, want)
		}
	}
}

// FuzzBTF asks everything of damaged type information: nothing may panic, and
// every answer comes in bounded time.
func FuzzBTF(f *testing.F) {
	for _, name := range []string{"order", "data", "kernel", "exception"} {
		data, err := os.ReadFile("testdata/" + name + ".o")
		if err != nil {
			f.Fatal(err)
		}
		e, err := parseELF(data)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(e.sections[e.sectionNamed(".BTF")].data, e.sections[e.sectionNamed(".BTF.ext")].data, false)
	}
	f.Fuzz(func(t *testing.T, types, ext []byte, big bool) {
		var order binary.ByteOrder = binary.LittleEndian
		if big {
			order = binary.BigEndian
		}
		b, err := parseBTF(types, order)
		if (b == nil) == (err == nil) {
			t.Fatalf("%v and %v", b, err)
		}
		if err != nil {
			return
		}
		for id := range uint32(min(len(b.start), 1000) + 1) {
			b.sizeOf(id)
			b.alignOf(id)
			b.args(id, "xdp")
			b.args(id, "kprobe")
			if _, err := b.mapDef(&bytecode.Map{}, id); err != nil && !errors.Is(err, errBTF) {
				t.Fatal(err)
			}
		}
		e, err := parseBTFExt(ext, b, func(name string) int { return len(name) })
		if err != nil {
			return
		}
		for _, infos := range e.core {
			for _, c := range infos[:min(len(infos), 100)] {
				b.corePath(c)
			}
		}
	})
}
