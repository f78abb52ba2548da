package replay

import (
	"bytes"
	"encoding/binary"

	"github.com/bpfcfg/bpfcfg/jit"
)

// entry holds the information in the prologue of a recorded function about the function's
// inputs.
type entry struct {
	ok         bool
	frame      int    // bytes of stack, a multiple of 8
	counts     bool   // it keeps the tail-call counter
	callback   bool   // it takes over the frame of a function that threw
	savesArena bool   // it pushes r12
	arena      uint64 // value of r12
	private    bool   // it has a private stack
	privateEnd uint64 // value added to this CPU's base
	len        int    // bytes up to the first instruction
}

// reader walks over machine code that has a known form.
type reader struct {
	b  []byte
	at int
}

// skip passes over want if it comes next, and reports whether it did.
func (r *reader) skip(want ...byte) bool {
	if !bytes.HasPrefix(r.b[r.at:], want) {
		return false
	}
	r.at += len(want)
	return true
}

// take returns the next n bytes, nil when there are fewer.
func (r *reader) take(n int) []byte {
	if len(r.b)-r.at < n {
		return nil
	}
	r.at += n
	return r.b[r.at-n : r.at]
}

// int32 returns the next four bytes as a signed number.
func (r *reader) int32() (int32, bool) {
	b := r.take(4)
	if b == nil {
		return 0, false
	}
	return int32(binary.LittleEndian.Uint32(b)), true
}

// readEntry reads the prologue of a function (emit_prologue and the head of
// do_jit in arch/x86/net/bpf_jit_comp.c, Linux 7.3). A prologue of another
// form is not ok.
func readEntry(code []byte, prof *jit.Profile, first bool) entry {
	r := &reader{b: code}
	e := entry{}
	endbr := func() bool { return !prof.IBT || r.skip(0xf3, 0x0f, 0x1e, 0xfa) }
	if !endbr() || r.take(5) == nil { // five bytes that a trampoline may have patched
		return e
	}
	clears := r.skip(0x48, 0x31, 0xc0)
	if !clears && !r.skip(0x0f, 0x1f, 0x00) {
		return e
	}
	switch {
	case r.skip(0x55, 0x48, 0x89, 0xe5):
	case r.skip(0x48, 0x89, 0xf4, 0x48, 0x89, 0xd5, 0x41, 0x5f, 0x41, 0x5e, 0x41, 0x5d, 0x5b, 0x41, 0x5c,
		0x48, 0x89, 0xec):
		e.callback = true
	default:
		return e
	}
	if !endbr() {
		return e
	}
	if r.skip(0x48, 0x81, 0xec) {
		n, ok := r.int32()
		if !ok || n < 0 {
			return e
		}
		e.frame = int(n)
	}
	switch {
	case first && clears:
		e.counts = r.skip(0x48, 0x83, 0xf8, 33, 0x77, 6, 0x50, 0x48, 0x89, 0xe0, 0xeb, 1, 0x50, 0x50)
	case !first:
		e.counts = r.skip(0x50, 0x50)
	}
	e.ok = e.counts == clears || !first
	e.savesArena = r.skip(0x41, 0x54)
	r.skip(0x53)
	r.skip(0x41, 0x55)
	r.skip(0x41, 0x56)
	r.skip(0x41, 0x57)
	if r.skip(0x48, 0x83, 0xec) { // outgoing arguments
		r.take(1)
	} else if r.skip(0x48, 0x81, 0xec) {
		r.take(4)
	}
	r.readBases(&e)
	e.len = r.at
	return e
}

// readBases reads the loads of r12 and r9 at the end of a prologue.
func (r *reader) readBases(e *entry) {
	if v, n, ok := movImm64(r.b[r.at:], 12); e.savesArena && ok {
		e.arena = v
		r.at += n
	}
	at := r.at
	v, n, ok := movImm64(r.b[r.at:], 9)
	if !ok {
		return
	}
	r.at += n
	if !r.skip(0x65, 0x4c, 0x03, 0x0c, 0x25) || r.take(4) == nil {
		r.at = at // it may be an instruction of the program
		return
	}
	e.private, e.privateEnd = true, v
}

// movImm64 reads the load of a 64-bit constant into an x86 register, in any of
// the forms that the kernel chooses by value (emit_mov_imm64 in
// arch/x86/net/bpf_jit_comp.c), and returns the value and the length.
func movImm64(b []byte, reg uint8) (value uint64, n int, ok bool) {
	low, rexB := reg&7, reg>>3
	at := func(i int) byte {
		if i < len(b) {
			return b[i]
		}
		return 0
	}
	switch {
	case len(b) >= 10 && b[0] == 0x48|rexB && b[1] == 0xb8|low:
		return binary.LittleEndian.Uint64(b[2:]), 10, true
	case len(b) >= 7 && b[0] == 0x48|rexB && b[1] == 0xc7 && b[2] == 0xc0|low:
		return uint64(int64(int32(binary.LittleEndian.Uint32(b[3:])))), 7, true
	case rexB == 0 && len(b) >= 5 && b[0] == 0xb8|low:
		return uint64(binary.LittleEndian.Uint32(b[1:])), 5, true
	case rexB == 1 && len(b) >= 6 && b[0] == 0x41 && b[1] == 0xb8|low:
		return uint64(binary.LittleEndian.Uint32(b[2:])), 6, true
	case rexB == 0 && at(0) == 0x31 && at(1) == 0xc0|low<<3|low:
		return 0, 2, true
	case rexB == 1 && at(0) == 0x45 && at(1) == 0x31 && at(2) == 0xc0|low<<3|low:
		return 0, 3, true
	}
	return 0, 0, false
}
