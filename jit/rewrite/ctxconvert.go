package rewrite

import (
	"slices"
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/kernel"
	"github.com/cilium/ebpf/asm"
)

// converter turns an access to a context into one of the structure behind it
// (kernel/bpf/fixups.c bpf_convert_ctx_accesses and the convert_ctx_access of
// struct bpf_verifier_ops, Linux 7.3).
type converter struct {
	st    *state
	in    bytecode.Insn // as the kernel converts it: whole fields are read
	field field
	ax    bytecode.Reg
	unset bool // a place in a structure is not known
}

// convertField returns the replacement of an access to one of the fields, nil if there is none at
// its offset.
func (st *state) convertField(fields []field, s slot) []slot {
	k := slices.IndexFunc(fields, func(f field) bool { return s.in.Off >= f.from && s.in.Off < f.end })
	if k < 0 {
		return nil
	}
	c := converter{st: st, in: s.in, field: fields[k], ax: bytecode.Reg(st.prof.AXReg)}
	size, off, whole := s.in.AccessBytes(), s.in.Off, c.wholeSize()
	isLoad := s.in.Class() == asm.LdXClass
	narrow := isLoad && size < whole
	if narrow {
		c.in.Off = off &^ int16(whole-1)
		c.in.Code = uint8(asm.LdXClass) | uint8(asm.MemMode) | sizeBits(whole)
	}
	var out []slot
	target := 0
	if isLoad {
		out, target = c.load()
	} else {
		out = c.store()
	}
	if out == nil {
		return nil
	}
	if narrow && size < target {
		out = append(out, cut(s.in.Dst, size, whole, 8*int32(off&int16(whole-1)))...)
	}
	if s.in.Mode() == asm.MemSXMode {
		out = append(out, raw(w64|opMov|byReg, s.in.Dst, s.in.Dst, int16(8*size), 0))
	}
	if c.unset {
		return unpredicted(out)
	}
	st.build = st.members.build
	return out
}

// cut keeps size bytes of a loaded field of whole bytes, from a bit on.
func cut(dst bytecode.Reg, size, whole int, shift int32) []slot {
	class := w32
	if whole > 4 {
		class = w64
	}
	var out []slot
	if shift != 0 {
		out = append(out, raw(class|opRsh, dst, 0, 0, shift))
	}
	return append(out, raw(w32|opAnd, dst, 0, 0, int32(uint32(1)<<(8*size)-1)))
}

// wholeSize returns the size in bytes with which the field is read for an access to a part of it, 0
// if parts cannot be accessed.
func (c *converter) wholeSize() int {
	switch {
	case c.field.flags&(fieldRaw|fieldWhole) != 0:
		return 0
	case c.field.flags&fieldWide != 0:
		return 8
	}
	return min(4, int(c.field.end-c.field.from))
}

// sizeBits returns the size bits of an access of so many bytes.
func sizeBits(bytes int) uint8 {
	switch bytes {
	case 1:
		return uint8(asm.Byte)
	case 2:
		return uint8(asm.Half)
	case 4:
		return uint8(asm.Word)
	}
	return uint8(asm.DWord)
}

// place returns where the last part of a path lies, "sk_buff.cb+qdisc_skb_cb.data"
// added up, and its size.
func (c *converter) place(path string) (off int16, size int) {
	for part := range strings.SplitSeq(path, "+") {
		if !strings.Contains(part, ".") { // the start of a structure
			size = 8
			continue
		}
		m, ok := c.st.member(part)
		c.unset = c.unset || !ok
		off += int16(m.off)
		size = m.size
	}
	return off, size
}

// member returns the place of a member in the build that the profile stands for.
func (st *state) member(name string) (member, bool) {
	if st.members.at == nil {
		st.members = structsOf(st.prof)
	}
	m, ok := st.members.at[name]
	if st.asked == nil {
		st.asked = map[string]found{}
	}
	st.asked[name] = found{m, ok}
	return m, ok
}

// found is the place of a member in a build.
type found struct {
	member
	ok bool
}

// last returns the place of the field in its structure, and the size of the access.
func (c *converter) last(path string) (off int16, size int) {
	off, size = c.place(path)
	in := c.in.AccessBytes()
	switch {
	case c.field.flags&fieldRaw != 0:
		return off + c.in.Off - c.field.from, in
	case c.field.flags&fieldWords != 0:
		return off + c.in.Off - c.field.from, max(in, 4)
	case size == 0:
		return off, 1
	}
	return off, min(size, 8)
}

// ldx loads from a register.
func ldx(bytes int, dst, src bytecode.Reg, off int16) slot {
	return raw(uint8(asm.LdXClass)|uint8(asm.MemMode)|sizeBits(bytes), dst, src, off, 0)
}

// load returns a load of the field, and how many bytes of it are valid, 0 if parts are not
// distinguished.
func (c *converter) load() (out []slot, target int) {
	dst, src := c.in.Dst, c.in.Src
	switch c.field.then {
	case thenTstamp:
		return c.tstamp(), 8
	case thenTstampType:
		return c.tstampType(), 0
	case thenDataEnd:
		return c.dataEnd(), 8
	case thenShinfo:
		out = c.shinfo()
		off, size := c.last(c.field.path)
		return append(out, ldx(size, dst, dst, off)), size
	case thenZero:
		return []slot{raw(w32|opMov, dst, 0, 0, 0)}, 2
	case thenOps, thenOpsSock:
		return c.opsField(), 8
	case thenOpsShinfo:
		return c.opsShinfo(), 8
	case thenPresent:
		if at, ok := c.st.member("sk_buff.vlan_present"); ok { // before Linux 6.2 a bit
			return []slot{ldx(1, dst, src, int16(at.off)), raw(w32|opAnd, dst, 0, 0, at.mask())}, 1
		}
	}
	parts := strings.Split(c.field.path, "/")
	for i, part := range parts {
		off, size := c.place(part)
		if i == len(parts)-1 {
			off, size = c.last(part)
			target = size
		}
		out = append(out, ldx(size, dst, src, off))
		if src = dst; i == 0 && c.field.flags&fieldNull != 0 {
			out = append(out, raw(j64|jeq, dst, 0, 1, 0))
		}
	}
	if c.field.flags&fieldRaw != 0 {
		target = 0
	}
	return c.after(out, target)
}

// one returns which of two features the kernel has. If it has neither, it depends on the stable
// release, and the access is not predicted.
func (c *converter) one(x, y kernel.Feature) kernel.Feature {
	if c.st.kernel.Has(x) {
		return x
	}
	c.unset = c.unset || !c.st.kernel.Has(y)
	return y
}

// after adds the instructions after the last load.
func (c *converter) after(out []slot, target int) ([]slot, int) {
	const noQueue = 0xffff // NO_QUEUE_MAPPING
	const minNapi = 8192   // MIN_NAPI_ID of a kernel for at most 8192 CPUs, plus 1
	dst := c.in.Dst
	switch c.field.then {
	case thenPktType:
		return append(out, raw(w32|opAnd, dst, 0, 0, 7)), 1
	case thenPresent:
		return append(out, raw(j64|jeq, dst, 0, 1, 0), raw(w32|opMov, dst, 0, 0, 1)), target
	case thenNapi:
		return append(out, raw(j64|jge, dst, 0, 1, minNapi+1), raw(w64|opMov, dst, 0, 0, 0)), target
	case thenPort:
		return append(out, raw(w32|opLsh, dst, 0, 0, 16)), target
	case thenQueue:
		out = append(out, raw(j64|jne, dst, 0, 1, noQueue))
		if c.one(kernel.QueueWord, kernel.QueueLong) == kernel.QueueLong {
			return append(out, raw(w64|opMov, dst, 0, 0, -1)), 2
		}
		return append(out, raw(w32|opMov, dst, 0, 0, -1)), 4
	}
	return out, target
}

// readsTstampType reports whether the program reads the type of a packet's time stamp; then it gets
// and sets the stamp unchanged.
func (st *state) readsTstampType() bool {
	const tstampType = 180
	return slices.ContainsFunc(st.facts.Accesses, func(a AccessFact) bool {
		in := st.src.Insns[a.PC]
		return a.To == MemCtx && in.Class() == asm.LdXClass && in.Off == tstampType && in.Size() == asm.Byte
	})
}

// stampBits are the bits beside the time stamp of a packet (include/linux/skbuff.h).
type stampBits struct {
	off     int16 // of their byte
	ingress int32 // mask of the bit of an incoming packet
	kind    int32 // mask of the kind of the stamp
	mono    bool  // the kind is one bit: of a delivery time, by the monotonic clock (Linux 6.1)
}

// stampBits returns where the build has these bits.
func (c *converter) stampBits() stampBits {
	in, ok := c.st.member("sk_buff.tc_at_ingress")
	kind, known := c.st.member("sk_buff.tstamp_type")
	mono, old := c.st.member("sk_buff.mono_delivery_time")
	if old {
		kind, known = mono, true
	}
	c.unset = c.unset || !ok || !known || kind.off != in.off
	return stampBits{int16(in.off), in.mask(), kind.mask(), old}
}

// tstampType loads the kind of the time stamp of a packet (bpf_convert_tstamp_type_read).
func (c *converter) tstampType() []slot {
	dst, src, bits := c.in.Dst, c.in.Src, c.stampBits()
	if !bits.mono {
		return []slot{ldx(1, dst, src, bits.off), raw(w32|opAnd, dst, 0, 0, bits.kind)}
	}
	return []slot{
		ldx(1, c.ax, src, bits.off),
		raw(j32|jset, c.ax, 0, 2, bits.kind),
		raw(w32|opMov, dst, 0, 0, 0),
		raw(bytecode.CodeGoto, 0, 0, 1, 0),
		raw(w32|opMov, dst, 0, 0, 1),
	}
}

// tstamp loads the time stamp of a packet: 0 for an incoming packet with a delivery
// time (bpf_convert_tstamp_read).
func (c *converter) tstamp() []slot {
	dst, src, bits := c.in.Dst, c.in.Src, c.stampBits()
	off, _ := c.place(c.field.path)
	stamp := ldx(8, dst, src, off)
	if c.st.readsTstampType() {
		return []slot{stamp}
	}
	out := []slot{ldx(1, c.ax, src, bits.off)}
	if both := bits.ingress | bits.kind; bits.mono {
		out = append(out, raw(w32|opAnd, c.ax, 0, 0, both), raw(j32|jne, c.ax, 0, 2, both))
	} else {
		out = append(out,
			raw(j32|jset, c.ax, 0, 1, bits.ingress),
			raw(bytecode.CodeGoto, 0, 0, 4, 0),
			raw(j32|jset, c.ax, 0, 1, bits.kind),
			raw(bytecode.CodeGoto, 0, 0, 2, 0))
	}
	return append(out, raw(w64|opMov, dst, 0, 0, 0), raw(bytecode.CodeGoto, 0, 0, 1, 0), stamp)
}

// storeTstamp stores the time stamp of a packet (bpf_convert_tstamp_write).
func (c *converter) storeTstamp() []slot {
	skb, bits := c.in.Dst, c.stampBits()
	off, _ := c.place(c.field.path)
	var out []slot
	if !c.st.readsTstampType() {
		out = append(out,
			ldx(1, c.ax, skb, bits.off),
			raw(j32|jset, c.ax, 0, 1, bits.ingress),
			raw(bytecode.CodeGoto, 0, 0, 2, 0),
			raw(w32|opAnd, c.ax, 0, 0, ^bits.kind),
			raw(uint8(asm.StXClass)|uint8(asm.MemMode)|uint8(asm.Byte), skb, c.ax, bits.off, 0))
	}
	return append(out, c.emit(8, skb, off))
}

// shinfo loads the address of the shared part of a packet
// (bpf_convert_shinfo_access).
func (c *converter) shinfo() []slot {
	dst, src := c.in.Dst, c.in.Src
	end, _ := c.place("sk_buff.end")
	head, _ := c.place("sk_buff.head")
	return []slot{
		ldx(4, c.ax, src, end),
		ldx(8, dst, src, head),
		raw(w64|opAdd|byReg, dst, c.ax, 0, 0),
	}
}

// dataEnd loads where the linear part of a packet ends
// (bpf_convert_data_end_access).
func (c *converter) dataEnd() []slot {
	dst, src := c.in.Dst, c.in.Src
	temp, _ := c.place(c.field.path)
	data, _ := c.place("sk_buff.data")
	length, _ := c.place("sk_buff.len")
	rest, _ := c.place("sk_buff.data_len")
	reg := dst
	var out []slot
	if src == dst {
		reg = spare(src, dst)
		out = append(out, raw(stxD, src, reg, temp, 0))
	}
	out = append(out,
		ldx(8, reg, src, data),
		ldx(4, c.ax, src, length),
		raw(w64|opAdd|byReg, reg, c.ax, 0, 0),
		ldx(4, c.ax, src, rest),
		raw(w64|opSub|byReg, reg, c.ax, 0, 0))
	if src == dst {
		out = append(out,
			raw(w64|opMov|byReg, c.ax, src, 0, 0),
			raw(w64|opMov|byReg, dst, reg, 0, 0),
			ldx(8, reg, c.ax, temp))
	}
	return out
}

// spare returns a register that is neither: R9 or one of the two before it.
func spare(a, b bytecode.Reg) bytecode.Reg {
	reg := bytecode.R9
	for range 2 {
		if a == reg || b == reg {
			reg--
		}
	}
	return reg
}

// emit returns the store to another base and offset.
func (c *converter) emit(bytes int, base bytecode.Reg, off int16) slot {
	return raw(uint8(c.in.Class())|uint8(asm.MemMode)|sizeBits(bytes), base, c.in.Src, off, c.in.Imm)
}

// store returns a store to the field.
func (c *converter) store() []slot {
	const noQueue = 0xffff
	switch c.field.then {
	case thenTstamp:
		return c.storeTstamp()
	case thenOps:
		return c.storeOps()
	case thenNothing, thenQueueStore:
	default:
		return nil
	}
	parts := strings.Split(c.field.path, "/")
	if len(parts) > 1 {
		return c.storeStashed(parts)
	}
	off, size := c.last(parts[0])
	store := c.emit(size, c.in.Dst, off)
	if c.field.then == thenQueueStore {
		if c.in.Class() == asm.StClass && uint32(c.in.Imm) >= noQueue {
			return []slot{raw(bytecode.CodeGoto, 0, 0, 0, 0)}
		}
		if c.in.Class() == asm.StXClass {
			return []slot{raw(j64|jge, c.in.Src, 0, 1, noQueue), store}
		}
	}
	return []slot{store}
}

// storeStashed stores through pointers in the structure, with a register that it
// keeps there meanwhile (SOCK_ADDR_STORE_NESTED_FIELD_OFF).
func (c *converter) storeStashed(parts []string) []slot {
	if c.field.flags&fieldStash == 0 {
		return nil
	}
	owner, _, _ := strings.Cut(parts[0], ".")
	stash, _ := c.place(owner + ".tmp_reg")
	reg, base := spare(c.in.Src, c.in.Dst), c.in.Dst
	out := []slot{raw(stxD, c.in.Dst, reg, stash, 0)}
	for _, part := range parts[:len(parts)-1] {
		off, size := c.place(part)
		out = append(out, ldx(size, reg, base, off))
		base = reg
	}
	off, size := c.last(parts[len(parts)-1])
	return append(out, c.emit(size, reg, off), ldx(8, reg, c.in.Dst, stash))
}
