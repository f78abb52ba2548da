package replay

import (
	"bytes"
	"encoding/binary"
	"strings"

	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/kernel"
	"github.com/bpfcfg/bpfcfg/jit"
)

// Mode bits of loads and stores. A dump shows modeMem for the others, too.
const (
	modeProbeMem   = 0x20 // load that may fault (BPF_PROBE_MEM)
	modeProbeMem32 = 0xa0 // arena access (BPF_PROBE_MEM32)
	modeMem        = 0x60
	modeBits       = 0xe0
)

// learn reads hidden inputs from the recorded code: the kind of tail calls and loads, addresses of
// maps, functions and symbols. The place of an instruction's code comes from line records, or else
// from img, the image of the round before (nil at first). It reports whether it found anything new.
func (r *recovery) learn(img *jit.Image) bool {
	changed := false
	ref := 0
	for pc := bytecode.PC(0); int(pc) < len(r.prog.Insns); pc += r.prog.Insns[pc].Slots() {
		for ref < len(r.prog.Refs) && r.prog.Refs[ref].PC < pc {
			ref++
		}
		in := r.prog.Insns[pc]
		hidden := r.hides(in)
		hasRef := ref < len(r.prog.Refs) && r.prog.Refs[ref].PC == pc
		if !hidden && !hasRef {
			continue
		}
		code, sure := r.codeAt(img, pc)
		if code == nil {
			continue
		}
		switch {
		case hidden && in.Class() == asm.JumpClass:
			changed = r.tailCall(pc, code) || changed
		case hidden:
			changed = r.access(pc, code) || changed
		case in.IsWide():
			changed = r.load(r.prog.Refs[ref], code, sure) || changed
		default:
			changed = r.call(r.prog.Refs[ref], code) || changed
		}
	}
	return r.relocs(img) || changed
}

// hides reports whether the dump shows an instruction that may originally have been another one.
func (r *recovery) hides(in bytecode.Insn) bool {
	switch in.Class() {
	case asm.JumpClass:
		return in.IsHelperCall() && in.Imm == bytecode.HelperTailCall
	case asm.LdXClass:
		return in.Code&modeBits == modeMem && in.Src != bytecode.R10
	case asm.StClass, asm.StXClass:
		return in.Code&modeBits == modeMem && in.Dst != bytecode.R10 && r.s.arena
	}
	return false
}

// codeAt returns the recorded code from the instruction at pc to the end of
// its function, and whether a record gives its place; nil when the place is
// not known.
func (r *recovery) codeAt(img *jit.Image, pc bytecode.PC) (code []byte, sure bool) {
	i := r.funcOf(pc)
	fn := r.s.funcs[i]
	if r.prog.Funcs[i].End <= pc {
		return nil, false // a hidden function
	}
	at, sure := r.lineOff[pc]
	if !sure {
		if img == nil {
			return nil, false
		}
		at = fn.off + int(img.Offsets[pc])
	}
	if at < fn.off || at >= fn.off+fn.len {
		return nil, false
	}
	code = r.s.code[at : fn.off+fn.len]
	if r.prog.IndirectTarget != nil && r.prog.IndirectTarget[pc] {
		code = bytes.TrimPrefix(code, []byte{0xf3, 0x0f, 0x1e, 0xfa})
	}
	return code, sure
}

// addr returns the kernel address of recorded code, a slice of s.code.
func (r *recovery) addr(fn int, code []byte) uint64 {
	f := r.s.funcs[fn]
	return f.addr + uint64(f.len-len(code))
}

// access distinguishes a load that may fault, an arena access and an ordinary one.
// Only an access of the arena has an index register.
func (r *recovery) access(pc bytecode.PC, code []byte) bool {
	in := &r.prog.Insns[pc]
	begins := []byte{0x49, 0xc7, 0xc2, 0x00, 0x00, 0x60, 0xff} // mov $vsyscall, %r10
	if !r.prof.Kernel().Has(kernel.ProbeWindow) {
		begins = []byte{0x49, 0xbb} // movabs $limit, %r11
	}
	if in.Class() == asm.LdXClass && bytes.HasPrefix(code, begins) {
		in.Code = in.Code&^modeBits | modeProbeMem
		r.note("load at slot %d may fault", pc)
		return true
	}
	code = bytes.TrimPrefix(code, []byte{0x66})
	if r.s.arena && len(code) > 0 && code[0]&0xf2 == 0x42 {
		in.Code = in.Code&^modeBits | modeProbeMem32
		r.note("access at slot %d is one of the arena", pc)
		return true
	}
	return false
}

// load reads the address of a map from the first load of it.
func (r *recovery) load(ref bytecode.Ref, code []byte, sure bool) bool {
	if ref.Kind == bytecode.RefFunc {
		return false // the record holds the addresses of functions
	}
	key := baseKey{ref.Kind, ref.Index}
	old, seen := r.bases[key]
	if seen && (old.sure || !sure && old.from != ref.PC) {
		return false
	}
	v, _, ok := movImm64(code, x86Number(r.prog.Insns[ref.PC].Dst, r.prof.AXReg))
	if !ok {
		return false
	}
	r.bases[key] = reading{v - uint64(ref.Off), ref.PC, sure}
	r.note("address of map %d", ref.Index)
	return !seen || old.value != r.bases[key].value
}

// x86Number returns the x86 number of a BPF register (reg2hex and the BPF-REG
// table in arch/x86/net/bpf_jit_comp.c).
func x86Number(reg bytecode.Reg, ax uint8) uint8 {
	if uint8(reg) == ax {
		return 10
	}
	return [16]uint8{0, 7, 6, 2, 1, 8, 3, 13, 14, 15, 5}[reg&15]
}

// call reads from the first call of a helper the address from which helper numbers count, and in a
// kernel that accounts for call depth whether a callee does so itself.
func (r *recovery) call(ref bytecode.Ref, code []byte) bool {
	if ref.Kind == bytecode.RefFunc {
		return false
	}
	if _, done := r.calls[ref.PC]; done {
		return false
	}
	fn := r.funcOf(ref.PC)
	if r.prog.Funcs[fn].PrivateStack {
		code = bytes.TrimPrefix(code, []byte{0x41, 0x51})
	}
	accounts := bytes.HasPrefix(code, []byte{0x65, 0x48, 0xc1, 0x3d})
	if accounts && len(code) > 9 {
		code = code[9:]
	}
	if len(code) < 5 || code[0] != 0xe8 {
		return false
	}
	rel := int32(binary.LittleEndian.Uint32(code[1:]))
	if r.callBase() == 0 {
		r.own.callBase = r.addr(fn, code) + 5 + uint64(int64(rel)) - uint64(int64(ref.Index))
		r.note("address that helper numbers count from")
	}
	target := r.callBase() + uint64(int64(ref.Index))
	r.calls[ref.PC] = target
	_, before := r.file.thunked[target]
	_, now := r.own.thunked[target]
	if r.prof.CallDepth && !before && !now {
		r.own.thunked[target] = !accounts
		r.note("whether %#x accounts for call depth itself", target)
	}
	return true
}

// callBase returns the address from which helper numbers count, 0 if unknown.
func (r *recovery) callBase() uint64 {
	if r.file.callBase != 0 {
		return r.file.callBase
	}
	return r.own.callBase
}

// value answers the JIT's question for an operand's address.
func (r *recovery) value(ref bytecode.Ref) (uint64, bool) {
	switch ref.Kind {
	case bytecode.RefMap, bytecode.RefMapValue:
		base, ok := r.bases[baseKey{ref.Kind, ref.Index}]
		return base.value + uint64(ref.Off), ok
	case bytecode.RefHelper, bytecode.RefKfunc:
		if base := r.callBase(); base != 0 {
			return base + uint64(int64(ref.Index)), true
		}
	}
	return 0, false
}

// symbol answers the JIT's question for the address of a kernel symbol.
func (r *recovery) symbol(name string) (uint64, bool) {
	if a, ok := r.s.symbols[name]; ok {
		return a, true
	}
	if a, ok := r.file.symbols[name]; ok {
		return a, true
	}
	a, ok := r.own.symbols[name]
	return a, ok
}

// relocs reads from the recorded code the addresses of symbols that the image
// lacks.
func (r *recovery) relocs(img *jit.Image) bool {
	if img == nil {
		return false
	}
	changed := false
	for _, rel := range img.Relocs {
		fn := imageFunc(img, rel.Offset)
		if rel.Resolved || fn >= len(r.s.funcs) {
			continue
		}
		at := rel.Offset - img.Funcs[fn].Offset
		f := r.s.funcs[fn]
		if rel.Size != 4 || img.Funcs[fn].Len != f.len {
			continue // only after everything else has its size
		}
		v := int64(int32(binary.LittleEndian.Uint32(r.s.code[f.off+at:])))
		changed = r.relocValue(rel, f.addr+uint64(at)+4, v) || changed
	}
	return changed
}

// relocValue records the value v of a relocation whose field ends at the address end.
func (r *recovery) relocValue(rel jit.Reloc, end uint64, v int64) bool {
	switch rel.Kind {
	case jit.RelRel32:
		v += int64(end)
	case jit.RelCallDepth:
		v += int64(end) + 1
	case jit.RelAbs32S:
		if strings.Contains(rel.Target, "arena") {
			if r.prog.UserStart != 0 || v == 0 {
				return false
			}
			r.prog.UserStart = uint64(v) << 32
			r.note("user address of the arena")
			return true
		}
	default:
		return false
	}
	if rel.Target == "" || !isSymbol(rel.Target) {
		return false
	}
	if _, ok := r.symbol(rel.Target); ok {
		return false
	}
	r.own.symbols[rel.Target] = uint64(v - rel.Addend)
	r.note("address of %s", rel.Target)
	return true
}

// isSymbol reports whether a relocation's target is the name of a kernel
// symbol rather than a description.
func isSymbol(s string) bool {
	return strings.IndexFunc(s, func(c rune) bool {
		return c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z')
	}) < 0
}

// imageFunc returns the function of an image that contains a byte.
func imageFunc(img *jit.Image, off int) int {
	for i := len(img.Funcs) - 1; i > 0; i-- {
		if off >= img.Funcs[i].Offset {
			return i
		}
	}
	return 0
}
