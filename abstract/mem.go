package abstract

import (
	"math"

	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/abstract/scalar"
	"github.com/bpfcfg/bpfcfg/abstract/tnum"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// Modes of loads and stores, and operations of atomic ones, by the bits of the
// instruction (RFC 9669 sections 5.1 to 5.3; load-acquire and store-release
// since Linux 6.15).
const (
	modeMem    = asm.Mode(0x60)
	modeMemSX  = asm.Mode(0x80)
	modeAtomic = asm.Mode(0xc0)

	atomicFetch    = 0x01
	atomicCmpXchg  = 0xf1
	atomicLoadAcq  = 0x100
	atomicStoreRel = 0x110
)

// access is a load or store at a constant distance from a register.
type access struct {
	pc     bytecode.PC
	reg    bytecode.Reg // base
	off    int64        // byte offset from the base
	size   int          // bytes
	signed bool         // the load extends the sign
}

// fault returns a fault of the access at a byte offset, with the known bits of
// the variable part of it.
func (acc access) fault(k FaultKind, off int64, bits tnum.T) Fault {
	return Fault{PC: acc.pc, Kind: k, Reg: acc.reg, Off: off, Size: int64(acc.size), Bits: bits}
}

// outside returns a fault of the access at a byte offset of memory of so many bytes.
func (acc access) outside(k FaultKind, off, size int64) Fault {
	f := acc.fault(k, off, tnum.T{})
	f.Value = size
	return f
}

// load carries out an LDX instruction.
func (r *run) load(pc bytecode.PC, in bytecode.Insn, s *State) {
	if in.LoadsArg() {
		r.loadArg(pc, in, s)
		return
	}
	acc := access{pc, in.Src, int64(in.Off), in.AccessBytes(), in.Mode() == modeMemSX}
	if in.Mode() != modeMem && in.Mode() != modeMemSX {
		s.set(in.Dst, unknownPtr)
		return
	}
	base := s.get(in.Src)
	v := r.loadFrom(acc, s)
	if base.has(isStack) && (acc.size < 8 || v.fixed()) {
		v = r.guessed(v)
	}
	s.set(in.Dst, v)
	r.fresh(pc, in.Dst, r.ctxField(base, acc), s)
	if r.a.searches() {
		r.loadAgain(acc, base, in.Dst, s)
	}
	if s.given && base.has(isGiven) {
		s.set(in.Dst, s.get(in.Dst).loosened())
	}
}

// isGiven reports whether an alternative may lead to memory of a function's callers.
func isGiven(a *Alt) bool {
	return a.Kind == Other || a.Kind == Number
}

// ctxField returns the reading of the context field that an access loads, those of all fields if it
// is not known which one, and none for other memory.
func (r *run) ctxField(base *Value, acc access) uint64 {
	if off, ok := base.Off.IsConst(); ok && base.is(Stack) {
		return readingOfStack(int64(off)+acc.off, acc.size)
	}
	if off, ok := base.Off.IsConst(); ok && base.is(Ctx) {
		first := int64(off) + acc.off
		return readingOfCtx(first) | readingOfCtx(first+int64(acc.size)-1)
	}
	return readingsOfCtx(base)
}

// loadFrom returns the result of a load.
func (r *run) loadFrom(acc access, s *State) *Value {
	base := r.read(acc.pc, s, acc.reg)
	r.noteUse(acc.pc, base, s, false)
	r.checkSame(acc.pc, base)
	if base.rest == nil {
		return r.loadAlt(acc, &base.Alt, s)
	}
	var out []Alt
	base.each(func(a *Alt) {
		out = append(out, r.loadAlt(acc, a, s).alts()...)
		if len(out) > 2*maxAlts {
			out = squeeze(out)
		}
	})
	return fromAlts(out)
}

// loadAlt is loadFrom for one alternative of the base.
func (r *run) loadAlt(acc access, a *Alt, s *State) *Value {
	if a.flags&maybeNull != 0 {
		r.fault(a, Fault{PC: acc.pc, Kind: NullMemory, Reg: acc.reg})
	}
	switch a.Kind {
	case Stack:
		return r.loadStack(acc, a, s)
	case Ctx:
		return r.loadCtx(acc, a, s)
	case MapValue:
		r.checkValue(acc, a)
		return r.loadMap(acc, a)
	case Table:
		return r.loadTable(acc, a)
	case Number:
		if a.flags&maybeLocal != 0 {
			return anything
		}
		if a.flags&maybePtr == 0 {
			r.fault(a, Fault{PC: acc.pc, Kind: BadMemory, Reg: acc.reg})
		}
	case Other:
		if v := r.objectField(acc, a, s); v != nil {
			return v
		}
		return r.loadOther(acc, a)
	case Insn, Code, Func:
		r.fault(a, Fault{PC: acc.pc, Kind: BadMemory, Reg: acc.reg})
	}
	return r.field(acc, a)
}

// loadOther is loadAlt for memory that is not modelled.
func (r *run) loadOther(acc access, a *Alt) *Value {
	switch m := memoryOf(a.Obj); {
	case acc.size < 8:
	case m.numbers():
		return unknownNumber
	case m == memValue, m == memElement:
		return unknownCell
	}
	return r.field(acc, a)
}

// field returns the result of a load through base from memory of unknown content; base may be
// nil. Only some offsets have pointers that the verifier treats as not null.
func (r *run) field(acc access, base *Alt) *Value {
	if acc.size < 8 {
		return number(r.a.opt.Rules.narrow(unknown, acc.size, acc.signed))
	}
	gone, known, off := false, false, uint64(0)
	if base != nil {
		gone = base.flags&object != 0 || base.Kind == Other && memoryOf(base.Obj) == MemObject
		if off, known = base.Off.IsConst(); base.Kind == Number {
			off, known = 0, base.flags&atStart != 0
		}
	}
	if base != nil && base.Kind == Other && memoryOf(base.Obj) == MemTrusted && !r.trustedField(0) {
		return unknownCell // of another type than those that have trusted fields
	}
	trusted := (!known || r.trustedField(int64(off)+acc.off)) && (!gone || base.Kind != Number || base.flags&foreign != 0)
	switch {
	case gone && trusted:
		return kernelPtr
	case gone:
		return tracedPtr
	case trusted:
		return unknownPtr
	}
	return unknownCell
}

// cell returns the result of a load from the value of a map: a number, or a pointer to a kernel
// object, which may be null. The verifier knows of these only from the type of the value
// (kernel/bpf/verifier.c check_mem_access, Linux 5.19 to 7.3).
func (r *run) cell(acc access, m *bytecode.Map) *Value {
	switch {
	case acc.size < 8:
		return r.field(acc, nil)
	case m.NoKptrs:
		return unknownNumber
	}
	return unknownCell
}

// loadMap returns the result of a load from a map's value. The bytes of a read-only map are
// constants (kernel/bpf/verifier.c bpf_map_is_rdonly and bpf_map_direct_read, Linux 7.3). A code
// address in it counts as one here, although no kernel knows that.
func (r *run) loadMap(acc access, a *Alt) *Value {
	m := &r.a.p.Maps[a.Obj]
	if m.Const && m.Value != nil && acc.size == 8 && len(m.Code) > 0 {
		if v := r.loadCode(acc, a, m); v != nil {
			return v
		}
	}
	if !m.ReadOnly || m.Value == nil {
		v := r.cell(acc, m)
		if m.ReadOnly { // the kernel knows what is there
			v = v.loosened()
		}
		if acc.size == 8 && len(m.Code) > 0 {
			return v.spoilt(acc.pc, acc.reg, writable)
		}
		return v
	}
	if acc.size == 8 && len(m.Code) > 0 {
		if v := r.loadCode(acc, a, m); v != nil {
			return v
		}
	}
	off, ok := a.Off.IsConst()
	if !ok {
		if v := r.constants(acc, a, m); v != nil {
			return v
		}
	}
	at := int64(off) + acc.off
	if !ok || at < 0 || at+int64(acc.size) > int64(len(m.Value)) || codeOverlaps(m, at, acc.size) {
		return r.cell(acc, m)
	}
	r.noteConfig(a.Obj, at, acc.size)
	if _, pending := m.UnknownAt(at, acc.size); pending {
		return number(r.a.opt.Rules.narrow(unknown, acc.size, acc.signed)).loosened()
	}
	return &Value{Alt: Alt{Kind: Number, Off: scalar.Const(r.valueAt(acc, m, at)), flags: datum}}
}

// extend widens the bytes of a load to a register.
func (r *run) extend(v uint64, acc access) uint64 {
	if shift := 64 - 8*acc.size; acc.signed {
		v = uint64(int64(v<<shift) >> shift)
	}
	return v
}

// loadTable returns the result of a load from a jump table's addresses (kernel/bpf/verifier.c
// check_ptr_alignment, check_map_mem_read and check_mem_region_access for
// BPF_MAP_TYPE_INSN_ARRAY, Linux 7.3): the byte offset of the cell stays known, not the address
// in it.
func (r *run) loadTable(acc access, a *Alt) *Value {
	size := int64(len(r.a.p.Tables[a.Obj].Targets)) * 8
	off := r.a.opt.Rules.offset(a.Off, scalar.Const(uint64(acc.off)), false)
	if acc.off == 0 || r.noLoadOffset() {
		off = a.Off
	}
	if !r.checkTable(acc, a, size) {
		return r.field(acc, nil).spoilt(acc.pc, acc.reg, misaligned)
	}
	if acc.size != 8 {
		return r.field(acc, nil).spoilt(acc.pc, acc.reg, narrow)
	}
	out := Alt{Kind: Insn, Obj: a.Obj, Off: off, flags: a.flags & loose, org: a.org, src: a.src}
	if acc.off != 0 {
		out.src, _ = a.src.by(scalar.Add, false, a.Off.Umax(), uint64(acc.off))
	}
	if off == a.Off {
		out.str = a.str
	}
	if off.Umax() > uint64(size-8) && !r.noLoadOffset() {
		// The program is refused, or reads outside of its table. Only entries inside the table
		// are returned.
		out.Off = scalar.Meet(off, scalar.Range(0, uint64(size-8)))
		out.flags |= loose
		if r.a.opt.Rules == Executions {
			out.flags |= beyond
		}
		out.org = origin{}
		if out.Off.Empty() {
			return unknownPtr
		}
	}
	return &Value{Alt: out}
}

// checkTable reports the faults of a load from a table in the kernel's order
// and whether the load can yield a code address.
func (r *run) checkTable(acc access, a *Alt, size int64) bool {
	aligned := a.Off.Var.Add(constBits(acc.off)).IsAligned(uint64(acc.size))
	if acc.size > 1 && !aligned {
		r.fault(a, acc.fault(Misaligned, acc.off, a.Off.Var))
		return false
	}
	lo := a.Off.Smin() + acc.off
	switch {
	case size < 8:
		r.fault(a, acc.outside(BelowTable, lo, size))
		return false
	case !r.checkRegion(acc, a, size):
	case acc.size != 8:
		r.fault(a, acc.fault(PartialEntry, lo, tnum.T{}))
	}
	return true
}

// checkRegion reports the faults of an access outside of size bytes, in the kernel's order, and
// returns whether the access is inside.
//
// Source: kernel/bpf/verifier.c check_mem_region_access, Linux 7.3.
func (r *run) checkRegion(acc access, a *Alt, size int64) (ok bool) {
	smin := a.Off.Smin()
	lo := smin + acc.off
	hi := int64(min(a.Off.Umax(), 1<<30)) + acc.off
	n := int64(acc.size)
	switch {
	case smin < 0 && (smin == math.MinInt64 || lo < 0):
		r.fault(a, acc.fault(NegativeIndex, lo, tnum.T{}))
	case lo < 0 || lo+n > size:
		r.fault(a, acc.outside(BelowTable, lo, size))
	case a.Off.Umax() >= 1<<29:
		r.fault(a, acc.fault(UnboundedIndex, hi, tnum.T{}))
	case hi+n > size:
		r.fault(a, acc.outside(AboveTable, hi, size))
	default:
		return true
	}
	return false
}

// spoilt returns the value with the reason why it is not a code address.
func (v *Value) spoilt(pc bytecode.PC, reg bytecode.Reg, why side) *Value {
	w := *v
	w.org = origin{int32(pc) + 1, uint8(reg), why}
	return &w
}

// store carries out an ST or STX instruction.
func (r *run) store(pc bytecode.PC, in bytecode.Insn, s *State) {
	if in.StoresArg() {
		r.storeArg(pc, in, s)
		return
	}
	acc := access{pc: pc, reg: in.Dst, off: int64(in.Off), size: in.AccessBytes()}
	if in.Class() == asm.StXClass && in.Mode() == modeAtomic {
		r.atomic(acc, in, s)
		return
	}
	val := r.a.constant(uint64(int64(in.Imm)))
	if in.Class() == asm.StXClass {
		val = r.read(pc, s, in.Src)
		if (acc.size == 8 || val.is(Number) && val.umax() < 1<<(8*acc.size)) && (!val.is(Number) || !r.isFirst()) {
			val = r.link(s, in.Src, val)
		}
	}
	r.storeTo(acc, val, s)
}

// storeTo stores a value; nil stands for an unknown one.
func (r *run) storeTo(acc access, val *Value, s *State) {
	base := r.read(acc.pc, s, acc.reg)
	r.noteUse(acc.pc, base, s, true)
	r.checkSame(acc.pc, base)
	if base.is(Stack) {
		r.storeStack(acc, &base.Alt, val, s, true)
		return
	}
	if from := ctxOf(r.ctxField(base, acc)); from != 0 { // the store determines the field's value
		s.tested |= from
		s.changeFields()
	}
	base.each(func(a *Alt) {
		switch a.Kind {
		case Stack:
			r.storeStack(acc, a, val, s, false)
		case Table:
			r.fault(a, acc.fault(TableWrite, a.Off.Smin()+acc.off, tnum.T{}))
		case MapValue:
			r.checkValue(acc, a)
		case Other:
			r.checkSocket(acc, a)
		case Insn, Code, Func:
			r.fault(a, Fault{PC: acc.pc, Kind: BadMemory, Reg: acc.reg})
		case Number:
			if a.flags&maybeLocal != 0 {
				forgetFrames(s)
			} else if a.flags&maybePtr == 0 {
				r.fault(a, Fault{PC: acc.pc, Kind: BadMemory, Reg: acc.reg})
			}
		}
	})
}

// atomic carries out an atomic operation (kernel/bpf/verifier.c
// check_atomic_rmw, Linux 7.3).
func (r *run) atomic(acc access, in bytecode.Insn, s *State) {
	switch in.Imm {
	case atomicLoadAcq:
		acc.reg = in.Src
		s.set(in.Dst, r.loadFrom(acc, s))
		return
	case atomicStoreRel:
		r.storeTo(acc, r.read(acc.pc, s, in.Src), s)
		return
	}
	r.read(acc.pc, s, in.Src)
	if in.Imm == atomicCmpXchg {
		r.read(acc.pc, s, bytecode.R0)
	}
	old := r.loadFrom(acc, s) // loaded from the stack as by a load, with its link
	r.storeTo(acc, nil, s)
	switch {
	case in.Imm == atomicCmpXchg:
		s.set(bytecode.R0, old)
	case in.Imm&atomicFetch != 0:
		s.set(in.Src, old)
	}
}

// forgetFrames makes every byte of every frame in sight anything, which is more
// than the instruction does.
func forgetFrames(s *State) {
	s.cover = true
	for i := range s.frames {
		s.edit(i).forget(-stackSize, 0)
	}
}
