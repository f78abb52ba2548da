package abstract

import (
	"slices"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// A search for witnesses keeps the fields of the context that were read: a field that is read
// again is the same number, and what a branch tells of one tells it of the other. The numbers
// are in State.outer, which rules Executions need for nothing else.

// ctxField is a field of the context as it was read.
type ctxField struct {
	off    int64
	size   int
	signed bool
}

// ctxFields are fields of the context, nil for none. The list is not changed.
type ctxFields struct{ list []ctxField }

// all returns the fields.
func (l *ctxFields) all() []ctxField {
	if l == nil {
		return nil
	}
	return l.list
}

// count returns how many there are.
func (l *ctxFields) count() int { return len(l.all()) }

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
	if i := slices.Index(s.fields.all(), f); i >= 0 {
		s.outer = slices.Clone(s.outer)
		s.outer[i] = s.tied(s.outer[i])
		s.set(dst, s.outer[i])
		return
	}
	v := s.get(dst)
	switch {
	case slices.ContainsFunc(s.fields.all(), f.overlaps):
		s.set(dst, v.loosened())
	case varies(v):
		v = s.tied(v)
		s.set(dst, v)
		s.fields = &ctxFields{append(slices.Clip(s.fields.all()), f)}
		s.outer = append(slices.Clip(s.outer), v)
	}
}

// tied returns a value with a link, if it can have one.
func (s *State) tied(v *Value) *Value {
	if v.id != 0 || !v.linkable() {
		return v
	}
	return v.linked(s.newID(), 0, 0)
}

// changeFields notes that fields of the context have changed: they may not be what they were, nor
// anything else.
func (s *State) changeFields() {
	if s.fields == nil {
		return
	}
	for _, f := range s.fields.list {
		s.tested |= ctxOf(readingOfCtx(f.off) | readingOfCtx(f.off+int64(f.size)-1))
	}
	s.fields, s.outer = nil, nil
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
