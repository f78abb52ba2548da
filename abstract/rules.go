package abstract

import (
	"github.com/bpfcfg/bpfcfg/abstract/scalar"
)

// Rules selects how numbers are computed and indirect jumps are followed.
type Rules uint8

const (
	// Executions follows executions, as precisely as package scalar allows: an indirect jump goes to
	// the entries at possible offsets.
	Executions Rules = iota
	// Verifier follows Linux 7.3's verifier: its own arithmetic and branch decisions, and every
	// entry between the smallest and the largest index. The kernel removes code that it does not
	// reach.
	Verifier
)

// alu returns the result of a binary or unary operation.
func (r Rules) alu(op scalar.Op, is32 bool, dst, src scalar.S) scalar.S {
	if r == Verifier {
		return sane(scalar.KernelALU(op, is32, dst, src))
	}
	return scalar.ALU(op, is32, dst, src)
}

// sane is what the kernel keeps of a result whose parts contradict each other.
func sane(s scalar.S) scalar.S {
	s, _ = scalar.KernelSanity(s)
	return s
}

// offset returns a pointer's offset after adding or subtracting v.
func (r Rules) offset(off, v scalar.S, sub bool) scalar.S {
	switch {
	case r == Verifier:
		return scalar.KernelPtrOffset(off, v, sub)
	case sub:
		return scalar.ALU(scalar.Sub, false, off, v)
	}
	return scalar.ALU(scalar.Add, false, off, v)
}

// narrow returns the value of s after a load of so many bytes.
func (r Rules) narrow(s scalar.S, bytes int, signed bool) scalar.S {
	if r == Verifier {
		return scalar.KernelNarrow(s, bytes, signed)
	}
	return s.Narrow(bytes, signed)
}

// decide returns what is known of a conditional jump, and whether the kernel may know
// more.
func (o *Options) decide(c scalar.Cond, is32 bool, a, b scalar.S, same bool) (out scalar.Outcome, guess bool) {
	if o.Rules == Verifier {
		newest := scalar.KernelDecide(c, is32, a, b, same)
		o.noteDecision(newest, c, is32, a, b, same)
		return o.Quirks.decide(newest, c, is32, a, b, same)
	}
	return scalar.Decide(c, is32, a, b, same), false
}

// refine returns what is known of a and b on the edge on which c holds.
func (o *Options) refine(c scalar.Cond, is32 bool, a, b scalar.S) (x, y scalar.S) {
	return o.refined(c, is32, &Alt{Off: a}, &Alt{Off: b})
}

// refined is refine for numbers that may have ranges.
func (o *Options) refined(c scalar.Cond, is32 bool, a, b *Alt) (x, y scalar.S) {
	if o.Rules == Verifier {
		k := o.byRanges(c, is32, a, b)
		return o.kept(c, is32, [2]scalar.S{a.Off, b.Off}, [2]scalar.S{o.sane(k.x), o.sane(k.y)})
	}
	x, y, ok := scalar.Refine(c, is32, a.Off, b.Off)
	if !ok {
		return a.Off, b.Off // the caller asked decide before
	}
	return x, y
}

// joinNumbers joins two numbers and reports whether the result holds no other
// members than they do.
func joinNumbers(a, b scalar.S) (s scalar.S, exact bool) {
	switch {
	case b.Leq(a):
		return a, true
	case a.Leq(b):
		return b, true
	}
	s = scalar.Join(a, b)
	const few = 32 // members that are worth counting
	members, ok := s.Enumerate(few)
	if !ok {
		return s, false
	}
	for _, v := range members {
		if !a.Contains(v) && !b.Contains(v) {
			return s, false
		}
	}
	return s, true
}

// sane is the function sane for kernels without ranges, of which byRanges does it.
func (o *Options) sane(s scalar.S) scalar.S {
	if o.Quirks.Ranges && !s.Empty() {
		return s
	}
	return sane(s)
}
