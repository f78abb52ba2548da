package abstract

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/bpfcfg/bpfcfg/abstract/scalar"
	"github.com/bpfcfg/bpfcfg/cfg"
)

// EntryText returns the facts at the entry of a block in the manner of the
// verifier's log, one line for each state that is kept apart:
//
//	R1=scalar(smin=smin32=0,smax=umax=smax32=umax32=14,var_off=(0x0; 0xf)) R10=fp0
//
// Registers that nothing reads any more, or that hold anything, are left out.
// Several lines begin with the state's number. A block that cannot be reached
// has none.
func (f *Facts) EntryText(b cfg.BlockID) []string {
	var out []string
	t := f.Texts()
	states := f.statesAt(b)
	for i, s := range states {
		line := t.line(s)
		if len(states) > 1 {
			line = fmt.Sprintf("%d: %s", i+1, line)
		}
		out = append(out, line)
	}
	return out
}

// Known is what is known of a register or stack slot: "R1", "fp-8", and the value;
// nothing if that is empty. Both are numbers of Texts.Text.
type Known struct{ Place, Text int }

// Texts writes the facts of many blocks. States share most values, and many values have the same
// text: it writes the text of each value once, and numbers the texts.
type Texts struct {
	f       *Facts
	last    *State   // the last one written, nil at first
	before  []*State // of the last block written that has any
	values  map[*Value]int
	places  map[where]int
	numbers map[string]int
	texts   []string // by number
	buf     []byte
}

// where is a register, whose frame is -1, or a slot of a frame.
type where struct{ frame, i int }

// Texts returns a writer of the facts.
func (f *Facts) Texts() *Texts {
	return &Texts{f: f, values: map[*Value]int{}, places: map[where]int{}, numbers: map[string]int{"": 0},
		texts: []string{""}}
}

// Text returns the text of a number. That of 0 is empty.
func (t *Texts) Text(number int) string { return t.texts[number] }

// number returns the number of a text.
func (t *Texts) number(text []byte) int {
	n, ok := t.numbers[string(text)]
	if !ok {
		n = len(t.texts)
		t.texts = append(t.texts, string(text))
		t.numbers[t.texts[n]] = n
	}
	return n
}

// Reset forgets which states were written.
func (t *Texts) Reset() { t.last, t.before = nil, nil }

// Changes returns the differences of each state that EntryText has of a block from its base: the
// state with the same number of the last block written that has states, which mostly came by the
// same paths. If that block has fewer states, the base is the state written before; that of the
// very first is the empty state.
func (t *Texts) Changes(b cfg.BlockID) [][]Known {
	states := t.f.statesAt(b)
	out := make([][]Known, 0, len(states))
	for i, s := range states {
		if i < len(t.before) {
			t.last = t.before[i]
		}
		out = append(out, t.changes(s))
		t.last = s
	}
	if len(states) > 0 {
		t.before = states
	}
	return out
}

// changes returns the differences of a state from its base.
func (t *Texts) changes(s *State) []Known {
	if t.last == nil {
		return t.state(s)
	}
	var out []Known
	for r := range max(s.values(), t.last.values()) {
		v, old := s.value(r), t.last.value(r)
		if v == old {
			continue
		}
		if text := t.register(v); text != t.register(old) {
			out = append(out, Known{t.place(-1, r), text})
		}
	}
	for i := range max(len(s.frames), len(t.last.frames)) {
		for j := range len(frame{}.groups) {
			if a, b := t.last.group(i, j), s.group(i, j); a != b {
				out = t.slots(out, a, b, i, j)
			}
		}
	}
	return out
}

// slots adds the slots of a group of a frame that differ from those of the group before.
func (t *Texts) slots(out []Known, before, now *group, frame, i int) []Known {
	if before == nil {
		before = &noSlots
	}
	if now == nil {
		now = &noSlots
	}
	for j := range now {
		if now[j] == before[j] {
			continue
		}
		if text := t.slot(&now[j]); text != t.slot(&before[j]) {
			out = append(out, Known{t.place(frame, i*groupSlots+j), text})
		}
	}
	return out
}

var noSlots group

// group returns a group of slots of a frame, nil if it has none.
func (s *State) group(frame, i int) *group {
	if frame >= len(s.frames) {
		return nil
	}
	return s.frames[frame].groups[i]
}

// state returns what a state holds of registers and stack slots.
func (t *Texts) state(s *State) []Known {
	var out []Known
	for r := range s.values() {
		if v := s.value(r); v != nil {
			out = append(out, Known{t.place(-1, r), t.value(v)})
		}
	}
	for i, f := range s.frames {
		for j, g := range f.groups {
			if g != nil {
				out = t.slots(out, nil, g, i, j)
			}
		}
	}
	return out
}

// place returns the number of the name of a register, or of a slot of a frame.
func (t *Texts) place(frame, i int) int {
	at := where{frame, i}
	n, ok := t.places[at]
	if !ok {
		n = t.number([]byte(at.name()))
		t.places[at] = n
	}
	return n
}

func (p where) name() string {
	switch {
	case p.frame < 0:
		return "R" + strconv.Itoa(p.i)
	case p.frame > 0:
		return fmt.Sprintf("fp[%d]-%d", p.frame, 8*(p.i+1))
	}
	return "fp-" + strconv.Itoa(8*(p.i+1))
}

// register returns what is known of a register, nothing for none.
func (t *Texts) register(v *Value) int {
	if v == nil {
		return 0
	}
	return t.value(v)
}

func (t *Texts) value(v *Value) int {
	n, ok := t.values[v]
	if !ok {
		t.buf = v.appendText(t.buf[:0])
		n = t.number(t.buf)
		t.values[v] = n
	}
	return n
}

// slot returns what is known of a slot, nothing for none.
func (t *Texts) slot(s *slot) int {
	if !s.present() || !s.known() {
		return 0
	}
	return t.stored(s)
}

// stored returns the slot's value, or its bytes as the kernel prints them, highest address
// first: m for anything, 0 for zero.
func (t *Texts) stored(s *slot) int {
	if s.val != nil && s.spilled() == 8 {
		return t.value(s.val)
	}
	value := ""
	if s.val != nil {
		value = " " + t.Text(t.value(s.val))
	}
	t.buf = t.buf[:0]
	for i := range s.bytes {
		t.buf = append(t.buf, "?m0rmm"[s.bytes[7-i]])
	}
	return t.number(append(t.buf, value...))
}

// line returns a state in one line.
func (t *Texts) line(s *State) string {
	var b strings.Builder
	for i, k := range t.state(s) {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(t.Text(k.Place) + "=" + t.Text(k.Text))
	}
	return b.String()
}

// String returns the registers and stack slots of which something is known.
func (s *State) String() string { return (*Facts)(nil).Texts().line(s) }

// String returns the value as the kernel prints it, alternatives with " or "
// between.
func (v *Value) String() string { return string(v.appendText(nil)) }

// appendText appends what String returns.
func (v *Value) appendText(b []byte) []byte {
	if v == nil {
		return append(b, '?')
	}
	b = v.Alt.appendText(b, v)
	for i := range v.more() {
		b = v.more()[i].appendText(append(b, " or "...), v)
	}
	return b
}

// appendText appends one alternative of v.
func (a *Alt) appendText(b []byte, v *Value) []byte {
	c, isConst := a.Off.IsConst()
	switch {
	case a.Kind == Number && isConst:
		return appendSigned(b, int64(c))
	case a.Kind == Stack:
		b = append(b, "fp"...)
		if a.Obj > 0 {
			b = append(strconv.AppendInt(append(b, '['), int64(a.Obj), 10), ']')
		}
		if isConst {
			return appendSigned(b, int64(c))
		}
		return append(fieldList{append(b, '('), len(b) + 1}.ranges(a.Off).text, ')')
	}
	b = append(append(b, typeName(a)...), '(')
	f := fieldList{b, len(b)}
	if v.id != 0 {
		f.number("id=", int64(v.id))
		if v.add != 0 {
			f.text = appendPlus(f.text, v.delta)
		}
	}
	switch a.Kind {
	case MapPtr, MapValue:
		if a.Obj < 0 {
			f.number("in_map=", int64(^a.Obj))
			break
		}
		f.number("map=", int64(a.Obj))
	case Table, Insn, TablePtr:
		f.number("table=", int64(a.Obj))
	case Code:
		f.number("map=", int64(a.Obj))
	case Func:
		f.number("func=", int64(a.Obj))
	}
	switch {
	case !isConst:
		f = f.ranges(a.Off)
	case c != 0:
		f.next("imm=")
		f.text = appendSigned(f.text, int64(c))
	}
	if a.Kind == Number && a.flags&maybePtr != 0 && a.Off == unknown {
		f.next("or_ptr")
	}
	return append(f.text, ')')
}

// fieldList is a list with commas between, the first of which begins at start.
type fieldList struct {
	text  []byte
	start int
}

// next begins a field.
func (f *fieldList) next(name string) {
	if len(f.text) > f.start {
		f.text = append(f.text, ',')
	}
	f.text = append(f.text, name...)
}

func (f *fieldList) number(name string, n int64) {
	f.next(name)
	f.text = strconv.AppendInt(f.text, n, 10)
}

// ranges adds the bounds that say anything, as Linux 7.3 writes them
// (kernel/bpf/log.c, print_scalar_ranges): equal ones share their number, and numbers of
// more than 16 bits are hexadecimal.
func (f fieldList) ranges(s scalar.S) fieldList {
	u := &unknown
	bounds := [...]bound{
		{"smin=", uint64(s.Smin()), s.Smin() == u.Smin()},
		{"smax=", uint64(s.Smax()), s.Smax() == u.Smax()},
		{"umin=", s.Umin(), s.Umin() == 0},
		{"umax=", s.Umax(), s.Umax() == u.Umax()},
		{"smin32=", widened(s.S32min()), s.S32min() == u.S32min()},
		{"smax32=", widened(s.S32max()), s.S32max() == u.S32max()},
		{"umin32=", uint64(s.U32min()), s.U32min() == 0},
		{"umax32=", uint64(s.U32max()), s.U32max() == u.U32max()},
	}
	for i := range bounds {
		b := &bounds[i]
		if b.silent {
			continue
		}
		f.next(b.name)
		for k := i + 2; k < len(bounds); k += 2 { // minima with minima, maxima with maxima
			if o := &bounds[k]; !o.silent && o.value == b.value && o.negative() == b.negative() {
				o.silent = true
				f.text = append(f.text, o.name...)
			}
		}
		if b.name[0] == 's' {
			f.text = appendSigned(f.text, int64(b.value))
		} else {
			f.text = appendUnsigned(f.text, b.value)
		}
	}
	if s.Var != u.Var {
		f.next("var_off=")
		f.text = append(appendHex(append(f.text, '('), s.Var.Value), "; "...)
		f.text = append(appendHex(f.text, s.Var.Mask), ')')
	}
	return f
}

// bound is a limit of a number; it is silent when it says nothing.
type bound struct {
	name   string // with "=" at its end
	value  uint64
	silent bool
}

// negative reports whether the bound is a signed one below 0.
func (b *bound) negative() bool { return b.name[0] == 's' && int64(b.value) < 0 }

// widened returns a bound of 32 bits as 64: with its sign where it is written as a
// decimal number, since -2 is the same in both widths and 0xfffffffe is not.
func widened(n int32) uint64 {
	if n >= math.MinInt16 && n <= math.MaxInt16 {
		return uint64(int64(n))
	}
	return uint64(uint32(n))
}

// appendSigned writes a number as the kernel writes signed ones.
func appendSigned(b []byte, n int64) []byte {
	if n >= math.MinInt16 && n <= math.MaxInt16 {
		return strconv.AppendInt(b, n, 10)
	}
	return appendHex(b, uint64(n))
}

// appendUnsigned writes a number as the kernel writes unsigned ones.
func appendUnsigned(b []byte, n uint64) []byte {
	if n <= math.MaxUint16 {
		return strconv.AppendUint(b, n, 10)
	}
	return appendHex(b, n)
}

func appendHex(b []byte, n uint64) []byte { return strconv.AppendUint(append(b, "0x"...), n, 16) }

// appendPlus writes a number with its sign.
func appendPlus(b []byte, n int32) []byte {
	if n >= 0 {
		b = append(b, '+')
	}
	return strconv.AppendInt(b, int64(n), 10)
}
