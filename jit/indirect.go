package jit

import "github.com/bpfcfg/bpfcfg/jit/x86"

// Thunks lie in arrays in order of register numbers, so that one symbol tells
// where all are.
const (
	retpolineThunk = "__x86_indirect_thunk_"
	depthThunk     = "__x86_indirect_jump_thunk_"
	itsThunk       = "__x86_indirect_its_thunk_"

	thunkStride = 32 // bytes per thunk
	itsStride   = 64
)

// indirectJump emits a jump to the address in r, the way that mitigations
// allow (emit_indirect_jump in bpf_jit_comp.c).
func (c *function) indirectJump(r x86.Reg) {
	x := &c.x
	switch c.prof.Indirect {
	case IndirectITS:
		c.thunk(itsThunk, itsStride, r)
	case IndirectLfence:
		x.Put(0x0f, 0xae, 0xe8)
		x.RDigit(x86.W32, 0xff, 4, r)
	case IndirectRetpoline:
		name := retpolineThunk
		if c.prof.CallDepth {
			name = depthThunk
		}
		c.thunk(name, thunkStride, r)
	default:
		x.RDigit(x86.W32, 0xff, 4, r)
		if c.prof.RetpolineBuild || c.prof.SLS {
			x.Byte(0xcc)
		}
	}
}

// thunk emits a jump to the thunk for r.
func (c *function) thunk(prefix string, stride uint64, r x86.Reg) {
	if !c.emit {
		c.branchTo(0xe9, 0, false, "", 0)
		return
	}
	name := prefix + r.String()
	addr, known := c.symbol(name)
	if !known {
		addr, known = c.symbol(prefix + x86.RAX.String())
		addr += stride * uint64(r)
	}
	c.branchTo(0xe9, addr, known, name, 0)
}
