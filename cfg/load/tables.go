package load

import (
	"debug/elf"
	"errors"
	"fmt"
	"math"
	"sort"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// entrySize is the size of an entry of a jump table in the object, in bytes.
const entrySize = 8

// table returns the index in the program of the jump table that an operand
// refers to. A program has one table for each offset in .jumptables, whatever
// the symbols there are called (create_jt_map in tools/lib/bpf/libbpf.c).
//
// An entry is a byte offset from the start of the section of the referring instruction. It
// belongs to that instruction's function and moves with it. The table does not record the
// function: LLVM resolves the difference of the labels itself and leaves no relocation.
func (l *linker) table(op placedOperand) (int, error) {
	at := place{int(op.table.Shndx), op.table.Value}
	if i, ok := l.tables[at]; ok {
		return i, nil
	}
	raw, err := l.o.tableBytes(op.table)
	if err != nil {
		return 0, err
	}
	if err := l.spend(len(raw) / entrySize); err != nil {
		return 0, err
	}
	fn := l.functionAt(op.pc)
	f := &l.o.funcs[fn]
	t := bytecode.JumpTable{Name: op.name, Targets: make([]bytecode.PC, 0, len(raw)/entrySize)}
	var fault error
	odd, outside := -1, -1
	for i := range len(raw) / entrySize {
		entry := l.o.f.order.Uint64(raw[i*entrySize:])
		if entry%bytecode.SlotSize != 0 && odd < 0 {
			odd = i
		}
		slot := entry / bytecode.SlotSize
		if (slot < uint64(f.off) || slot >= uint64(f.off+f.len)) && outside < 0 {
			outside = i
		}
		// As in libbpf, this wraps around for entries before the function.
		target := slot - uint64(f.off) + uint64(l.start[fn])
		if target > math.MaxUint32 && fault == nil {
			fault = fmt.Errorf("entry %d is byte offset %#x, outside of function %q", i, entry, f.name)
		}
		t.Targets = append(t.Targets, bytecode.PC(target))
	}
	if outside >= 0 && l.o.linkerFault(raw, fn) {
		if fault != nil {
			return 0, errLinkerFault
		}
		l.diag("jump table %q: %v", op.name, errLinkerFault)
	}
	if fault != nil {
		return 0, fault
	}
	if outside >= 0 {
		l.diag("jump table %q: entry %d is outside of function %q", op.name, outside, f.name)
	}
	if odd >= 0 {
		l.diag("jump table %q: entry %d is not a multiple of 8 bytes, libbpf drops the rest", op.name, odd)
	}
	i := len(l.p.Tables)
	l.tables[at] = i
	l.p.Tables = append(l.p.Tables, t)
	return i, nil
}

// tableBytes returns the entries of a jump table, whose place and length its symbol gives.
func (o *object) tableBytes(sym elf.Sym64) ([]byte, error) {
	data := o.f.sections[sym.Shndx].data
	size := uint64(len(data))
	switch {
	case sym.Size == 0:
		return nil, errors.New("its symbol has size 0, so its entries are unknown: use .size")
	case sym.Size%entrySize != 0 || sym.Value%entrySize != 0:
		return nil, fmt.Errorf("%d bytes at offset %d of %s are not whole 8-byte entries: %w",
			sym.Size, sym.Value, tablesSection, ErrTruncated)
	case sym.Value > size || sym.Size > size-sym.Value:
		return nil, fmt.Errorf("%d bytes at offset %d cross the end of %s: %w",
			sym.Size, sym.Value, tablesSection, ErrTruncated)
	}
	return data[sym.Value : sym.Value+sym.Size], nil
}

// errLinkerFault reports the fault that linkerFault recognises.
var errLinkerFault = errors.New("all entries are off by one constant, as bpftool gen object leaves them " +
	"when it joins objects (libbpf 1.8 does not adjust .jumptables): load the objects one by one")

// linkerFault reports whether a table with entries outside of its function shows a fault of
// libbpf 1.8's static linker, which moves code but not table entries: all entries lie in the
// function if one adds the start of an earlier function, the first of the object that they came
// from.
func (o *object) linkerFault(raw []byte, fn int) bool {
	f := &o.funcs[fn]
	start, end := uint64(f.off)*bytecode.SlotSize, uint64(f.off+f.len)*bytecode.SlotSize
	lo, hi := uint64(math.MaxUint64), uint64(0)
	for i := 0; i < len(raw); i += entrySize {
		entry := o.f.order.Uint64(raw[i:])
		lo, hi = min(lo, entry), max(hi, entry)
	}
	if hi >= end {
		return false
	}
	// The distances that put all entries inside are [from, end-hi).
	from := max(start, lo) - lo
	i := sort.Search(len(o.funcs), func(i int) bool {
		g := &o.funcs[i]
		return g.sec > f.sec || g.sec == f.sec && g.off > 0 && uint64(g.off)*bytecode.SlotSize >= from
	})
	return i <= fn && uint64(o.funcs[i].off)*bytecode.SlotSize < end-hi
}
