package abstract

import (
	"fmt"
	"strings"

	"github.com/bpfcfg/bpfcfg/abstract/scalar"
	"github.com/bpfcfg/bpfcfg/cfg"
)

// EntryText returns the facts at the entry of a block in the manner of the
// verifier's log, one line for each state that is kept apart:
//
//	r1=scalar(umax=14,var_off=(0x0; 0xf)) r10=fp0
//
// Registers that nothing reads any more, or that hold anything, are left out.
// Several lines begin with the state's number. A block that cannot be reached
// has none.
func (f *Facts) EntryText(b cfg.BlockID) []string {
	var out []string
	for i, s := range f.states[b] {
		line := s.String()
		if len(f.states[b]) > 1 {
			line = fmt.Sprintf("%d: %s", i+1, line)
		}
		out = append(out, line)
	}
	return out
}

// String returns the registers and stack slots of which something is known.
func (s *State) String() string {
	var parts []string
	for r, v := range s.regs {
		if v != nil {
			parts = append(parts, fmt.Sprintf("r%d=%s", r, v))
		}
	}
	for i, f := range s.frames {
		for num, sl := range f.all {
			if !sl.known() {
				continue
			}
			name := fmt.Sprintf("fp-%d", 8*num)
			if i > 0 {
				name = fmt.Sprintf("fp[%d]-%d", i, 8*num)
			}
			parts = append(parts, name+"="+sl.text())
		}
	}
	return strings.Join(parts, " ")
}

// text returns the slot's value, or its bytes as the kernel prints them,
// highest address first: m for anything, 0 for zero.
func (s *slot) text() string {
	if s.val != nil && s.spilled() == 8 {
		return s.val.String()
	}
	var b strings.Builder
	for i := 7; i >= 0; i-- {
		b.WriteByte("?m0r"[s.bytes[i]])
	}
	if s.val != nil {
		b.WriteString(" " + s.val.String())
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
			return fmt.Sprint(int64(c))
		}
	case Stack:
		name := "fp"
		if a.Obj > 0 {
			name = fmt.Sprintf("fp[%d]", a.Obj)
		}
		if isConst {
			return name + fmt.Sprint(int64(c))
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
		fields = append(fields, fmt.Sprintf("imm=%d", int64(c)))
	}
	if a.Kind == Number && a.flags&maybePtr != 0 && a.Off == unknown {
		fields = append(fields, "or_ptr")
	}
	return typeName(a) + "(" + strings.Join(fields, ",") + ")"
}

// rangeFields returns the bounds that say anything (kernel/bpf/log.c
// print_scalar_ranges).
func rangeFields(s scalar.S) []string {
	var out []string
	u := scalar.Unknown()
	add := func(known bool, format string, v any) {
		if known {
			out = append(out, fmt.Sprintf(format, v))
		}
	}
	add(s.Smin() != u.Smin(), "smin=%d", s.Smin())
	add(s.Smax() != u.Smax(), "smax=%d", s.Smax())
	add(s.Umin() != 0, "umin=%d", s.Umin())
	add(s.Umax() != u.Umax(), "umax=%d", s.Umax())
	add(s.S32min() != u.S32min(), "smin32=%d", s.S32min())
	add(s.S32max() != u.S32max(), "smax32=%d", s.S32max())
	add(s.U32min() != 0, "umin32=%d", s.U32min())
	add(s.U32max() != u.U32max(), "umax32=%d", s.U32max())
	add(s.Var != u.Var, "var_off=%v", s.Var)
	return out
}
