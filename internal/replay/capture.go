package replay

import (
	"cmp"
	"maps"
	"slices"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/jit"
)

// Capture is a compiled program as a running kernel shows it: the content of a record without the
// file around it. Source, lines and symbols may be missing; the more there is, the less has to be
// read from the code that is to be checked.
type Capture struct {
	Name   string
	Kernel string          // release
	Dump   []bytecode.Insn // the rewritten program as dumped
	Code   []byte          // of all functions, one after the other
	NoCode string          // why Code is empty, if it is
	Funcs  []CapturedFunc  // in order
	Lines  []CapturedLine
	Tables []CapturedTable

	Source  []bytecode.Insn   // as submitted; nil when unknown
	Symbols map[string]uint64 // addresses of kernel symbols
	Arena   bool              // the program has an arena map
	UserVM  uint64            // its user address, 0 when unknown
}

// CapturedFunc is one function of a Capture.
type CapturedFunc struct {
	Name      string
	Start     bytecode.PC // xlated slot, -1 when unknown
	Addr      uint64      // bpf_func
	Off, Len  int         // in Code
	Exception bool        // it is the exception callback
}

// CapturedLine says where the code of one instruction begins.
type CapturedLine struct {
	Insn int         // submitted slot, -1 when unknown
	Slot bytecode.PC // xlated slot
	Func int         // function
	Off  int         // from the start of the function's code; 0 for a function's first instruction
}

// CapturedTable is an instruction array as user space reads it.
type CapturedTable struct {
	Name    string
	Entries []CapturedEntry
}

// CapturedEntry is one element of an instruction array, in the kernel's words;
// Xlated is 0xffffffff for a removed instruction.
type CapturedEntry struct{ Orig, Xlated, Jitted uint32 }

// Compare compiles the captured program for the profile, with inputs recovered
// as from a record, and compares code, line records and tables with it.
func (c *Capture) Compare(prof jit.Profile) *Result {
	res := &Result{Name: c.Name, Kernel: c.Kernel, Profile: prof.Name}
	if len(c.Code) == 0 {
		res.Reason = cmp.Or(c.NoCode, "the kernel shows no machine code")
		return res
	}
	s, err := c.sample()
	if err != nil {
		res.Reason = "the kernel's data is inconsistent: " + err.Error()
		return res
	}
	file := newLearned()
	file.callBase = c.Symbols["__bpf_call_base"]
	s.compare(res, prof, file)
	return res
}

// sample returns the capture in the form that records are compared in.
func (c *Capture) sample() (*sample, error) {
	s := &sample{
		dump: c.Dump, code: c.Code, source: c.Source, depth: -1, callback: -1,
		arena: c.Arena, userVM: c.UserVM, symbols: map[string]uint64{},
	}
	for i, f := range c.Funcs {
		s.funcs = append(s.funcs, span{f.Addr, f.Off, f.Len})
		s.names = append(s.names, f.Name)
		s.starts = append(s.starts, f.Start)
		if f.Exception {
			s.callback = i
		}
	}
	for _, l := range c.Lines {
		s.lines = append(s.lines, line{l.Insn, l.Slot, l.Func, l.Off})
	}
	for _, t := range c.Tables {
		out := table{name: t.Name}
		for _, e := range t.Entries {
			out.cells = append(out.cells, newCell(e.Xlated, e.Jitted))
		}
		s.tables = append(s.tables, out)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Symbols)) {
		s.addSymbol(name, c.Symbols[name])
	}
	return s, s.check()
}
