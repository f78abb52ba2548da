package scalar

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/bpfcfg/bpfcfg/abstract/arc"
	"github.com/bpfcfg/bpfcfg/abstract/tnum"
)

// values yields name and value of each item of a state; blanks in parentheses
// do not end a value.
func values(text string) func(yield func(name, value string) bool) {
	return func(yield func(name, value string) bool) {
		depth, start := 0, 0
		for i := 0; i <= len(text); i++ {
			switch {
			case i < len(text) && text[i] == '(':
				depth++
			case i < len(text) && text[i] == ')':
				depth--
			case i == len(text) || text[i] == ' ' && depth == 0:
				name, value, ok := strings.Cut(text[start:i], "=")
				start = i + 1
				if ok && !yield(name, value) {
					return
				}
			}
		}
	}
}

// bounds is what the log shows of a scalar.
type bounds struct {
	umin, umax     uint64
	smin, smax     int64
	umin32, umax32 uint32
	smin32, smax32 int32
	bits           tnum.T
}

// printOf returns what the kernel would print of s: of a constant, no ranges.
func printOf(s S) bounds {
	if s.Var.IsConst() {
		s = Const(s.Var.Value)
	}
	return bounds{s.Umin(), s.Umax(), s.Smin(), s.Smax(), s.U32min(), s.U32max(), s.S32min(), s.S32max(), s.Var}
}

type printed struct {
	bounds
	id string
}

// set returns the set that is printed so, if the arcs do not wrap both ways.
func (p printed) set() S {
	s := Unknown()
	s.Var = p.bits
	if p.umin != 0 || p.umax != ^uint64(0) {
		s.R64 = arc.URange(p.umin, p.umax)
	} else {
		s.R64 = arc.SRange[uint64](p.smin, p.smax)
	}
	if p.umin32 != 0 || p.umax32 != ^uint32(0) {
		s.R32 = arc.URange(p.umin32, p.umax32)
	} else {
		s.R32 = arc.SRange[uint32](int64(p.smin32), int64(p.smax32))
	}
	return s
}

// parseScalar reads a printed scalar: a number, or scalar(…).
func parseScalar(value string) (printed, bool) {
	value = strings.TrimPrefix(value, "P")
	if v, ok := parseNumber(value); ok {
		return printed{bounds: printOf(Const(v))}, true
	}
	body, ok := strings.CutPrefix(value, "scalar(")
	if !ok {
		return printed{}, false
	}
	p := printed{bounds: printOf(Unknown())}
	for item := range strings.SplitSeq(strings.TrimSuffix(body, ")"), ",") {
		names := strings.Split(item, "=")
		last := names[len(names)-1]
		v, _ := parseNumber(last)
		for _, name := range names[:len(names)-1] {
			switch name {
			case "id":
				p.id = last
				if end := strings.IndexAny(last, "+-"); end >= 0 {
					p.id = last[:end] // the rest is the difference between linked scalars
				}
			case "smin":
				p.smin = int64(v)
			case "smax":
				p.smax = int64(v)
			case "umin":
				p.umin = v
			case "umax":
				p.umax = v
			case "smin32":
				p.smin32 = int32(v)
			case "smax32":
				p.smax32 = int32(v)
			case "umin32":
				p.umin32 = uint32(v)
			case "umax32":
				p.umax32 = uint32(v)
			case "var_off":
				fmt.Sscanf(last, "(%v; %v", &p.bits.Value, &p.bits.Mask)
			}
		}
	}
	return p, true
}

// parseNumber reads a decimal, perhaps negative, or hexadecimal number.
func parseNumber(text string) (uint64, bool) {
	if v, err := strconv.ParseInt(text, 0, 64); err == nil {
		return uint64(v), true
	}
	v, err := strconv.ParseUint(text, 0, 64)
	return v, err == nil
}
