package abstract

import (
	"sort"

	"github.com/bpfcfg/bpfcfg/abstract/scalar"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// An analysis records the quirks whose value would make a difference, whether the kernel has them
// or not; other quirks would not change its facts. So kernels that differ in nothing that matters
// to a program share its facts.

// Same reports whether facts that were computed with quirks p, of which those in used mattered,
// also hold with quirks q.
func (q Quirks) Same(p, used Quirks) bool {
	a, b, f := q.list(), p.list(), used.list()
	for i := range f {
		if f[i] && a[i] != b[i] {
			return false
		}
	}
	return true
}

// Or returns the quirks of both.
func (q Quirks) Or(p Quirks) Quirks {
	a, b := q.list(), p.list()
	for i := range a {
		a[i] = a[i] || b[i]
	}
	return Quirks{a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], a[9], a[10], a[11], a[12], a[13],
		a[14], a[15], a[16], a[17], a[18], a[19], a[20], a[21], a[22], a[23], a[24], a[25], a[26], a[27], a[28],
		a[29], a[30], a[31], a[32], a[33], a[34], a[35], a[36], a[37], a[38], a[39],
		a[40], a[41], a[42]}
}

// list returns all quirks in the order of their declaration; Or names no field, so
// that it does not compile with one more.
func (q Quirks) list() [43]bool {
	return [...]bool{q.NoDivision, q.NoNegation, q.NoSwap, q.NoFork, q.PerhapsFork, q.LostCode,
		q.NoLoadOffset, q.NullLookups, q.FewNotNull, q.NoTrust,
		q.NoIterTrust, q.FewFrames, q.EqualByBits, q.OnlyConstants, q.NoLinkedAdd, q.NoLinkedSub,
		q.PerhapsLinkedSub, q.NoSame, q.NoTrying,
		q.Ranges, q.Guessed, q.RangesFirst, q.RangesOld, q.RangesFew, q.RangesThrice, q.RangesMember, q.RangesTwice,
		q.NoMixedZeros, q.KeptZeros,
		q.StaleLinks, q.DeadLinks, q.IdleLinks, q.MayNotExit, q.BareResults,
		q.HalfPointer, q.StaleResult, q.MixedPlain, q.OuterFrame, q.SharedFill, q.DeadCount, q.StrictLinks,
		q.PerhapsBare, q.AllGlobals}
}

// UsedQuirks returns the quirks that mattered to the analysis, whether the kernel had them or not:
// other quirks would not change the facts.
func (f *Facts) UsedQuirks() Quirks { return f.usedQuirks }

// ReadsConfig reports whether the analysis has read a configuration variable. If not, the facts
// are the same for all values of those.
func (f *Facts) ReadsConfig() bool { return f.readsConfig }

// noteConfig records whether a load from a map's value touches configuration.
func (r *run) noteConfig(obj int32, at int64, size int) {
	if r.a.f.readsConfig {
		return
	}
	if r.a.config == nil {
		r.a.config = make([][]span, len(r.a.p.Maps))
		for i := range r.a.p.Maps {
			r.a.config[i] = configOf(&r.a.p.Maps[i])
		}
	}
	list := r.a.config[obj]
	i := sort.Search(len(list), func(i int) bool { return list[i].end > at })
	r.a.f.readsConfig = i < len(list) && list[i].off < at+int64(size)
}

// span is a part of a map's value, from off to before end.
type span struct{ off, end int64 }

// configOf returns the parts of a map's value that Program.Unconfigured makes unknown,
// ascending; none overlaps another. Symbols may.
func configOf(m *bytecode.Map) []span {
	var out []span
	for _, s := range m.Symbols {
		switch n := len(out); {
		case !s.Config || !m.ReadOnly:
		case n > 0 && s.Off <= out[n-1].end:
			out[n-1].end = max(out[n-1].end, s.Off+s.Size)
		default:
			out = append(out, span{s.Off, s.Off + s.Size})
		}
	}
	return out
}

// deeper reports whether n calls nest too deep.
func (r *run) deeper(n int) bool {
	if n >= (Quirks{FewFrames: true}).frames() {
		r.a.f.usedQuirks.FewFrames = true
	}
	return n >= r.a.opt.Quirks.frames()
}

// noLoadOffset returns the quirk, for a load at an offset or next to its table. Without it,
// checkEntries finds nothing either.
func (r *run) noLoadOffset() bool {
	r.a.f.usedQuirks.NoLoadOffset = true
	return r.a.opt.Quirks.NoLoadOffset
}

// nullLookups returns the quirk, which executions do not have.
func (r *run) nullLookups() bool {
	r.a.f.usedQuirks.NullLookups = true
	return r.a.opt.Rules == Verifier && r.a.opt.Quirks.NullLookups
}

// links evaluates Quirks.links and records the quirks that mattered.
func (r *run) links(delta int64, is32 bool) bool {
	r.a.f.usedQuirks.NoLinkedAdd = true
	if delta < 0 || is32 {
		r.a.f.usedQuirks.NoLinkedSub = true
	}
	return r.a.opt.Quirks.links(delta, is32)
}

// mayNotLink reports whether some stable releases link a number to another one and others do not,
// and records whether a quirk makes a difference to that.
func (r *run) mayNotLink(v, w *Value) bool {
	if r.a.opt.Rules != Verifier ||
		(Quirks{NoLinkedSub: true}).links(int64(v.delta)+int64(w.delta), v.add == 32 || w.add == 32) {
		return false
	}
	r.a.f.usedQuirks.PerhapsLinkedSub = true
	return r.a.opt.Quirks.PerhapsLinkedSub
}

// noteDecision records the quirks that can make a difference to a conditional jump: all of them,
// unless the oldest and the newest way to decide it agree.
func (o *Options) noteDecision(newest scalar.Outcome, c scalar.Cond, is32 bool, a, b scalar.S, same bool) {
	if o.usedQuirks == nil {
		return
	}
	if newest == scalar.Both {
		if !same && !scalar.Plain(c, a, b) &&
			scalar.DecideRanges(c, is32, scalar.RangesOf(a), scalar.RangesOf(b), scalar.Deciding{Try: true}) != newest {
			o.usedQuirks.Ranges, o.usedQuirks.NoTrying = true, true
		}
		return
	}
	if same || scalar.KernelCompare(c, is32, a, b) != newest {
		*o.usedQuirks = o.usedQuirks.Or(Quirks{
			EqualByBits: true, OnlyConstants: true, NoLinkedSub: true, PerhapsLinkedSub: true,
			NoSame: true, NoTrying: true, Ranges: true, RangesFew: true,
		})
		return
	}
	few := Quirks{NoTrying: true, RangesFew: true}
	if scalar.DecideRanges(c, is32, scalar.RangesOf(a), scalar.RangesOf(b), few.deciding()) != newest {
		o.usedQuirks.Ranges, o.usedQuirks.RangesFew = true, true
	}
	x, y := scalar.ConstAt(a, is32), scalar.ConstAt(b, is32)
	o.usedQuirks.EqualByBits = o.usedQuirks.EqualByBits || (c == scalar.JEQ || c == scalar.JNE) && (!x || !y)
	o.usedQuirks.OnlyConstants = o.usedQuirks.OnlyConstants || !y
}

// kept returns the part of an edge's information about two numbers that the kernel keeps, and
// records whether a quirk makes a difference to that.
//
// Source: kernel/bpf/verifier.c reg_set_min_max, Linux 6.1; regs_refine_cond_op since.
func (o *Options) kept(c scalar.Cond, is32 bool, old, told [2]scalar.S) (x, y scalar.S) {
	if known := scalar.ConstAt(old[0], is32) || scalar.ConstAt(old[1], is32); c == scalar.JNE ||
		!known && (c != scalar.JEQ || is32) {
		if o.usedQuirks != nil && told != old {
			o.usedQuirks.OnlyConstants = true
		}
		if o.Quirks.OnlyConstants {
			return old[0], old[1]
		}
	}
	return told[0], told[1]
}
