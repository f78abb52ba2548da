package abstract

import (
	"github.com/bpfcfg/bpfcfg/abstract/calls"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// result returns what a call returns by its prototype, nil for nothing.
func (r *run) result(h callee, s *State) *Value {
	m := MemUnknown
	switch h.Result.Kind() {
	case calls.Number:
		return unknownNumber
	case calls.Void:
		return nil
	case calls.Value:
		return r.element(h, s)
	case calls.Untrusted:
		return tracedPtr
	case calls.Anything:
		return unknownPtr
	case calls.Memory:
		m = MemBuffer
	case calls.Socket:
		if m = MemSock; h.fullSocket() {
			m = memFullSock
		}
	case calls.TCPSocket:
		m = MemTCPSock
	case calls.Trusted:
		m = MemTrusted
	case calls.File:
		m = memFile
	case calls.RCU:
		m = MemRCU
	case calls.Faulty:
		m = MemObject
	}
	if h.object && (m == MemTrusted || m == memFile) {
		m = r.handedOut(m)
	}
	if h.Result.MaybeNull() || h.shares && !isMemory(s.get(bytecode.R1), MemTrusted) {
		return s.memoryOrNull(m)
	}
	return memoryPointer(m)
}

// handedOut returns the memory of a kernel object that a kernel function returns.
func (r *run) handedOut(m Memory) Memory {
	q := r.a.opt.Quirks
	r.a.f.usedQuirks.BareResults, r.a.f.usedQuirks.PerhapsBare = true, true
	switch {
	case q.BareResults:
		return memHanded
	case q.PerhapsBare:
		return MemUnknown
	}
	return m
}
