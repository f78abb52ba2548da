package replay

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/record"
	"github.com/bpfcfg/bpfcfg/jit"
)

// A sample is one compiled program as a kernel reported it, from whatever kind
// of file: the dump of the rewritten program, its machine code, and all that
// is known about how the two belong together.
type sample struct {
	dump   []bytecode.Insn // as the kernel showed it
	code   []byte          // of all functions, one after the other
	funcs  []span
	lines  []line
	tables []table

	source   []bytecode.Insn // as submitted; nil when unknown
	follows  map[int]bool    // submitted slots that the verifier followed a gotox to; nil when unknown
	depth    int             // stack depth of function 0; -1 when unknown
	arena    bool            // the program has an arena map
	userVM   uint64          // its user address, 0 when unknown
	symbols  map[string]uint64
	names    []string      // of functions
	starts   []bytecode.PC // first slots of functions where known, else -1; nil when none is
	callback int           // function that is the exception callback; -1 when none is named
}

// span is one function of a sample.
type span struct {
	addr     uint64 // bpf_func
	off, len int    // in sample.code
}

// line says where the code of one instruction begins.
type line struct {
	insn int         // submitted slot
	slot bytecode.PC // xlated slot
	fn   int         // function
	off  int         // from the start of the function's code
}

// table is an instruction array as the kernel read it back.
type table struct {
	name  string
	cells []cell
}

// cell is one element of a table.
type cell struct {
	slot bytecode.PC // xlated slot, jit.Deleted when removed
	off  int32       // jitted_off
}

// fromRecord returns the sample of a record, which must have a compiled
// program.
func fromRecord(rec *record.Record) (*sample, error) {
	p := rec.Result.Prog
	s := &sample{code: p.Jited, depth: -1, callback: -1, symbols: map[string]uint64{}}
	var err error
	if s.dump, err = record.Decode(p.Xlated); err != nil {
		return nil, fmt.Errorf("xlated: %w", err)
	}
	for i, f := range p.Funcs {
		addr, err := strconv.ParseUint(strings.TrimPrefix(f.Addr, "0x"), 16, 64)
		if err != nil && f.Addr != "" {
			return nil, fmt.Errorf("function %d: address %q is no number", i, f.Addr)
		}
		s.funcs = append(s.funcs, span{addr, int(f.Off), int(f.Len)})
	}
	if !p.LinesWrong {
		for _, l := range p.Lines {
			s.lines = append(s.lines, line{int(l.Insn), bytecode.PC(l.Xlated), l.Func, int(l.Off)})
		}
	}
	for _, m := range rec.Result.Maps {
		if len(m.Insns) == 0 {
			continue
		}
		t := table{name: m.Name}
		for _, e := range m.Insns {
			t.cells = append(t.cells, newCell(e.Xlated, e.Jited))
		}
		s.tables = append(s.tables, t)
	}
	for _, addr := range slices.Sorted(maps.Keys(p.Symbols)) {
		if n, err := strconv.ParseUint(strings.TrimPrefix(addr, "0x"), 16, 64); err == nil {
			s.addSymbol(p.Symbols[addr], n)
		}
	}
	s.fromJob(rec)
	return s, s.check()
}

// fromJob takes from the job the values that the result lacks.
func (s *sample) fromJob(rec *record.Record) {
	src, err := rec.Job.Program()
	if err != nil {
		return
	}
	s.source = src.Insns
	for i, f := range src.Subprogs {
		s.names = append(s.names, f.Name)
		if f.Exception {
			s.callback = i
		}
	}
	if len(s.names) != len(s.funcs) {
		s.names, s.callback = nil, -1 // the verifier removed a function: numbers have changed
	}
	for _, m := range rec.Job.Maps {
		if typ, err := record.MapTypeNumber(m.Type); err == nil && typ == record.MapArena {
			s.arena, s.userVM = true, m.Extra
		}
	}
	if rec.Result.Load != nil {
		s.follows = followed(rec.Result.Load.Log)
	}
}

// fromVector returns the sample of a vector.
func fromVector(v *record.Vector, k *record.Kernel) (*sample, error) {
	s := &sample{depth: -1, callback: -1, symbols: map[string]uint64{}}
	var err error
	if s.dump, err = bytecode.Decode(v.Xlated, binary.LittleEndian); err != nil {
		return nil, fmt.Errorf("xlated: %w", err)
	}
	if s.source, err = bytecode.Decode(v.Source, binary.LittleEndian); err != nil {
		return nil, fmt.Errorf("source: %w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(k.Symbols)) {
		s.addSymbol(name, uint64(k.Symbols[name]))
	}
	for _, f := range v.Funcs {
		s.funcs = append(s.funcs, span{uint64(f.Ksym), len(s.code), len(f.Code)})
		s.code = append(s.code, f.Code...)
		for _, r := range f.Relocs {
			if r.Sym != "" && r.Target != 0 && !strings.HasPrefix(r.Sym, "func#") {
				s.addSymbol(r.Sym, uint64(r.Target))
			}
		}
	}
	for _, l := range v.Lines {
		for i, f := range s.funcs {
			if off := uint64(l.Addr) - f.addr; off < uint64(f.len) {
				s.lines = append(s.lines, line{int(l.Insn), bytecode.PC(l.Xlated), i, int(off)})
			}
		}
	}
	if in := v.Insn; in != nil && len(s.funcs) == 1 && in.XlatedOff != 0 {
		s.lines = append(s.lines, line{-1, bytecode.PC(in.XlatedOff), 0, int(in.CodeOff)})
	}
	if len(v.Table) > 0 {
		t := table{name: "insn_array"}
		for _, e := range v.Table {
			t.cells = append(t.cells, newCell(e.Xlated, e.Jitted))
		}
		s.tables = []table{t}
	}
	for _, m := range v.Maps {
		if m.Type == record.MapArena {
			s.arena, s.userVM = true, m.Extra
		}
	}
	return s, s.check()
}

// fromWhole returns the sample of a whole program.
func fromWhole(w *record.WholeProgram) (*sample, error) {
	s := &sample{code: w.Code, depth: w.StackDepth, callback: -1}
	s.funcs = []span{{uint64(w.Ksym), 0, len(w.Code)}}
	var err error
	if s.dump, err = bytecode.Decode(w.Xlated, binary.LittleEndian); err != nil {
		return nil, fmt.Errorf("xlated: %w", err)
	}
	if len(w.XlatedOff) != len(w.CodeOff) {
		return nil, fmt.Errorf("%d slots have %d offsets", len(w.XlatedOff), len(w.CodeOff))
	}
	for i, slot := range w.XlatedOff {
		s.lines = append(s.lines, line{-1, bytecode.PC(slot), 0, int(w.CodeOff[i])})
	}
	return s, s.check()
}

// newCell returns the cell of numbers that the kernel showed.
func newCell(xlated, jitted uint32) cell {
	if xlated == record.DeletedInsn {
		return cell{jit.Deleted, int32(jitted)}
	}
	return cell{bytecode.PC(xlated), int32(jitted)}
}

// addSymbol records the address of a kernel symbol under the names that the JIT uses. The kernel
// has two names for some: the linker's position independent alias, and the name of an array for its
// first element.
func (s *sample) addSymbol(name string, addr uint64) {
	name = strings.TrimPrefix(name, "__pi_")
	s.symbols[name] = addr
	if array, ok := strings.CutSuffix(name, "thunk_array"); ok {
		s.symbols[array+"thunk_rax"] = addr
	}
}

// maxFuncs is the largest number of functions of a program, hidden ones
// included (BPF_MAX_SUBPROGS in include/linux/bpf_verifier.h, Linux 7.3).
const maxFuncs = 258

// check rejects samples that contradict themselves, so that later steps need not check bounds
// again. Functions must tile the code.
func (s *sample) check() error {
	if len(s.funcs) > maxFuncs {
		return fmt.Errorf("%d functions, more than a kernel allows", len(s.funcs))
	}
	if len(s.dump) == 0 || len(s.funcs) == 0 {
		return fmt.Errorf("%d slots in %d functions", len(s.dump), len(s.funcs))
	}
	end := 0
	for i, f := range s.funcs {
		if f.off != end || f.len <= 0 || f.len > len(s.code)-end {
			return fmt.Errorf("function %d has %d bytes at %d of %d", i, f.len, f.off, len(s.code))
		}
		end += f.len
	}
	if end != len(s.code) {
		return fmt.Errorf("functions have %d bytes, the code has %d", end, len(s.code))
	}
	s.lines = slices.DeleteFunc(s.lines, func(l line) bool {
		return l.fn < 0 || l.fn >= len(s.funcs) || l.off < 0 || l.off >= s.funcs[l.fn].len ||
			l.slot < 0 || int(l.slot) >= len(s.dump)
	})
	slices.SortStableFunc(s.lines, func(a, b line) int { return int(a.slot - b.slot) })
	for _, t := range s.tables {
		for i, c := range t.cells {
			if c.slot != jit.Deleted && (c.slot < 0 || int(c.slot) >= len(s.dump)) {
				return fmt.Errorf("table %q: element %d is at slot %d of %d", t.name, i, c.slot, len(s.dump))
			}
		}
	}
	return nil
}
