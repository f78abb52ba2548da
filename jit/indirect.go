package jit

import "github.com/bpfcfg/bpfcfg/jit/x86"

// Thunks lie in arrays in order of register numbers, so that one symbol gives
// where all are.
const (
	retpolineThunk = "__x86_indirect_thunk_"
	depthThunk     = "__x86_indirect_jump_thunk_"
	depthCallThunk = "__x86_indirect_call_thunk_"
	itsThunk       = "__x86_indirect_its_thunk_"

	opCall, opJump = 0xe8, 0xe9

	thunkStride = 32 // bytes per thunk
	itsStride   = 64
)

// indirectJump emits a jump to the address in r, in the form that mitigations require
// (emit_indirect_jump in bpf_jit_comp.c).
func (c *function) indirectJump(r x86.Reg) {
	x := &c.x
	switch c.prof.Indirect {
	case IndirectITS:
		c.thunk(opJump, itsThunk, itsStride, r)
	case IndirectLfence:
		x.Put(0x0f, 0xae, 0xe8)
		x.RDigit(x86.W32, 0xff, 4, r)
	case IndirectRetpoline:
		name := retpolineThunk
		if c.prof.CallDepth {
			name = depthThunk
		}
		c.thunk(opJump, name, thunkStride, r)
	default:
		x.RDigit(x86.W32, 0xff, 4, r)
		if c.prof.RetpolineBuild || c.prof.SLS {
			x.Byte(0xcc)
		}
	}
}

// indirectCall emits a call of the address in r. No released kernel has such calls: the forms are
// those of indirectJump, with a call in the place of the jump. The thunk for calls counts the depth
// of calls itself.
func (c *function) indirectCall(r x86.Reg) {
	x := &c.x
	if c.private {
		x.Push(regPrivate)
	}
	c.callDepth(c.prof.Indirect == IndirectRetpoline)
	switch c.prof.Indirect {
	case IndirectITS:
		c.thunk(opCall, itsThunk, itsStride, r)
	case IndirectRetpoline:
		name := retpolineThunk
		if c.prof.CallDepth {
			name = depthCallThunk
		}
		c.thunk(opCall, name, thunkStride, r)
	case IndirectLfence:
		x.Put(0x0f, 0xae, 0xe8)
		x.RDigit(x86.W32, 0xff, 2, r)
	default:
		x.RDigit(x86.W32, 0xff, 2, r)
	}
	if c.private {
		x.Pop(regPrivate)
	}
}

// thunk emits a jump to the thunk for r, or a call of it.
func (c *function) thunk(op byte, prefix string, stride uint64, r x86.Reg) {
	if !c.emit {
		c.branchTo(op, 0, false, "", 0)
		return
	}
	name := prefix + r.String()
	addr, known := c.symbol(name)
	if !known {
		addr, known = c.symbol(prefix + x86.RAX.String())
		addr += stride * uint64(r)
	}
	c.branchTo(op, addr, known, name, 0)
}
