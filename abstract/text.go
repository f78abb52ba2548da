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
// nothing if that is empty.
type Known struct{ Place, Text string }

// Texts writes the facts of many blocks. States share most values: it writes the text
// of each once.
type Texts struct {
	f      *Facts
	last   *State // told last, nil at first
	values map[*Value]string
}

// Texts returns a writer of the facts.
func (f *Facts) Texts() *Texts {
	return &Texts{f: f, values: map[*Value]string{}}
}

// Reset forgets which state was told last.
func (t *Texts) Reset() { t.last = nil }

// Changes returns, for each state that EntryText has of a block, in what it differs
// from the state told before.
func (t *Texts) Changes(b cfg.BlockID) [][]Known {
	states := t.f.statesAt(b)
	out := make([][]Known, 0, len(states))
	for _, s := range states {
		out = append(out, t.changes(s))
		t.last = s
	}
	return out
}

// changes returns in what a state differs from the last one.
func (t *Texts) changes(s *State) []Known {
	if t.last == nil {
		return t.state(s)
	}
	var out []Known
	for r, v := range s.regs {
		if old := t.last.regs[r]; v != old && t.register(v) != t.register(old) {
			out = append(out, Known{registerNames[r], t.register(v)})
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
			out = append(out, Known{slotName(frame, i, j), text})
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
	for r, v := range s.regs {
		if v != nil {
			out = append(out, Known{registerNames[r], t.value(v)})
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

var registerNames = func() (names [numValues]string) {
	for r := range names {
		names[r] = fmt.Sprintf("R%d", r)
	}
	return
}()

// slotName returns the name of a slot in a group of a frame.
func slotName(frame, group, slot int) string {
	name := strconv.Itoa(8 * (group*groupSlots + slot + 1))
	if frame > 0 {
		return fmt.Sprintf("fp[%d]-%s", frame, name)
	}
	return "fp-" + name
}

// register returns what is known of a register, nothing for none.
func (t *Texts) register(v *Value) string {
	if v == nil {
		return ""
	}
	return t.value(v)
}

func (t *Texts) value(v *Value) string {
	text, ok := t.values[v]
	if !ok {
		text = v.String()
		t.values[v] = text
	}
	return text
}

// slot returns what is known of a slot, nothing for none.
func (t *Texts) slot(s *slot) string {
	if !s.present() || !s.known() {
		return ""
	}
	return s.text(t)
}

// line returns a state in one line.
func (t *Texts) line(s *State) string {
	var b strings.Builder
	for i, k := range t.state(s) {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(k.Place + "=" + k.Text)
	}
	return b.String()
}

// String returns the registers and stack slots of which something is known.
func (s *State) String() string { return (*Facts)(nil).Texts().line(s) }

// text returns the slot's value, or its bytes as the kernel prints them,
// highest address first: m for anything, 0 for zero.
func (s *slot) text(t *Texts) string {
	if s.val != nil && s.spilled() == 8 {
		return t.value(s.val)
	}
	var b strings.Builder
	for i := 7; i >= 0; i-- {
		b.WriteByte("?m0rm"[s.bytes[i]])
	}
	if s.val != nil {
		b.WriteString(" " + t.value(s.val))
	}
	return b.String()
}

// String returns the value as the kernel prints it, alternatives with " or "
// between.
func (v *Value) String() string {
	if v == nil {
		return "?"
	}
	var parts []string
	v.each(func(a *Alt) { parts = append(parts, a.text(v)) })
	return strings.Join(parts, " or ")
}

// text returns one alternative of v.
func (a *Alt) text(v *Value) string {
	var fields []string
	if v.id != 0 {
		id := fmt.Sprintf("id=%d", v.id)
		if v.add != 0 {
			id += fmt.Sprintf("%+d", v.delta)
		}
		fields = append(fields, id)
	}
	c, isConst := a.Off.IsConst()
	switch a.Kind {
	case Number:
		if isConst {
			return signedText(int64(c))
		}
	case Stack:
		name := "fp"
		if a.Obj > 0 {
			name = fmt.Sprintf("fp[%d]", a.Obj)
		}
		if isConst {
			return name + signedText(int64(c))
		}
		return name + "(" + strings.Join(rangeFields(a.Off), ",") + ")"
	case MapPtr, MapValue:
		if a.Obj < 0 {
			fields = append(fields, fmt.Sprintf("in_map=%d", ^a.Obj))
			break
		}
		fields = append(fields, fmt.Sprintf("map=%d", a.Obj))
	case Table, Insn, TablePtr:
		fields = append(fields, fmt.Sprintf("table=%d", a.Obj))
	case Code:
		fields = append(fields, fmt.Sprintf("map=%d", a.Obj))
	case Func:
		fields = append(fields, fmt.Sprintf("func=%d", a.Obj))
	}
	switch {
	case !isConst:
		fields = append(fields, rangeFields(a.Off)...)
	case c != 0:
		fields = append(fields, "imm="+signedText(int64(c)))
	}
	if a.Kind == Number && a.flags&maybePtr != 0 && a.Off == unknown {
		fields = append(fields, "or_ptr")
	}
	return typeName(a) + "(" + strings.Join(fields, ",") + ")"
}

// rangeFields returns the bounds that say anything, as Linux 7.3 writes them
// (kernel/bpf/log.c, print_scalar_ranges): equal ones share their number, and numbers of
// more than 16 bits are hexadecimal.
func rangeFields(s scalar.S) []string {
	u := scalar.Unknown()
	bounds := []bound{
		{"smin", uint64(s.Smin()), s.Smin() == u.Smin()},
		{"smax", uint64(s.Smax()), s.Smax() == u.Smax()},
		{"umin", s.Umin(), s.Umin() == 0},
		{"umax", s.Umax(), s.Umax() == u.Umax()},
		{"smin32", widened(s.S32min()), s.S32min() == u.S32min()},
		{"smax32", widened(s.S32max()), s.S32max() == u.S32max()},
		{"umin32", uint64(s.U32min()), s.U32min() == 0},
		{"umax32", uint64(s.U32max()), s.U32max() == u.U32max()},
	}
	var out []string
	for i, b := range bounds {
		if b.silent {
			continue
		}
		names := b.name + "="
		for k := i + 2; k < len(bounds); k += 2 { // minima with minima, maxima with maxima
			if o := &bounds[k]; !o.silent && o.value == b.value && o.negative() == b.negative() {
				o.silent = true
				names += o.name + "="
			}
		}
		if b.name[0] == 's' {
			out = append(out, names+signedText(int64(b.value)))
		} else {
			out = append(out, names+unsignedText(b.value))
		}
	}
	if s.Var != u.Var {
		out = append(out, fmt.Sprintf("var_off=%v", s.Var))
	}
	return out
}

// bound is a limit of a number; it is silent when it says nothing.
type bound struct {
	name   string
	value  uint64
	silent bool
}

// negative reports whether the bound is a signed one below 0.
func (b bound) negative() bool { return b.name[0] == 's' && int64(b.value) < 0 }

// widened returns a bound of 32 bits as 64: with its sign where it is written as a
// decimal number, since -2 is the same in both widths and 0xfffffffe is not.
func widened(n int32) uint64 {
	if n >= math.MinInt16 && n <= math.MaxInt16 {
		return uint64(int64(n))
	}
	return uint64(uint32(n))
}

// signedText writes a number as the kernel writes signed ones.
func signedText(n int64) string {
	if n >= math.MinInt16 && n <= math.MaxInt16 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%#x", uint64(n))
}

// unsignedText writes a number as the kernel writes unsigned ones.
func unsignedText(n uint64) string {
	if n <= math.MaxUint16 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%#x", n)
}
