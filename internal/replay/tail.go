package replay

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/jit"
)

// tailCall distinguishes a direct tail call from an indirect one by its first bytes,
// and whether the slot of a direct one is filled (emit_bpf_tail_call_direct
// and _indirect in arch/x86/net/bpf_jit_comp.c).
func (r *recovery) tailCall(pc bytecode.PC, code []byte) bool {
	in := &r.prog.Insns[pc]
	switch {
	case bytes.HasPrefix(code, []byte{0x89, 0xd2, 0x39, 0x56}):
		in.Code, in.Imm = bytecode.CodeTailCall, 0
		r.note("tail call at slot %d is indirect", pc)
		r.tailOffsets(code)
		return true
	case !bytes.HasPrefix(code, []byte{0x48, 0x8b, 0x85}) || len(code) < 18:
		return false
	}
	in.Code, in.Imm = bytecode.CodeTailCall, 1
	t := jit.TailCall{PC: pc}
	// mov rax, [rbp-n]; cmp [rax], 33; jae out; then the jump around
	out := 13 + int(code[12])
	if code[13] == 0x0f && out <= len(code) && out >= 13+10 && code[out-5] == 0xe9 {
		t.Filled = true
		rel := int32(binary.LittleEndian.Uint32(code[out-4:]))
		entry := uint64(12)
		if r.prof.IBT {
			entry += 4
		}
		t.Target = r.addr(r.funcOf(pc), code) + uint64(out) + uint64(int64(rel)) - entry
	}
	i, _ := slices.BinarySearchFunc(r.prog.TailCalls, pc, func(t jit.TailCall, pc bytecode.PC) int {
		return int(t.PC - pc)
	})
	r.prog.TailCalls = slices.Insert(r.prog.TailCalls, i, t)
	r.note("tail call at slot %d is direct, filled: %t", pc, t.Filled)
	return true
}

// tailOffsets reads the structure offsets in an indirect tail call. They
// depend on a kernel's configuration, which no record shows; if they are not
// the profile's, those of the first tail call of a file hold for all others.
//
//	mov edx, edx; cmp [rsi+MAX], edx; jbe; mov rax, [rbp-n]; cmp [rax], 33; jae
//	mov rcx, [rsi+rdx*8+PTRS]; …; mov rcx, [rcx+FUNC]
func (r *recovery) tailOffsets(code []byte) {
	r2 := reader{b: code, at: 4}
	limit := r2.take(1)
	if limit == nil || r2.take(2+7+4+2) == nil || !r2.skip(0x48, 0x8b, 0x8c, 0xd6) {
		return
	}
	ptrs, ok := r2.int32()
	end := bytes.Index(code[r2.at:], []byte{0x48, 0x8b, 0x49})
	if !ok || end < 0 || end > 64 || r2.at+end+4 > len(code) {
		return
	}
	at := tailOffsets{int(limit[0]), int(ptrs), int(code[r2.at+end+3])}
	p := &r.prof
	if r.file.offsets != nil || at == (tailOffsets{p.OffMaxEntries, p.OffPtrs, p.OffBPFFunc}) {
		return
	}
	r.own.offsets = &at
	r.applyOffsets(&at)
	r.note("structure offsets of tail calls")
}

// applyOffsets changes the profile's structure offsets, if any are given.
func (r *recovery) applyOffsets(at *tailOffsets) {
	if at != nil {
		r.prof.OffMaxEntries, r.prof.OffPtrs, r.prof.OffBPFFunc = at.maxEntries, at.ptrs, at.bpfFunc
	}
}
