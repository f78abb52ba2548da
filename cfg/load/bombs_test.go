package load

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// loadCost loads an object and returns how many bytes that allocated.
func loadCost(data []byte) (*Object, uint64, error) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	o, err := ELF("x.o", data)
	runtime.ReadMemStats(&after)
	return o, after.TotalAlloc - before.TotalAlloc, err
}

// mostCost is what loading an object of n bytes may allocate, in bytes: a
// constant for what limits allow (freeLinked and MaxZeroed), and a multiple of the file.
func mostCost(n int) uint64 { return 128<<20 + 200*uint64(n) }

// word appends 32-bit words to b.
func word(b []byte, words ...uint32) []byte {
	for _, w := range words {
		b = binary.LittleEndian.AppendUint32(b, w)
	}
	return b
}

// btfSection returns a .BTF section.
func btfSection(types []byte, strs string) []byte {
	b := word(nil, 1<<16|btfMagic, btfHeaderSize, 0, uint32(len(types)), uint32(len(types)), uint32(len(strs)))
	return append(append(b, types...), strs...)
}

// btfInfo is the second word of a type.
func btfInfo(kind btfKind, vlen int) uint32 { return uint32(kind)<<24 | uint32(vlen) }

// extSection returns a .BTF.ext section of function and line records, each for
// the section whose name is at the offset in the strings.
func extSection(name uint32, funcs, lines []uint32) []byte {
	f := word(nil, 8, name, uint32(len(funcs)/2))
	f = word(f, funcs...)
	l := word(nil, 16, name, uint32(len(lines)/4))
	l = word(l, lines...)
	b := word(nil, 1<<16|btfMagic, extHeaderSize, 0, uint32(len(f)), uint32(len(f)), uint32(len(l)))
	return append(append(b, f...), l...)
}

// bombs are small objects that claim large sizes.
var bombs = []struct {
	name  string
	want  error // of ELF
	build func(b *objectBuilder, sec uint16)
}{
	{"relocations shared", ErrTruncated, func(b *objectBuilder, sec uint16) {
		b.reloc(sec, 0, 1)
		first := len(b.sections) - 1
		b.contents[first] = make([]byte, sizeRel*10_000)
		b.sections[first].Size = sizeRel * 10_000
		for range 5000 {
			i := b.share(".rel", elf.SHT_REL, 0, uint16(first))
			b.sections[i].Info, b.sections[i].Entsize = uint32(sec), sizeRel
		}
	}},
	{"code shared", ErrTruncated, func(b *objectBuilder, _ uint16) {
		first := b.section("e", elf.SHT_PROGBITS, execFlags, straight(50_000))
		for i := range 1000 {
			b.share(fmt.Sprint("e", i), elf.SHT_PROGBITS, execFlags, first)
		}
	}},
	{"data shared", ErrTruncated, func(b *objectBuilder, _ uint16) {
		first := b.section(".data", elf.SHT_PROGBITS, elf.SHF_ALLOC, make([]byte, 1<<20))
		for i := range 1000 {
			b.share(fmt.Sprint(".data.", i), elf.SHT_PROGBITS, elf.SHF_ALLOC, first)
		}
	}},
	{"zeros", nil, func(b *objectBuilder, _ uint16) {
		for i := range 200 {
			j := b.section(fmt.Sprint(".bss.", i), elf.SHT_NOBITS, elf.SHF_ALLOC, nil)
			b.sections[j].Size = MaxZeroed
		}
	}},
	{"parameters", nil, manyParameters},
	{"map members", nil, manyMembers},
	{"callbacks", nil, manyCallbacks},
	{"lines of one slot", nil, manyLines},
	{"oddities", nil, manyOddities},
}

// manyParameters has a program with thousands of functions, all of one type with
// as many parameters as there can be.
func manyParameters(b *objectBuilder, sec uint16) {
	const n = 2000
	text := b.section(".text", elf.SHT_PROGBITS, execFlags, straight(n))
	calls := make([]bytecode.Insn, n, n+1)
	for i := range calls {
		calls[i] = bytecode.Insn{Code: bytecode.CodeCall, Src: bytecode.CallSubprogram}
	}
	calls = append(calls, bytecode.Insn{Code: bytecode.CodeExit})
	caller := b.section("tc", elf.SHT_PROGBITS, execFlags, bytecode.Encode(calls, binary.LittleEndian))
	b.function("main", elf.STB_GLOBAL, caller, 0, 8*(n+1))
	var rel []byte
	var funcs []uint32
	for i := range n {
		sym := b.function("g", elf.STB_GLOBAL, text, 8*i, 8)
		rel = binary.LittleEndian.AppendUint64(rel, uint64(8*i))
		rel = binary.LittleEndian.AppendUint64(rel, uint64(sym)<<32|10)
		funcs = append(funcs, uint32(8*i), 3)
	}
	for i := range calls[:n] {
		calls[i].Imm = -1
	}
	b.contents[caller] = bytecode.Encode(calls, binary.LittleEndian)
	i := b.section(".rel", elf.SHT_REL, 0, rel)
	b.sections[i].Info, b.sections[i].Entsize = uint32(caller), sizeRel
	types := word(nil, 0, btfInfo(kindInt, 0), 4, 32)
	types = word(types, 0, btfInfo(kindFuncProto, 0xffff), 1)
	for range 0xffff {
		types = word(types, 0, 1)
	}
	types = word(types, 1, btfInfo(kindFunc, btfGlobal), 2)
	b.section(".BTF", elf.SHT_PROGBITS, 0, btfSection(types, "\x00g\x00.text\x00"))
	b.section(".BTF.ext", elf.SHT_PROGBITS, 0, extSection(3, funcs, nil))
}

// manyMembers has many map symbols of one name, whose definition has as many
// members as there can be.
func manyMembers(b *objectBuilder, _ uint16) {
	maps := b.section(".maps", elf.SHT_PROGBITS, elf.SHF_ALLOC, make([]byte, 8))
	for range 100_000 {
		b.symbols = append(b.symbols, elf.Sym64{
			Name: 1, Info: elf.ST_INFO(elf.STB_GLOBAL, elf.STT_OBJECT), Shndx: maps, Size: 8,
		})
	}
	b.symNames = append([]byte("\x00m\x00"), b.symNames[1:]...)
	for i := range b.symbols {
		if b.symbols[i].Name > 2 || b.symbols[i].Name == 1 && elf.ST_TYPE(b.symbols[i].Info) == elf.STT_FUNC {
			b.symbols[i].Name += 2
		}
	}
	types := word(nil, 0, btfInfo(kindInt, 0), 4, 32)
	types = word(types, 0, btfInfo(kindArray, 0), 0, 1, 1, 2)
	types = word(types, 0, btfInfo(kindPtr, 0), 2)
	types = word(types, 0, btfInfo(kindStruct, 0xffff), 8)
	for range 0xffff {
		types = word(types, 3, 3, 0)
	}
	types = word(types, 1, btfInfo(kindVar, 0), 4, 1)
	types = word(types, 8, btfInfo(kindDatasec, 1), 8, 5, 0, 8)
	b.section(".BTF", elf.SHT_PROGBITS, 0, btfSection(types, "\x00m\x00type\x00.maps\x00"))
}

// manyCallbacks has many programs of one name, which has many declaration tags.
func manyCallbacks(b *objectBuilder, sec uint16) {
	for range 50_000 {
		b.symbols = append(b.symbols, b.symbols[1])
	}
	types := word(nil, 0, btfInfo(kindFuncProto, 0), 0)
	types = word(types, 1, btfInfo(kindFunc, btfGlobal), 1)
	for range 200_000 {
		types = word(types, 3, btfInfo(kindDeclTag, 0), 2, ^uint32(0))
	}
	b.section(".BTF", elf.SHT_PROGBITS, 0, btfSection(types, "\x00f\x00"+tagException+"x\x00"))
}

// manyLines has many programs on one function, and many lines on its one slot.
func manyLines(b *objectBuilder, sec uint16) {
	for range 50_000 {
		b.symbols = append(b.symbols, b.symbols[1])
	}
	lines := make([]uint32, 0, 4*200_000)
	for range 200_000 {
		lines = append(lines, 0, 0, 0, 1<<10)
	}
	b.section(".BTF", elf.SHT_PROGBITS, 0, btfSection(nil, "\x00xdp\x00"))
	b.section(".BTF.ext", elf.SHT_PROGBITS, 0, extSection(1, nil, lines))
}

// manyOddities has many programs on one function, of which much can be said.
func manyOddities(b *objectBuilder, sec uint16) {
	const n = 1000
	b.contents[sec] = straight(n)
	b.sections[sec].Size = 8 * n
	b.symbols[1].Size = 8 * n
	for range 10_000 {
		b.symbols = append(b.symbols, b.symbols[1])
	}
	b.symbols = append(b.symbols, elf.Sym64{Info: elf.ST_INFO(elf.STB_LOCAL, elf.STT_SECTION), Shndx: sec})
	section := uint64(len(b.symbols) - 1)
	b.symbols = append(b.symbols, elf.Sym64{Name: name(&b.symNames, strings.Repeat("k", maxName)), Shndx: sec})
	key := uint64(len(b.symbols) - 1)
	var entries, rel []byte
	for i := range n {
		entries = word(entries, uint32(8*i), 0, 0, 0)
		for _, r := range [][2]uint64{{0, section}, {keyName, key}} {
			rel = binary.LittleEndian.AppendUint64(rel, uint64(keyEntry*i)+r[0])
			rel = binary.LittleEndian.AppendUint64(rel, r[1]<<32|1)
		}
	}
	keys := b.section(keysSection, elf.SHT_PROGBITS, elf.SHF_ALLOC, entries)
	i := b.section(".rel", elf.SHT_REL, 0, rel)
	b.sections[i].Info, b.sections[i].Entsize = uint32(keys), sizeRel
}

// TestBombs loads small files that claim large sizes: what loading
// allocates is bounded by the file's size. Time is bounded with it: each took
// minutes, or all memory, when it was found.
func TestBombs(t *testing.T) {
	for _, c := range bombs {
		var b objectBuilder
		sec := b.section("xdp", elf.SHT_PROGBITS, execFlags, straight(2))
		b.function("f", elf.STB_GLOBAL, sec, 0, 16)
		c.build(&b, sec)
		data := b.bytes()
		o, cost, err := loadCost(data)
		if !errors.Is(err, c.want) || (o == nil) != (c.want != nil) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		if most := mostCost(len(data)); cost > most {
			t.Errorf("%s: %d bytes of file made %d bytes of memory, the bound is %d", c.name, len(data), cost, most)
		}
		if o != nil && len(o.Programs) == 0 {
			t.Errorf("%s: %v", c.name, o.Failed[0])
		}
		t.Logf("%s: %d bytes of file, %d MB allocated", c.name, len(data), cost>>20)
	}
}
