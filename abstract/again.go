package abstract

import (
	"slices"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// In a search for witnesses, a field of the context that is read again is the same number, so what
// a branch shows of one reading holds for the other. The numbers are in State.outer, which rules
// Executions use for nothing else.

// ctxField is a field of the context as it was read.
type ctxField struct {
	off    int64
	size   int
	signed bool
}

// overlaps reports whether two fields have a byte in common.
func (f ctxField) overlaps(g ctxField) bool {
	return f.off < g.off+int64(g.size) && g.off < f.off+int64(f.size)
}

// loadAgain loads a field of the context in a search for witnesses.
func (r *run) loadAgain(acc access, base *Value, dst bytecode.Reg, s *State) {
	off, fixed := base.Off.IsConst()
	if !fixed || !base.is(Ctx) || dst >= bytecode.R10 {
		return
	}
	f := ctxField{int64(off) + acc.off, acc.size, acc.signed}
	known := s.outer.read()
	if i := slices.Index(known, f); i >= 0 {
		v := s.tied(s.outer.vals[i])
		s.outer = s.outer.with(i, v)
		s.set(dst, v)
		return
	}
	v := s.get(dst)
	switch {
	case slices.ContainsFunc(known, f.overlaps):
		s.set(dst, v.loosened())
	case varies(v):
		v = s.tied(v)
		s.set(dst, v)
		s.outer = &outside{append(slices.Clip(s.outer.all()), v), append(slices.Clip(known), f)}
	}
}

// tied returns a value with a link, if it can have one.
func (s *State) tied(v *Value) *Value {
	if v.id != 0 || !v.linkable() {
		return v
	}
	return v.linked(s.newID(), 0, 0)
}

// changeFields notes that fields of the context have changed: they need not have their old values,
// and need not be able to have every value.
func (s *State) changeFields() {
	if len(s.outer.read()) == 0 {
		return
	}
	for _, f := range s.outer.fields {
		s.tested |= ctxOf(readingOfCtx(f.off) | readingOfCtx(f.off+int64(f.size)-1))
	}
	s.outer = nil
}

// isContext reports whether a value may be a pointer to the context.
func isContext(v *Value) bool {
	return v != nil && v.has(func(a *Alt) bool { return a.Kind == Ctx })
}

// changesContext reports whether a call may change a field of the context that it is given.
func changesContext(p *bytecode.Program, pc bytecode.PC, h callee) bool {
	name := bytecode.HelperName(h.helper)
	if ref, ok := p.RefAt(pc); ok && ref.Kind == bytecode.RefKfunc {
		name = ref.Name
	}
	switch name {
	case "bpf_skb_load_bytes", "bpf_skb_load_bytes_relative", "bpf_skb_pull_data", "bpf_fib_lookup",
		"bpf_sk_lookup_tcp", "bpf_sk_lookup_udp", "bpf_skc_lookup_tcp", "bpf_perf_event_output", "bpf_get_socket_cookie",
		"bpf_get_socket_uid", "bpf_get_netns_cookie", "bpf_dynptr_from_skb", "bpf_dynptr_from_xdp", "bpf_cast_to_kern_ctx",
		"bpf_xdp_load_bytes", "bpf_get_stackid", "bpf_get_stack":
		return false
	}
	return true
}
