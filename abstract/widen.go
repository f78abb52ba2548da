package abstract

import (
	"slices"

	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/abstract/scalar"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// maxStops bounds the thresholds of a subprogram.
const maxStops = 64

// thresholds returns where numbers are widened to first: the constants that the
// subprogram compares with, and their neighbours, smallest first.
func (a *analyzer) thresholds(sub int) []uint64 {
	if a.stops[sub] != nil {
		return a.stops[sub]
	}
	stops := make([]uint64, 0, maxStops)
	s := a.p.Subprogs[sub]
	for pc := s.Start; pc < s.End; pc += a.p.Insns[pc].Slots() {
		in := a.p.Insns[pc]
		if a.p.Flow(pc).Kind == bytecode.FlowCond && in.Source() == asm.ImmSource && in.Code != bytecode.CodeMayGoto {
			c := uint64(int64(in.Imm))
			stops = append(stops, c-1, c, c+1)
		}
		if len(stops) > 1<<12 {
			break
		}
	}
	slices.Sort(stops)
	stops = slices.Compact(stops)
	a.stops[sub] = stops[:min(len(stops), maxStops)]
	return a.stops[sub]
}

// widenValue is join for a value that keeps growing: what grows beyond v goes to
// the next threshold, or with all to the end.
func widenValue(v, w *Value, stops []uint64, all bool) *Value {
	switch {
	case v == nil || w == nil:
		return nil
	case w.leq(v):
		return v.unlinked()
	}
	alts := v.join(w).alts()
	if all {
		alts = onePerObject(alts)
	}
	for i := range alts {
		alts[i] = widenAlt(v, alts[i], stops, all)
	}
	return fromAlts(alts)
}

// onePerObject merges all alternatives with the same object.
func onePerObject(alts []Alt) []Alt {
	var out []Alt
next:
	for _, a := range alts {
		for i := range out {
			if out[i].Kind == a.Kind && out[i].Obj == a.Obj {
				out[i] = mergeAlts(out[i], a)
				continue next
			}
		}
		out = append(out, a)
	}
	return out
}

// widenAlt widens one alternative of what v has grown to.
func widenAlt(v *Value, a Alt, stops []uint64, all bool) Alt {
	var old *Alt
	v.each(func(b *Alt) {
		if b.Kind == a.Kind && b.Obj == a.Obj && (old == nil || a.Off.Leq(b.Off)) {
			old = b
		}
	})
	if old == nil || a.Off.Leq(old.Off) && a.leqRanges(old) && a.leqWide(old) {
		return a
	}
	a.flags |= loose
	a.str = joinStrides(old, &a, a.Off)
	a.Off, a.wide, a.ranges = a.held(), nil, nil
	if all {
		a.Off = unknown
		return a
	}
	a.Off = scalar.Widen(old.held(), a.Off, stops...)
	return a
}
