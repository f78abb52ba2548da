package load

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
	"github.com/bpfcfg/bpfcfg/internal/testing/wellformed"
)

// objectBuilder makes object files that no compiler would.
type objectBuilder struct {
	sections []elf.Section64
	contents [][]byte
	names    []byte
	symbols  []elf.Sym64
	symNames []byte
	shared   map[int]int // sections that claim the bytes of another one
}

// share adds a section that claims the bytes of section of.
func (b *objectBuilder) share(s string, typ elf.SectionType, flags elf.SectionFlag, of uint16) uint16 {
	if b.shared == nil {
		b.shared = map[int]int{}
	}
	i := b.section(s, typ, flags, nil)
	b.shared[int(i)] = int(of)
	return i
}

// name appends a name to a string table and returns its offset.
func name(table *[]byte, s string) uint32 {
	off := len(*table)
	*table = append(append(*table, s...), 0)
	return uint32(off)
}

// section adds a section and returns its index.
func (b *objectBuilder) section(s string, typ elf.SectionType, flags elf.SectionFlag, data []byte) uint16 {
	if len(b.sections) == 0 {
		b.sections, b.contents = make([]elf.Section64, 1), make([][]byte, 1)
		b.names, b.symNames, b.symbols = []byte{0}, []byte{0}, make([]elf.Sym64, 1)
	}
	b.sections = append(b.sections, elf.Section64{
		Name: name(&b.names, s), Type: uint32(typ), Flags: uint64(flags), Size: uint64(len(data)),
	})
	b.contents = append(b.contents, data)
	return uint16(len(b.sections) - 1)
}

// function adds a function symbol and returns its index.
func (b *objectBuilder) function(s string, bind elf.SymBind, sec uint16, off, size int) uint32 {
	b.symbols = append(b.symbols, elf.Sym64{
		Name: name(&b.symNames, s), Info: elf.ST_INFO(bind, elf.STT_FUNC), Shndx: sec,
		Value: uint64(off), Size: uint64(size),
	})
	return uint32(len(b.symbols) - 1)
}

// reloc adds a relocation section with one relocation of an instruction.
func (b *objectBuilder) reloc(sec uint16, slot int, sym uint32) {
	rel := make([]byte, sizeRel)
	binary.LittleEndian.PutUint64(rel, uint64(slot*bytecode.SlotSize))
	binary.LittleEndian.PutUint64(rel[8:], uint64(sym)<<32|1)
	i := b.section(".rel", elf.SHT_REL, 0, rel)
	b.sections[i].Info, b.sections[i].Entsize = uint32(sec), sizeRel
}

// bytes lays the file out.
func (b *objectBuilder) bytes() []byte {
	var syms bytes.Buffer
	for _, s := range b.symbols {
		encode(&syms, s)
	}
	b.section(".symtab", elf.SHT_SYMTAB, 0, syms.Bytes())
	tab := &b.sections[len(b.sections)-1]
	tab.Link, tab.Entsize = uint32(len(b.sections)), sizeSymbol
	b.section(".strtab", elf.SHT_STRTAB, 0, b.symNames)
	b.section(".shstrtab", elf.SHT_STRTAB, 0, nil)
	b.contents[len(b.contents)-1] = b.names
	b.sections[len(b.sections)-1].Size = uint64(len(b.names))
	var file bytes.Buffer
	hdr := elf.Header64{
		Type: uint16(elf.ET_REL), Machine: uint16(elf.EM_BPF), Version: 1, Ehsize: sizeHeader,
		Shentsize: sizeSection, Shnum: uint16(len(b.sections)), Shstrndx: uint16(len(b.sections) - 1),
	}
	copy(hdr.Ident[:], elf.ELFMAG+"\x02\x01\x01")
	off := uint64(sizeHeader)
	for i, c := range b.contents {
		b.sections[i].Off = off
		off += uint64(len(c))
	}
	for i, of := range b.shared {
		b.sections[i].Off, b.sections[i].Size = b.sections[of].Off, b.sections[of].Size
	}
	hdr.Shoff = off
	encode(&file, hdr)
	for _, c := range b.contents {
		file.Write(c)
	}
	for _, s := range b.sections {
		encode(&file, s)
	}
	return file.Bytes()
}

// encode writes a structure in little-endian form.
func encode(buf *bytes.Buffer, v any) {
	if err := binary.Write(buf, binary.LittleEndian, v); err != nil {
		panic(err)
	}
}

// straight returns n slots: moves and an exit.
func straight(n int) []byte {
	insns := make([]bytecode.Insn, n)
	for i := range insns {
		insns[i] = bytecode.Insn{Code: 0xb7, Imm: int32(i)}
	}
	insns[n-1] = bytecode.Insn{Code: bytecode.CodeExit}
	return bytecode.Encode(insns, binary.LittleEndian)
}

const execFlags = elf.SHF_ALLOC | elf.SHF_EXECINSTR

// TestCutOff loads every prefix of an object: each is an error that says so.
func TestCutOff(t *testing.T) {
	data, err := os.ReadFile(testenv.Path(t, "corpus/out/10_single_target.o"))
	if err != nil {
		t.Fatal(err)
	}
	for n := range data {
		o, err := ELF("cut.o", data[:n])
		want := ErrTruncated
		if n < 4 {
			want = ErrNotELF
		}
		if o != nil || !errors.Is(err, want) {
			t.Fatalf("first %d of %d bytes: %v, %v; want %v", n, len(data), o, err, want)
		}
	}
}

// TestNotBPF checks the errors for files that are no BPF objects.
func TestNotBPF(t *testing.T) {
	good, err := os.ReadFile("testdata/library.o")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		edit func(b []byte) []byte
		want error
		text string
	}{
		{"text", func(b []byte) []byte { return []byte("hello") }, ErrNotELF, "clang --target=bpf"},
		{"x86", func(b []byte) []byte { b[18] = byte(elf.EM_X86_64); return b }, ErrNotBPF, "EM_X86_64"},
		{"32 bit", func(b []byte) []byte { b[4] = 1; return b }, ErrNotBPF, "ELFCLASS32"},
		{"executable", func(b []byte) []byte { b[16] = 2; return b }, ErrNotBPF, "ET_EXEC"},
		{"no byte order", func(b []byte) []byte { b[5] = 0; return b }, ErrTruncated, "byte order"},
		{"no sections", func(b []byte) []byte { copy(b[40:], make([]byte, 8)); return b }, ErrNoPrograms, "section headers"},
		{"old LLVM", func(b []byte) []byte { b[18] = 0; return b }, nil, ""},
		{"too large", func(b []byte) []byte { return make([]byte, MaxFile+1) }, ErrTooLarge, "limit"},
	} {
		o, err := ELF("x.o", c.edit(bytes.Clone(good)))
		if !errors.Is(err, c.want) || (o == nil) != (c.want != nil) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		} else if err != nil && (!strings.Contains(err.Error(), c.text) || !strings.HasPrefix(err.Error(), "load x.o: ")) {
			t.Errorf("%s: %q does not tell about %q", c.name, err, c.text)
		}
	}
}

// TestStripped checks objects without anything to make a program of.
func TestStripped(t *testing.T) {
	var b objectBuilder
	sec := b.section("xdp", elf.SHT_PROGBITS, execFlags, straight(2))
	b.sections[sec].Name = name(&b.names, ".text")
	b.function("f", elf.STB_LOCAL, sec, 0, 16)
	if _, err := ELF("x.o", b.bytes()); !errors.Is(err, ErrNoPrograms) || !strings.Contains(err.Error(), "no static") {
		t.Errorf("static only: %v", err)
	}
	b = objectBuilder{}
	b.section(".data", elf.SHT_PROGBITS, elf.SHF_ALLOC, straight(2))
	if _, err := ELF("x.o", b.bytes()); !errors.Is(err, ErrNoPrograms) {
		t.Errorf("data only: %v", err)
	}
	b = objectBuilder{}
	b.section("xdp", elf.SHT_PROGBITS, execFlags|elf.SHF_COMPRESSED, straight(2))
	if _, err := ELF("x.o", b.bytes()); !errors.Is(err, ErrNotBPF) || !strings.Contains(err.Error(), "objcopy") {
		t.Errorf("compressed: %v", err)
	}
}

// TestFunctionExtents checks functions that do not fit into their section: they
// fail alone, also as callees.
func TestFunctionExtents(t *testing.T) {
	var b objectBuilder
	code := straight(4)
	copy(code, bytecode.Encode([]bytecode.Insn{{Code: bytecode.CodeCall, Src: 1, Imm: 1}}, binary.LittleEndian))
	sec := b.section("xdp", elf.SHT_PROGBITS, execFlags, code)
	b.function("good", elf.STB_GLOBAL, sec, 24, 8)
	b.function("long", elf.STB_GLOBAL, sec, 8, 32)
	b.function("huge", elf.STB_GLOBAL, sec, 16, -8)
	b.function("odd", elf.STB_GLOBAL, sec, 4, 8)
	b.function("empty", elf.STB_GLOBAL, sec, 8, 0)
	b.function("caller", elf.STB_GLOBAL, sec, 0, 8)
	o, err := ELF("x.o", b.bytes())
	if err != nil {
		t.Fatal(err)
	}
	if len(o.Programs) != 1 || o.Programs[0].Name != "good" || len(o.Failed) != 5 {
		t.Fatalf("programs %v, failed %v", o.Programs, o.Failed)
	}
	for _, f := range o.Failed {
		if want := `load x.o: section "xdp": program "` + f.Name + `": `; !strings.HasPrefix(f.Error(), want) {
			t.Errorf("%v does not start with %q", f, want)
		}
	}
}

// TestProgramSize checks the longest program, and one slot more.
func TestProgramSize(t *testing.T) {
	for _, n := range []int{MaxInsns, MaxInsns + 1} {
		var b objectBuilder
		sec := b.section("xdp", elf.SHT_PROGBITS, execFlags, straight(n))
		b.function("f", elf.STB_GLOBAL, sec, 0, 8*n)
		o, err := ELF("x.o", b.bytes())
		if err != nil {
			t.Fatal(err)
		}
		if n == MaxInsns && (len(o.Programs) != 1 || int(o.Programs[0].Len()) != n) {
			t.Errorf("%d slots: %v", n, o.Failed)
		}
		if n > MaxInsns && (len(o.Failed) != 1 || !errors.Is(o.Failed[0], ErrTooLarge)) {
			t.Errorf("%d slots: %v", n, o.Failed)
		}
	}
}

// TestLinkedSize checks that many programs on one long function, a small file,
// do not make an unbounded result.
func TestLinkedSize(t *testing.T) {
	const long, programs = 900_000, 1000
	var b objectBuilder
	sec := b.section("xdp", elf.SHT_PROGBITS, execFlags, straight(long))
	for i := range programs {
		b.function(fmt.Sprintf("f%d", i), elf.STB_GLOBAL, sec, 0, 8*long)
	}
	o, err := ELF("x.o", b.bytes())
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, p := range o.Programs {
		total += len(p.Insns)
	}
	if total > MaxLinked || total < MaxLinked-long || len(o.Programs)+len(o.Failed) != programs {
		t.Errorf("%d programs with %d slots", len(o.Programs), total)
	}
	for _, f := range o.Failed {
		if !errors.Is(f, ErrTooLarge) {
			t.Fatal(f)
		}
	}
}

// TestLinkerFaultInSubprogram checks that the static linker's fault is also
// noticed where libbpf does not: in a function after the entry, whose entries
// then point into the entry. The same table, moved as it should be, is fine.
func TestLinkerFaultInSubprogram(t *testing.T) {
	for _, c := range []struct {
		shift   uint64 // what the linker should have added, in bytes
		targets []bytecode.PC
		diag    string
	}{
		{0, []bytecode.PC{3, 5}, "off by one constant"},
		{80, []bytecode.PC{13, 15}, ""},
	} {
		insns := make([]bytecode.Insn, 26)
		insns[0] = bytecode.Insn{Code: bytecode.CodeCall, Src: bytecode.CallSubprogram, Imm: 9}
		insns[9] = bytecode.Insn{Code: bytecode.CodeExit}
		insns[10] = bytecode.Insn{Code: bytecode.CodeLdImm64, Dst: 1}
		insns[25] = bytecode.Insn{Code: bytecode.CodeExit}
		var table []byte
		for _, slot := range []uint64{3, 5} {
			table = binary.LittleEndian.AppendUint64(table, 8*slot+c.shift)
		}
		var b objectBuilder
		text := b.section(".text", elf.SHT_PROGBITS, execFlags, bytecode.Encode(insns, binary.LittleEndian))
		tables := b.section(tablesSection, elf.SHT_PROGBITS, 0, table)
		b.function("entry", elf.STB_GLOBAL, text, 0, 80)
		b.function("callee", elf.STB_LOCAL, text, 80, 128)
		b.symbols = append(b.symbols, elf.Sym64{
			Name: name(&b.symNames, "jt"), Info: elf.ST_INFO(elf.STB_GLOBAL, elf.STT_OBJECT), Shndx: tables, Size: 16,
		})
		b.reloc(text, 10, uint32(len(b.symbols)-1))
		o, err := ELF("x.o", b.bytes())
		if err != nil || len(o.Programs) != 1 {
			t.Fatalf("%v, %+v", err, o)
		}
		p := o.Programs[0]
		if len(p.Tables) != 1 || !slices.Equal(p.Tables[0].Targets, c.targets) {
			t.Errorf("shift %d: tables %v, want %v", c.shift, p.Tables, c.targets)
		}
		diags := strings.Join(p.Diags, "\n")
		if !strings.Contains(diags, c.diag) || (c.diag == "") == strings.Contains(diags, "jump table") {
			t.Errorf("shift %d: diagnostics %q, want %q", c.shift, diags, c.diag)
		}
	}
}

// TestManyPrograms checks the limit on programs.
func TestManyPrograms(t *testing.T) {
	var b objectBuilder
	sec := b.section("xdp", elf.SHT_PROGBITS, execFlags, straight(2))
	for range MaxPrograms + 1 {
		b.symbols = append(b.symbols, elf.Sym64{Info: elf.ST_INFO(elf.STB_GLOBAL, elf.STT_FUNC), Shndx: sec, Size: 16})
	}
	if o, err := ELF("x.o", b.bytes()); o != nil || !errors.Is(err, ErrTooLarge) {
		t.Errorf("%v, %v", o, err)
	}
}

// TestManyOddities checks the limit on diagnostics.
func TestManyOddities(t *testing.T) {
	var b objectBuilder
	sec := b.section("xdp", elf.SHT_PROGBITS, execFlags, straight(2))
	b.function("f", elf.STB_GLOBAL, sec, 0, 16)
	maps := b.section(".maps", elf.SHT_PROGBITS, elf.SHF_ALLOC, make([]byte, 8))
	for range 2 * MaxDiags {
		b.symbols = append(b.symbols, elf.Sym64{Info: elf.ST_INFO(elf.STB_GLOBAL, elf.STT_OBJECT), Shndx: maps})
	}
	o, err := ELF("x.o", b.bytes())
	if err != nil || len(o.Diags) != MaxDiags {
		t.Errorf("%v, %d diagnostics", err, len(o.Diags))
	}
}

// TestHugeZeroes checks that a section of zeros costs no memory it is not given.
func TestHugeZeroes(t *testing.T) {
	for _, size := range []uint64{MaxZeroed + 1, 1 << 40, 1<<64 - 1} {
		var b objectBuilder
		sec := b.section("xdp", elf.SHT_PROGBITS, execFlags, straight(2))
		b.function("f", elf.STB_GLOBAL, sec, 0, 16)
		b.section(".bss", elf.SHT_NOBITS, elf.SHF_ALLOC, nil)
		b.sections[len(b.sections)-1].Size = size
		o, err := ELF("x.o", b.bytes())
		if err != nil || len(o.Programs) != 1 || len(o.Diags) != 1 {
			t.Errorf("%d bytes: %v, %+v", size, err, o)
		}
	}
}

// TestDeepCalls links a chain of calls as long as the slots allow: nothing
// recurses.
func TestDeepCalls(t *testing.T) {
	const n = 200_000
	insns := make([]bytecode.Insn, 0, 2*n)
	for range n - 1 {
		insns = append(insns, bytecode.Insn{Code: bytecode.CodeCall, Src: 1, Imm: 1}, bytecode.Insn{Code: bytecode.CodeExit})
	}
	insns = append(insns, bytecode.Insn{Code: 0xb7}, bytecode.Insn{Code: bytecode.CodeExit})
	var b objectBuilder
	text := b.section(".text", elf.SHT_PROGBITS, execFlags, bytecode.Encode(insns, binary.LittleEndian))
	b.function("f", elf.STB_GLOBAL, text, 0, 16)
	for i := range n - 1 {
		b.function("g", elf.STB_LOCAL, text, 16*(i+1), 16)
	}
	o, err := ELF("x.o", b.bytes())
	if err != nil {
		t.Fatal(err)
	}
	if len(o.Programs) == 0 || len(o.Programs[0].Subprogs) != n {
		t.Fatalf("%d programs, failed: %v", len(o.Programs), o.Failed[0])
	}
	if err := wellformed.Check(o.Programs[0]); err != nil {
		t.Fatal(err)
	}
}

func BenchmarkELF(b *testing.B) {
	for _, n := range []int{10_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var ob objectBuilder
			sec := ob.section("xdp", elf.SHT_PROGBITS, execFlags, straight(n))
			ob.function("f", elf.STB_GLOBAL, sec, 0, 8*n)
			data := ob.bytes()
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ELF("x.o", data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("thousand_cases", func(b *testing.B) {
		data, err := os.ReadFile(testenv.Path(b, "corpus/out/15_thousand_cases.o"))
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(len(data)))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := ELF("x.o", data); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// TestLimits asks for less than the constants allow: exactly what a file has is
// enough, one less is not, and nothing is more than the constants.
func TestLimits(t *testing.T) {
	path := testenv.Path(t, "corpus/out-plain/02_syscall_dispatch.o")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	o, err := ELF(path, data)
	if err != nil || len(o.Programs) != 1 {
		t.Fatal(err, o)
	}
	slots := len(o.Programs[0].Insns)
	if o, err := (Limits{File: len(data), Insns: slots}).ELF(path, data); err != nil || len(o.Programs) != 1 {
		t.Error(err)
	}
	if _, err := (Limits{File: len(data) - 1}).ELF(path, data); !errors.Is(err, ErrTooLarge) {
		t.Error("file:", err)
	}
	if o, err := (Limits{Insns: slots - 1}).ELF(path, data); err != nil || len(o.Failed) != 1 ||
		!errors.Is(o.Failed[0], ErrTooLarge) {
		t.Error("slots:", err)
	}
	code := bytes.Repeat([]byte{0xb7, 0, 0, 0, 0, 0, 0, 0}, 4)
	if _, err := (Limits{File: 32, Insns: 4}).Raw("x", code, binary.LittleEndian); err != nil {
		t.Error(err)
	}
	for _, l := range []Limits{{File: 31}, {Insns: 3}} {
		if _, err := l.Raw("x", code, binary.LittleEndian); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%+v: %v", l, err)
		}
	}
	if l := (Limits{File: MaxFile + 1, Insns: -1}); l.file() != MaxFile || l.insns() != MaxInsns {
		t.Errorf("%+v counts as %d, %d", l, l.file(), l.insns())
	}
}
