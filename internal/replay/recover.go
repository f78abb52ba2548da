package replay

import (
	"fmt"
	"maps"
	"slices"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/jit"
)

// maxRounds bounds how often a program is compiled to find the inputs that its dump hides. Each
// round settles at least the next place in the program that no line record gives; with line records
// one round is enough.
const maxRounds = 24

// learned holds the facts that the programs of one machine share. It grows with
// the file: an address that was read from the code of one program is
// independent evidence for the next.
type learned struct {
	symbols  map[string]uint64
	callBase uint64 // __bpf_call_base: the address from which helper numbers in a dump count
	thunked  map[uint64]bool
	offsets  *tailOffsets
}

// tailOffsets are the structure offsets that an indirect tail call holds.
type tailOffsets struct{ maxEntries, ptrs, bpfFunc int }

func newLearned() *learned {
	return &learned{symbols: map[string]uint64{}, thunked: map[uint64]bool{}}
}

// adopt takes the facts from a program whose code matched. Facts from other programs are not used.
func (l *learned) adopt(from *learned) {
	if from.callBase != 0 {
		l.callBase = from.callBase
	}
	maps.Copy(l.symbols, from.symbols)
	maps.Copy(l.thunked, from.thunked)
	if from.offsets != nil {
		l.offsets = from.offsets
	}
}

// A recovery finds the inputs of the JIT that a dump does not hold.
type recovery struct {
	s    *sample
	prof jit.Profile
	file *learned // from programs before
	own  *learned // from this one
	prog *jit.Program

	entries []entry
	lineOff map[bytecode.PC]int    // where an instruction's code begins in s.code
	bases   map[baseKey]reading    // addresses of maps
	calls   map[bytecode.PC]uint64 // callees
	notes   []string               // inputs that were read from the code itself
	noted   map[string]bool
}

// reading is a number that was read from recorded code. It is sure if a line record gives
// the place. Otherwise the place follows from the code before it, and the number is read
// again when that changes.
type reading struct {
	value uint64
	from  bytecode.PC // instruction that it was read from
	sure  bool
}

// baseKey names a map, or its value, by the number in the dump.
type baseKey struct {
	kind bytecode.RefKind
	id   int
}

// note records that an input was read from the same bytes that it is used to check.
func (r *recovery) note(format string, args ...any) {
	n := fmt.Sprintf(format, args...)
	if !r.noted[n] {
		r.noted[n] = true
		r.notes = append(r.notes, n)
	}
}

// compile compiles the sample. It returns the image, and how its inputs were
// found, which is never nil.
func compile(s *sample, prof jit.Profile, file *learned) (*jit.Image, *recovery, error) {
	r := &recovery{
		s: s, prof: prof, file: file, own: newLearned(),
		bases: map[baseKey]reading{}, calls: map[bytecode.PC]uint64{},
		lineOff: map[bytecode.PC]int{}, noted: map[string]bool{},
	}
	starts, err := functionStarts(s)
	if err != nil {
		return nil, r, err
	}
	r.applyOffsets(file.offsets)
	r.build(starts)
	var img *jit.Image
	for range maxRounds {
		changed := r.learn(img)
		if img != nil && !changed {
			break
		}
		if img, err = jit.Compile(r.prog, r.prof); err != nil {
			return nil, r, err
		}
	}
	return img, r, nil
}

// functionStarts returns the first slot of each function: calls and function
// addresses in a dump hold the number of their function and, if it fits, the
// distance; line records and function records give the others.
func functionStarts(s *sample) ([]bytecode.PC, error) {
	starts := make([]bytecode.PC, len(s.funcs))
	for i := range starts {
		starts[i] = -1
	}
	starts[0] = 0
	set := func(fn int, pc bytecode.PC) {
		if fn > 0 && fn < len(starts) && pc > 0 && int(pc) < len(s.dump) && starts[fn] < 0 {
			starts[fn] = pc
		}
	}
	for pc := 0; pc < len(s.dump); pc += int(s.dump[pc].Slots()) {
		in := s.dump[pc]
		switch {
		case in.IsSubprogramCall() && in.Off != 0:
			set(int(in.Imm), bytecode.PC(pc+1+int(in.Off)))
		case in.IsWide() && in.Src == bytecode.LdFunc && pc+1 < len(s.dump):
			set(int(s.dump[pc+1].Imm), bytecode.PC(pc+1+int(in.Imm)))
		}
	}
	for _, l := range s.lines {
		if l.off == 0 {
			set(l.fn, l.slot)
		}
	}
	for i, pc := range s.starts {
		set(i, pc)
	}
	for i, pc := range starts {
		if pc < 0 {
			return nil, fmt.Errorf("the first slot of function %d is unknown", i)
		}
		if i > 0 && pc <= starts[i-1] {
			return nil, fmt.Errorf("function %d begins at slot %d, not after function %d", i, pc, i-1)
		}
	}
	return starts, nil
}

// build makes the program with everything that is known without code other than prologues.
func (r *recovery) build(starts []bytecode.PC) {
	s := r.s
	p := &jit.Program{Insns: slices.Clone(s.dump), ArenaUsed: s.arena, UserStart: s.userVM}
	r.prog = p
	for i, start := range starts {
		end := bytecode.PC(len(s.dump))
		if i+1 < len(starts) {
			end = starts[i+1]
		}
		f := jit.Func{Start: start, End: end}
		if i < len(s.names) {
			f.Name = s.names[i]
		}
		p.Funcs = append(p.Funcs, f)
		p.Addresses.Funcs = append(p.Addresses.Funcs, s.funcs[i].addr)
		code := s.code[s.funcs[i].off:][:s.funcs[i].len]
		r.entries = append(r.entries, readEntry(code, &r.prof, i == 0))
		r.lineOff[start] = s.funcs[i].off + r.entries[i].len
	}
	for _, l := range s.lines {
		if l.off != 0 && l.slot != starts[l.fn] && r.inFunc(l.fn, l.slot) {
			r.lineOff[l.slot] = s.funcs[l.fn].off + l.off
		}
	}
	r.hiddenCallback()
	r.operands()
	r.functionInputs()
	r.indirectTargets()
	for _, t := range s.tables {
		var slots []bytecode.PC
		for _, c := range t.cells {
			slots = append(slots, c.slot)
		}
		p.Tables = append(p.Tables, slots)
	}
	p.Addresses.Value = r.value
	p.Addresses.Symbol = r.symbol
	p.Addresses.Thunked = func(ref bytecode.Ref) bool {
		callee := r.calls[ref.PC]
		if own, ok := r.own.thunked[callee]; ok {
			return own
		}
		return r.file.thunked[callee]
	}
}

// inFunc reports whether a slot lies in a function.
func (r *recovery) inFunc(fn int, slot bytecode.PC) bool {
	return slot >= r.prog.Funcs[fn].Start && slot < r.prog.Funcs[fn].End
}

// hiddenCallback splits off the exception callback that the verifier appends
// to a program which throws and has none: its two slots are in the dump, its
// code is not.
func (r *recovery) hiddenCallback() {
	p := r.prog
	first := &p.Funcs[0]
	first.ExceptionBoundary = r.entries[0].savesArena && !r.s.arena
	if !first.ExceptionBoundary {
		return
	}
	if _, ok := r.s.symbols["bpf_throw"]; !ok {
		r.note("the program throws")
	}
	for i := range p.Funcs {
		p.Funcs[i].ExceptionCallback = r.entries[i].callback
		if r.entries[i].callback {
			if r.s.callback != i {
				r.note("function %d is the exception callback", i)
			}
			return
		}
	}
	n := bytecode.PC(len(p.Insns))
	last := &p.Funcs[len(p.Funcs)-1]
	if n-last.Start > 2 && p.Insns[n-1].Code == bytecode.CodeExit && p.Insns[n-2].Code == 0xbf {
		last.End = n - 2
		p.Funcs = append(p.Funcs, jit.Func{
			Name: "hidden exception callback", Start: n - 2, End: n, ExceptionCallback: true, Hidden: true,
		})
	}
}

// operands turns the dump's numbers back into the JIT's input, and lists the operands that need an
// address.
func (r *recovery) operands() {
	p := r.prog
	for i := 0; i < len(p.Insns); i += int(p.Insns[i].Slots()) {
		in := &p.Insns[i]
		ref := bytecode.Ref{PC: bytecode.PC(i)}
		if len(p.Funcs) == 1 {
			unlinked(in)
		}
		switch {
		case in.IsWide() && i+1 < len(p.Insns):
			second := p.Insns[i+1].Imm
			switch in.Src {
			case bytecode.LdMapFD:
				ref.Kind, ref.Index = bytecode.RefMap, int(in.Imm)
			case bytecode.LdMapValue:
				ref.Kind, ref.Index, ref.Off = bytecode.RefMapValue, int(in.Imm), int64(uint32(second))
			case bytecode.LdFunc:
				ref.Kind, ref.Index = bytecode.RefFunc, i+1+int(in.Imm)
			default:
				continue
			}
		case in.IsSubprogramCall():
			ref.Kind = bytecode.RefFunc
			if int(in.Imm) >= 0 && int(in.Imm) < len(p.Funcs) {
				ref.Index = int(p.Funcs[in.Imm].Start)
			}
			in.Imm, in.Off = int32(ref.Index-i-1), 0
		case in.IsHelperCall() && in.Imm != bytecode.HelperTailCall:
			ref.Kind, ref.Index = bytecode.RefHelper, int(in.Imm)
		case in.IsKfuncCall():
			ref.Kind, ref.Index = bytecode.RefKfunc, int(in.Imm)
		default:
			continue
		}
		p.Refs = append(p.Refs, ref)
	}
	r.mapIndexLoads()
}

// unlinked turns a reference to a removed function into the form that the JIT assumes. Functions
// are linked only if there are several (kernel/bpf/fixups.c jit_subprogs, Linux 7.3): in a program
// of one function, a distance is a number like any other.
func unlinked(in *bytecode.Insn) {
	switch {
	case in.IsWide() && in.Src == bytecode.LdFunc:
		in.Src = bytecode.LdImm64
	case in.IsSubprogramCall():
		if in.Src = 0; in.Off != 0 { // where dumps of 7.3 have the distance, those of 6.19 in Imm
			in.Imm, in.Off = int32(in.Off), 0
		}
	}
}

// mapIndexLoads restores the source field of loads that named their map by an index in fd_array.
// The dump shows another number there, and the JIT of a program with several functions counts the
// field as a use of R6.
func (r *recovery) mapIndexLoads() {
	if len(r.prog.Funcs) < 2 {
		return
	}
	for _, l := range r.s.lines {
		if l.insn < 0 || l.insn >= len(r.s.source) || !r.prog.Insns[l.slot].IsWide() {
			continue
		}
		src := r.s.source[l.insn]
		if src.IsWide() && src.Src == bytecode.LdMapIdxValue && r.prog.Insns[l.slot].Src == bytecode.LdMapValue {
			r.prog.Insns[l.slot].Src = src.Src
		}
	}
}

// funcOf returns the recorded function that contains a slot.
func (r *recovery) funcOf(slot bytecode.PC) int {
	for i := len(r.s.funcs) - 1; i > 0; i-- {
		if slot >= r.prog.Funcs[i].Start {
			return i
		}
	}
	return 0
}
