package rewrite

import (
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/kernel"
	"github.com/cilium/ebpf/asm"
)

// removeFastcallSpills turns stores and loads into no-ops that only keep
// registers over a call that does not need it: of a helper or kernel function
// that is inlined and clobbers no more than its arguments and R0. Compilers put
// them there for kernels that do not inline. The function's stack shrinks
// accordingly (kernel/bpf/verifier.c mark_fastcall_patterns and
// kernel/bpf/fixups.c bpf_remove_fastcall_spills_fills, Linux 7.3).
//
//	*(u64 *)(r10 - 16) = r1
//	call bpf_get_smp_processor_id
//	r1 = *(u64 *)(r10 - 16)
//
// The kernel leaves a function as it is when anything else touches that part of
// its stack. Accesses that name r10 are looked at here; when the address of the
// stack is computed, the outcome is marked as unpredicted.
func removeFastcallSpills(st *state, im *image) (*image, int, error) {
	if !st.kernel.Has(kernel.Fastcall) {
		return im, 0, nil
	}
	var out *image
	changed := 0
	for fn := range im.funcs {
		f := fastcalls{im: im, start: int(im.funcs[fn].start), end: int(im.end(fn))}
		f.find()
		if len(f.calls) == 0 || f.broken {
			continue
		}
		if out == nil {
			out = im.clone()
		}
		for _, c := range f.calls {
			for k := 1; k <= c.spills; k++ {
				for _, i := range []int{c.at - k, c.at + k} {
					s := &out.slots[i]
					s.in, s.target, s.to = nop, int32(i+1), MemPlain
				}
			}
			if f.unsure {
				out.slots[c.at].marks |= markUnpredicted
			}
			changed += 2 * c.spills
		}
		if !f.keepStack {
			out.funcs[fn].stackDepth = -f.low
		}
	}
	if out == nil {
		return im, 0, nil
	}
	return out, changed, nil
}

// argRegs are the registers R1 to R5, as bits.
const argRegs = 0x3e

// usesFrameAddress reports whether an instruction makes r10 a value.
func usesFrameAddress(in bytecode.Insn) bool {
	switch in.Class() {
	case asm.ALUClass, asm.ALU64Class:
		return in.Source() == asm.RegSource && in.Src == bytecode.R10
	case asm.StXClass:
		return in.Src == bytecode.R10
	}
	return false
}

// fastcall is a call with spills around it.
type fastcall struct{ at, spills int }

// fastcalls finds the calls of one function.
type fastcalls struct {
	im         *image
	start, end int
	calls      []fastcall
	pattern    map[int]bool // slots of stores and loads that belong to a call
	low        int          // offset from r10 above which others may use the stack
	keepStack  bool         // a call that is not inlined looks the same
	broken     bool         // something else uses that part of the stack
	unsure     bool         // something else may use it
}

// find looks for the pattern at the lowest offset that the function stores a
// register to.
func (f *fastcalls) find() {
	lowest := int16(0)
	f.pattern = map[int]bool{}
	for i := f.start; i < f.end; i++ {
		if s := f.im.slots[i]; s.in.Code == stxD && s.in.Dst == bytecode.R10 && s.marks&markSecond == 0 {
			lowest = min(lowest, s.in.Off)
		}
	}
	for i := f.start; i < f.end; i++ {
		in := f.im.slots[i].in
		if f.im.slots[i].marks&markSecond != 0 || in.Code != bytecode.CodeCall || in.Src == bytecode.CallSubprogram {
			continue
		}
		free, inlined := f.free(i)
		n := f.match(i, lowest, free)
		if n == 0 {
			continue
		}
		if inlined {
			f.calls = append(f.calls, fastcall{i, n})
		} else {
			f.keepStack = true
		}
		f.low = min(f.low, int(lowest)+8*n)
	}
	if len(f.calls) > 0 {
		f.checkOthers()
	}
}

// free returns the argument registers that the call at i leaves alone if it is
// inlined, and whether it is. For others any register is assumed to match,
// because their prototypes are not known here; a match only keeps the stack.
func (f *fastcalls) free(i int) (regs uint16, inlined bool) {
	s := f.im.slots[i]
	ref, _ := f.im.refAt(s)
	switch {
	case s.in.Src == bytecode.CallKfunc && ref.Name == "bpf_cast_to_kern_ctx":
		return argRegs &^ (1 << bytecode.R1), true
	case s.in.Src == bytecode.CallKfunc && ref.Name == "bpf_rdonly_cast":
		return argRegs &^ (1<<bytecode.R1 | 1<<bytecode.R2), true
	case s.in.IsHelperCall() && asm.BuiltinFunc(s.in.Imm) == asm.FnGetSmpProcessorId:
		return argRegs, true
	}
	return argRegs, false
}

// match returns how many pairs of a store and a load are around the call at i,
// from the inside out.
func (f *fastcalls) match(i int, off int16, free uint16) int {
	n := 0
	for k := 1; k <= 6 && i-k >= 0 && i+k < len(f.im.slots); k++ {
		store, load := f.im.slots[i-k].in, f.im.slots[i+k].in
		if store.Code != stxD || load.Code != ldxD || store.Dst != bytecode.R10 || load.Src != bytecode.R10 ||
			store.Src != load.Dst || free>>store.Src&1 == 0 || store.Off != off || load.Off != off {
			break
		}
		free &^= 1 << store.Src
		f.pattern[i-k], f.pattern[i+k] = true, true
		off += 8
		n++
	}
	return n
}

// checkOthers looks for other uses of the part of the stack below f.low that
// the verifier finds (check_fastcall_stack_contract).
func (f *fastcalls) checkOthers() {
	for i := f.start; i < f.end; i++ {
		s := f.im.slots[i]
		if f.pattern[i] || s.marks&markSecond != 0 || s.marks&markSeen == 0 {
			continue
		}
		base := s.in.Dst
		switch s.in.Class() {
		case asm.LdXClass:
			base = s.in.Src
		case asm.StClass, asm.StXClass:
		default:
			f.unsure = f.unsure || usesFrameAddress(s.in)
			continue
		}
		if base == bytecode.R10 && int(s.in.Off) < f.low {
			f.broken = true
		}
	}
}
