package load

import (
	"errors"
	"fmt"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// linker makes one program. It copies functions one after the other, in the order in which the
// program first needs them, and points their operands to the new places.
type linker struct {
	o      *object
	p      *bytecode.Program
	start  []bytecode.PC   // by function of the object: its first slot, notPlaced if it has none
	placed []int           // functions by slot
	ops    []placedOperand // relocated instructions, in order of placing
	maps   map[int]int     // map of the object → map of the program
	tables map[place]int   // place in .jumptables → table of the program
	callx  bool            // the program has an indirect call

	reported  map[string]bool // oddities in Diags, so that each is reported once
	exception int             // exception callback, -1 if there is none
}

// notPlaced is the slot of a function that the program does not have.
const notPlaced bytecode.PC = -1

// placedOperand is an operand with the slot of its instruction in the program.
type placedOperand struct {
	pc bytecode.PC
	operand
}

// errTooMuch reports that an object would produce more than MaxLinked, or much more than its size
// justifies. It is the same for all later programs.
var errTooMuch = fmt.Errorf("programs of the object exceed 2 slots, table entries and code pointers for each byte of "+
	"the file, or %d in all: load fewer programs at once: %w", MaxLinked, ErrTooLarge)

// link makes the program whose entry is the function fn.
func (o *object) link(fn int) (*bytecode.Program, error) {
	f := &o.funcs[fn]
	sec := o.f.sections[f.sec].name
	l := &linker{
		o:     o,
		p:     &bytecode.Program{Name: f.name, Section: sec},
		start: o.start,
		maps:  map[int]int{}, tables: map[place]int{},
		reported: map[string]bool{}, exception: -1,
	}
	defer func() { // the next program places its own
		for _, fn := range l.placed {
			l.start[fn] = notPlaced
		}
	}()
	setType(l.p)
	if o.textual {
		l.diag(bytecode.OddText)
	}
	if err := l.place(fn); err != nil {
		return nil, err
	}
	if err := l.placeException(); err != nil {
		return nil, err
	}
	if err := l.placePointees(); err != nil {
		return nil, err
	}
	if err := l.fill(); err != nil {
		return nil, err
	}
	return l.p, nil
}

// diag records an oddity of the program.
func (l *linker) diag(format string, args ...any) {
	n := len(l.p.Diags)
	if l.o.reported >= MaxAllDiags {
		if n == 0 {
			l.p.Diags = []string{"diagnostics omitted: the programs of this object have too many"}
		}
		return
	}
	addDiag(&l.p.Diags, format, args...)
	l.o.reported += len(l.p.Diags) - n
}

// at puts the place of an instruction before an error.
func (l *linker) at(fn int, slot bytecode.PC, err error) error {
	f := &l.o.funcs[fn]
	return fmt.Errorf("function %q: slot %d: %w", f.name, slot-f.off, err)
}

// place appends a function and everything that it calls or takes the address
// of, each at its first mention, depth first: while a callee is processed its
// caller waits (bpf_object__reloc_code in tools/lib/bpf/libbpf.c).
func (l *linker) place(fn int) error {
	if l.start[fn] != notPlaced {
		return nil
	}
	if err := l.appendCode(fn); err != nil {
		return err
	}
	stack := []cursor{l.cursor(fn)}
	for len(stack) > 0 {
		c := &stack[len(stack)-1]
		callee, err := l.advance(c)
		if err != nil {
			return err
		}
		if callee < 0 {
			stack = stack[:len(stack)-1]
			continue
		}
		if err := l.appendCode(callee); err != nil {
			return l.at(c.fn, c.slot-1, err)
		}
		l.setCallee(l.pcOf(c.fn, c.slot-1), callee)
		stack = append(stack, l.cursor(callee))
	}
	return nil
}

// cursor walks the slots and relocations of a function.
type cursor struct {
	fn     int
	slot   bytecode.PC // next slot, in the section
	relocs []reloc     // from the next slot on
}

// cursor returns one at the start of a function.
func (l *linker) cursor(fn int) cursor {
	f := &l.o.funcs[fn]
	lo, hi := uint64(f.off)*bytecode.SlotSize, uint64(f.off+f.len)*bytecode.SlotSize
	return cursor{fn: fn, slot: f.off, relocs: l.o.f.sections[f.sec].relocsIn(lo, hi)}
}

// pcOf returns the new place of a slot of a section, by the function that it belongs to.
func (l *linker) pcOf(fn int, slot bytecode.PC) bytecode.PC {
	return l.start[fn] + slot - l.o.funcs[fn].off
}

// appendCode copies a function after the others.
func (l *linker) appendCode(fn int) error {
	f := &l.o.funcs[fn]
	if f.err != nil {
		return fmt.Errorf("function %q: %w", f.name, f.err)
	}
	pc := l.p.Len()
	if most := l.o.limits.insns(); int(pc+f.len) > most {
		return fmt.Errorf("more than %d slots: %w", most, ErrTooLarge)
	}
	if err := l.spend(int(f.len)); err != nil {
		return err
	}
	l.start[fn] = pc
	l.placed = append(l.placed, fn)
	l.p.Insns = append(l.p.Insns, l.o.code[f.sec][f.off:f.off+f.len]...)
	return nil
}

// spend subtracts n from the budget of the object.
func (l *linker) spend(n int) error {
	if n > l.o.left {
		l.o.left = 0
		return errTooMuch
	}
	l.o.left -= n
	return nil
}

// advance moves the cursor to the next reference to a function that is not placed yet, and
// returns that function, or -1 at the end of the cursor's own function.
func (l *linker) advance(c *cursor) (int, error) {
	f := &l.o.funcs[c.fn]
	code := l.o.code[f.sec]
	for c.slot < f.off+f.len {
		slot := c.slot
		in := code[slot]
		c.slot++
		op, err := l.operandAt(c, in, slot)
		if err != nil {
			return -1, l.at(c.fn, slot, err)
		}
		l.callx = l.callx || in.IsCallx()
		if op.kind == operandNone {
			continue
		}
		pc := l.pcOf(c.fn, slot)
		if op.odd != "" && !l.reported[op.odd] {
			l.reported[op.odd] = true
			if op.kind == operandOpaque {
				l.o.undefined.add(op.name, l.p.Name)
			}
			l.diag("slot %d: %s", pc, op.odd)
		}
		l.ops = append(l.ops, placedOperand{pc, op})
		if op.kind != operandCall && op.kind != operandFunc {
			continue
		}
		if l.start[op.fn] == notPlaced {
			return op.fn, nil
		}
		l.setCallee(pc, op.fn)
	}
	return -1, nil
}

// operandAt returns the operand of the instruction at a slot and consumes its relocations. A call
// without a relocation goes to a function of the same section.
func (l *linker) operandAt(c *cursor, in bytecode.Insn, slot bytecode.PC) (operand, error) {
	off := uint64(slot) * bytecode.SlotSize
	var rs []reloc
	for len(c.relocs) > 0 && c.relocs[0].off < off+bytecode.SlotSize {
		rs, c.relocs = append(rs, c.relocs[0]), c.relocs[1:]
	}
	switch {
	case len(rs) > 1:
		return operand{}, fmt.Errorf("%d relocations on one instruction: %w", len(rs), ErrTruncated)
	case len(rs) == 1 && rs[0].off != off:
		return operand{}, fmt.Errorf("relocation in the middle of a slot: %w", ErrTruncated)
	case len(rs) == 1:
		return l.o.resolve(in, rs[0])
	case in.IsSubprogramCall():
		return l.o.callee(operandCall, l.o.funcs[c.fn].sec, int64(slot)+int64(in.Imm)+1)
	case in.IsWide() && in.Src == bytecode.LdFunc:
		return operand{}, errors.New("address of a subprogram without relocation")
	}
	return operand{}, nil
}

// setCallee points a call or a function address to the new place of the function.
func (l *linker) setCallee(pc bytecode.PC, fn int) {
	in := &l.p.Insns[pc]
	in.Imm = int32(l.start[fn] - pc - 1)
	if in.IsWide() {
		in.Src = bytecode.LdFunc
	}
}

// placePointees appends the functions that the program's data sections point to, if the program
// has an indirect call that could reach them. Libbpf 1.8 leaves them out, because no kernel up to
// Linux 7.3 accepts indirect calls.
func (l *linker) placePointees() error {
	seen := map[int]bool{}
	for next := 0; next < len(l.ops) && l.callx; next++ {
		op := l.ops[next]
		if op.kind != operandValue || seen[op.index] {
			continue
		}
		seen[op.index] = true
		for _, c := range l.o.maps.cells[op.index] {
			fn := l.o.funcAt(c.sec, c.target/bytecode.SlotSize)
			if fn < 0 || !l.o.isStart(fn, c) {
				continue
			}
			if err := l.place(fn); err != nil {
				return err
			}
		}
	}
	return nil
}

// isStart reports whether a code pointer points to the first slot of the function.
func (o *object) isStart(fn int, c cell) bool {
	return c.target == int64(o.funcs[fn].off)*bytecode.SlotSize
}

// placeException appends the exception callback of the program, which BTF
// names by a declaration tag (bpf_prog_assign_exc_cb in libbpf).
func (l *linker) placeException() error {
	entry := l.placed[0]
	names := l.o.callbacks(l.o.funcs[entry].name)
	if l.p.ExceptionTags = len(names); len(names) > 1 {
		l.diag("%d exception callbacks, the kernel takes one", len(names))
	}
	if len(names) != 1 {
		return nil
	}
	if fn, ok := l.o.visible[names[0]]; ok {
		l.exception = fn
		return l.place(fn)
	}
	return fmt.Errorf("exception callback %q is not a global function in .text", names[0])
}

// callbacks returns the exception callbacks that BTF names for a function.
func (o *object) callbacks(entry string) []string {
	id, ok := o.types.find(kindFunc, entry)
	if !ok {
		return nil
	}
	return o.callbacksOf(id)
}
