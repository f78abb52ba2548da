package abstract

import (
	"github.com/bpfcfg/bpfcfg/abstract/scalar"
)

// Before Linux 7.2 a number has ranges in place of arcs, and kernels differ in how its parts refine
// each other.

// waysOfRanges are the quirks that matter when kernels with ranges differ from others or each other.
var waysOfRanges = Quirks{
	Ranges: true, RangesOld: true, RangesFew: true, RangesThrice: true, RangesMember: true, RangesTwice: true,
}

// sync returns the way of the kernel, and whether it is known.
func (q *Quirks) sync() (how scalar.Sync, known bool) {
	switch {
	case q.RangesOld:
		return scalar.SyncOld, true
	case q.RangesFew:
		return scalar.SyncFew, true
	case q.RangesThrice:
		return scalar.SyncThrice, true
	case q.RangesMember:
		return scalar.SyncMember, true
	case q.RangesTwice:
		return scalar.SyncTwice, true
	}
	return scalar.SyncOld, false
}

// known is what a kernel knows of two numbers on an edge. Of either it may be that a set cannot hold
// what it knows, but ranges can. If it is not sure, the kernel may know more or less of both.
type known struct {
	x, y             scalar.S
	rangesX, rangesY *scalar.Ranges
	sure             bool
}

// byRanges returns what is known of two numbers where c holds, by arcs or by ranges.
func (o *Options) byRanges(c scalar.Cond, is32 bool, a, b *Alt) known {
	q, used := &o.Quirks, o.usedQuirks
	how, one := q.sync()
	if a.ranges != nil || b.ranges != nil {
		return byOne(how, c, is32, a, b)
	}
	arcs := known{sure: true}
	arcs.x, arcs.y = scalar.KernelRefine(c, is32, a.Off, b.Off)
	switch {
	case !q.Ranges && (used == nil || used.Ranges && used.RangesThrice):
		return arcs
	case scalar.Plain(c, a.Off, b.Off) && (!is32 || a.Off != unknown && b.Off != unknown):
		flat := known{x: arcs.x.Flat(), y: arcs.y.Flat(), sure: true}
		if used != nil && flat != arcs {
			used.Ranges = true
		}
		if q.Ranges {
			return flat
		}
		return arcs
	}
	ranges, alike := byAll(c, is32, a, b)
	if alike && ranges == arcs {
		return arcs
	}
	if used != nil {
		*used = used.Or(waysOfRanges)
	}
	bits := c == scalar.JSET || c == scalar.JNSET
	switch {
	case !q.Ranges:
		return arcs
	case one:
		return byOne(how, c, is32, a, b)
	case alike && !bits && !q.OnlyConstants:
		return ranges
	}
	u, v, less := scalar.RangesRefine(how, c, is32, a.Off, b.Off)
	if !less {
		return arcs
	}
	return known{x: scalar.Join(arcs.x, u), y: scalar.Join(arcs.y, v)}
}

// byOne returns what a kernel with ranges knows of two numbers where c holds.
func byOne(how scalar.Sync, c scalar.Cond, is32 bool, a, b *Alt) known {
	x, y := scalar.RefineRanges(how, c, is32, a.inRanges(), b.inRanges())
	x, y = x.Sane(), y.Sane()
	k := known{sure: true}
	var exactX, exactY bool
	k.x, exactX = x.Set()
	k.y, exactY = y.Set()
	if !exactX {
		k.rangesX = new(x)
	}
	if !exactY {
		k.rangesY = new(y)
	}
	return k
}

// byAll returns byOne, and whether it is the same for all kernels with ranges.
func byAll(c scalar.Cond, is32 bool, a, b *Alt) (all known, alike bool) {
	for i, how := range scalar.Syncs() {
		k := byOne(how, c, is32, a, b)
		if k.rangesX != nil || k.rangesY != nil || i > 0 && k != all {
			return k, false
		}
		all = k
	}
	return all, true
}

// inRanges returns the ranges of a number, which may be larger than the kernel's if it is vague.
func (a *Alt) inRanges() scalar.Ranges {
	if a.ranges != nil {
		return *a.ranges
	}
	return scalar.RangesOf(a.Off)
}

// setRanges sets the ranges of a refined number v, nil if Off can hold them. Otherwise Off has
// more numbers than the kernel, and all that is computed from it is loose.
func (c *compare) setRanges(v *Value, r *scalar.Ranges) {
	switch {
	case vague(&c.a.Alt) || vague(&c.b.Alt):
		if r != nil {
			v.flags |= loose
		}
	case r != nil:
		v.ranges = r
		v.flags |= loose
	case c.a.ranges != nil || c.b.ranges != nil:
		v.flags &^= loose
	}
}

// operands returns the ranges of the operands if Off of one cannot hold them, and both are the kernel's.
func (c *compare) operands() (a, b scalar.Ranges, ok bool) {
	ok = (c.a.ranges != nil || c.b.ranges != nil) && !vague(&c.a.Alt) && !vague(&c.b.Alt) && !c.same
	if !ok {
		return a, b, false
	}
	return c.a.inRanges(), c.b.inRanges(), true
}

// ranges returns what a kernel with ranges knows of the operands where cond holds.
func (c *compare) ranges(cond scalar.Cond) known {
	opt := &c.r.a.opt
	if opt.Rules != Verifier || !opt.Quirks.Ranges {
		return known{}
	}
	return opt.byRanges(cond, c.is32, &c.a.Alt, &c.b.Alt)
}

// leqRanges reports whether the ranges of b cover those of a.
func (a *Alt) leqRanges(b *Alt) bool {
	if b.ranges == nil {
		return true
	}
	r := a.inRanges()
	return r.Within(b.ranges)
}

// sameRanges reports whether two numbers with the same Off have the same ranges.
func (a *Alt) sameRanges(b *Alt) bool {
	return a.ranges == b.ranges || a.ranges != nil && b.ranges != nil && *a.ranges == *b.ranges
}

// aluInRanges computes the result of an operation by ranges, if kernels with ranges differ from others and
// out is not it, and reports whether the result is the kernel's.
func (r *run) aluInRanges(out *Value, op scalar.Op, is32 bool, dst, src *Alt) bool {
	if r.isFirst() {
		return r.aluFirst(out, op, is32, dst, src)
	}
	q, used := &r.a.opt.Quirks, &r.a.f.usedQuirks
	how, one := q.sync()
	if dst.ranges != nil || src.ranges != nil {
		ranges, ok := scalar.ComputeRanges(how, op, is32, dst.inRanges(), src.inRanges())
		switch {
		case !ok:
			out.Off = unknown
			out.flags |= loose
		case vague(dst) || vague(src):
			out.admit(ranges)
		default:
			out.hold(ranges)
			return true
		}
		return false
	}
	if r.a.opt.Rules != Verifier || !q.Ranges && used.Ranges && used.RangesThrice ||
		scalar.Plain(scalar.JLT, dst.Off, src.Off) && (op == scalar.Add || op == scalar.And || op == scalar.Rsh) {
		return false
	}
	all, alike, ok := rangeResults(op, is32, dst, src)
	switch {
	case !ok:
		return false
	case alike && all[how] == scalar.RangesOf(out.Off):
		return false
	}
	*used = used.Or(waysOfRanges)
	switch {
	case !q.Ranges:
	case one:
		if vague(dst) || vague(src) {
			out.admit(all[how])
			return false
		}
		out.hold(all[how])
		return true
	default: // it is not known which of them the kernel has
		out.admit(all[:]...)
	}
	return false
}

// rangeResults returns the result of an operation by each way of kernels with ranges, and whether all are
// alike. Of some operations ok is false.
func rangeResults(op scalar.Op, is32 bool, dst, src *Alt) (all [5]scalar.Ranges, alike, ok bool) {
	alike = true
	for i, how := range scalar.Syncs() {
		all[i], ok = scalar.ComputeRanges(how, op, is32, dst.inRanges(), src.inRanges())
		alike = alike && all[i] == all[0]
	}
	return all, alike, ok
}

// hold makes a number, which must not be shared, what a kernel has as these ranges.
func (a *Alt) hold(r scalar.Ranges) {
	r = r.Sane()
	var exact bool
	a.ranges = nil
	a.Off, exact = r.Set()
	if a.flags &^= loose; !exact {
		a.ranges = new(r)
		a.flags |= loose
	}
}

// admit makes a number, which must not be shared, one of which a kernel knows at least what one of these
// ranges says, or as much as before.
func (a *Alt) admit(all ...scalar.Ranges) {
	for _, r := range all {
		r = r.Sane()
		off, exact := r.Set()
		if !exact { // the kernel may not even see what its ranges tell together
			off = unknown
		}
		a.Off = scalar.Join(a.Off, off)
	}
	a.flags |= loose
}

// linkRanges makes w, which is linked to a known number as that plus a constant, what kernels with ranges
// have of it.
func (r *run) linkRanges(w, known *Value) {
	q, used := &r.a.opt.Quirks, &r.a.f.usedQuirks
	if r.a.opt.Rules != Verifier || !q.Ranges && used.Ranges && used.RangesThrice {
		return
	}
	delta, is32 := int64(w.delta)-int64(known.delta), w.add == 32 || known.add == 32
	from, ways, refines := known.inRanges(), scalar.Syncs(), []bool{true, false}
	if how, one := q.sync(); one {
		ways, refines = []scalar.Sync{how}, []bool{!q.NoLinkedSub}
	}
	var all []scalar.Ranges
	differ := false
	for _, how := range ways {
		for _, refines := range refines {
			all = append(all, from.Link(how, is32, delta, refines))
			differ = differ || all[len(all)-1] != scalar.RangesOf(w.Off)
		}
	}
	if differ {
		*used = used.Or(waysOfRanges)
	}
	switch {
	case !q.Ranges:
	case len(all) == 1 && !vague(&known.Alt):
		w.hold(all[0])
	case differ:
		w.admit(all...)
	}
}

// umax returns the largest number that the kernel takes for possible.
func (a *Alt) umax() uint64 {
	if a.ranges != nil {
		return a.ranges.Umax()
	}
	return a.Off.Umax()
}

// coverSum returns what covers the result of an operation, given that of kernels without ranges.
func (r *run) coverSum(op scalar.Op, is32 bool, dst, src, held scalar.S) scalar.S {
	if !r.a.opt.Quirks.Ranges {
		return held
	}
	all, _, ok := rangeResults(op, is32, &Alt{Off: dst}, &Alt{Off: src})
	for i := 0; i < len(all) && ok; i++ {
		off, _ := all[i].Set()
		held = scalar.Join(held, off)
	}
	return held
}
