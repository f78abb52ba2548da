package verify

import (
	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/kernel"
)

// accessForms checks a load or store: as it is, in another mode, with a zero extension after it,
// or replaced by accesses to the structure behind a context. Only the kernel knows the offsets of
// fields; only its jumps matter here.
func (c *source) accessForms(pc bytecode.PC, in bytecode.Insn, end int32) bool {
	if m, sure := c.Facts.Memory(pc); m != OtherMemory {
		if form := c.field(m, in); form != nil {
			c.unsure = c.unsure || !sure
			if sure || c.begins(end, form) {
				return c.begins(end, form)
			}
		}
	}
	extend := p(w32|opMov|byReg, bytecode.R0, bytecode.R0, 0, 1)
	if in.Class() == asm.StXClass && in.Mode() == asm.AtomicMode && in.Imm == atomicCmpxchg && in.Size() == asm.Word &&
		c.matches(end, pat{in: in}, extend) {
		return true
	}
	if c.matches(end, pat{in: in}) {
		return true
	}
	for _, mode := range modes(in) {
		other := in
		other.Code = in.Code&^0xe0 | uint8(mode)
		if c.matches(end, pat{in: other}) {
			return true
		}
	}
	return c.straight(0)
}

// straight reports whether control passes from item n on to the end: the items contain no jump and
// no call.
func (c *source) straight(n int) bool {
	for _, it := range c.items[n:] {
		if it.flow.Kind != bytecode.FlowNext {
			return false
		}
	}
	return true
}

// begins reports whether c.items are a form, followed at most by instructions that cut a value to
// size.
func (c *source) begins(end int32, form []pat) bool {
	if len(c.items) < len(form) {
		return false
	}
	for k := range form {
		if !c.matchesOne(end, form, k) {
			return false
		}
	}
	return c.straight(len(form))
}

// modes returns the modes that an access can get (kernel/bpf/fixups.c
// bpf_convert_ctx_accesses).
func modes(in bytecode.Insn) []asm.Mode {
	switch {
	case in.Class() == asm.LdXClass && in.Mode() == asm.MemSXMode:
		return []asm.Mode{modeProbeSX, modeArenaSX}
	case in.Class() == asm.LdXClass:
		return []asm.Mode{modeProbe, modeArena}
	case in.Mode() == asm.AtomicMode:
		return []asm.Mode{modeArenaAtom}
	}
	return []asm.Mode{modeArena}
}

// fetch makes a load whose size and place only the kernel knows, store a store.
func fetch(dst, src bytecode.Reg) pat {
	return pat{in: bytecode.Insn{Code: ldxD, Dst: dst, Src: src}, place: true}
}

func store(in bytecode.Insn) pat {
	in.Off = 0
	return pat{in: in, place: true}
}

// Offsets in struct __sk_buff, bpf_sock and bpf_sk_lookup of fields that are read
// or written with a jump (include/uapi/linux/bpf.h).
const (
	skbQueue, skbVLAN, skbIfindex, skbNapi, skbStamp, skbStampKind = 12, 20, 40, 84, 152, 180

	sockQueue                      = 76
	lookupRemote, lookupLocal, v6s = 20, 44, 16
)

// field returns the form of an access to a field of a context or socket that takes
// a jump, nil for the others (net/core/filter.c bpf_convert_ctx_access,
// bpf_sock_convert_ctx_access and sk_lookup_convert_ctx_access, Linux 7.3).
func (c *source) field(m Memory, in bytecode.Insn) []pat {
	off, load := int(in.Off), in.Class() == asm.LdXClass
	switch {
	case m == Socket || c.p.Type == "cgroup_sock":
		if load && off >= sockQueue && off < sockQueue+4 {
			ones := w32
			if c.k.has(kernel.QueueLong) {
				ones = w64
			}
			return c.read(in, p(j64|jne, in.Dst, 0, 1, noQueue), p(ones|opMov, in.Dst, 0, 0, -1))
		}
	case c.p.Type == "sock_ops":
		return c.opsField(in, off, load)
	case c.p.Type == "sk_lookup":
		if load && (off >= lookupRemote && off < lookupRemote+v6s || off >= lookupLocal && off < lookupLocal+v6s) {
			return c.read(in, p(j64|jeq, in.Dst, 0, 1, 0), fetch(in.Dst, in.Dst))
		}
	case !c.seesPackets():
	case load:
		return c.packetField(in, off)
	case off == skbQueue && in.Class() == asm.StXClass:
		return []pat{p(j64|jge, in.Src, 0, 1, noQueue), store(in)}
	case off == skbQueue && uint32(in.Imm) >= noQueue:
		return []pat{p(bytecode.CodeGoto, 0, 0, 0, 0)}
	case off == skbStamp && c.readsStampKind() == No:
		bits := store(bytecode.Insn{Code: 0x73, Dst: in.Dst, Src: c.ax}) // *(u8 *)
		return []pat{fetch(c.ax, in.Dst), c.mask(j32|jset, 1, atIngress), p(bytecode.CodeGoto, 0, 0, 2, 0),
			c.mask(w32|opAnd, 0, ^stampKinds), bits, store(in)}
	}
	return nil
}

// Values that accesses to fields of packets compare with (include/linux/skbuff.h
// and net/sock.h).
const (
	noQueue    = 0xffff
	atIngress  = 4
	stampKinds = 3
)

// read returns a load of a field and the instructions after it.
func (c *source) read(in bytecode.Insn, further ...pat) []pat {
	return append([]pat{fetch(in.Dst, in.Src)}, further...)
}

// packetField returns the form of a load of a field of a packet.
func (c *source) packetField(in bytecode.Insn, off int) []pat {
	dst := in.Dst
	over := func(n int16) pat { return p(bytecode.CodeGoto, 0, 0, n, 0) }
	switch off &^ 3 {
	case skbVLAN:
		if !c.k.has(kernel.PacketVLAN) {
			return nil
		}
		return c.read(in, p(j64|jeq, dst, 0, 1, 0), p(w32|opMov, dst, 0, 0, 1))
	case skbIfindex:
		if c.p.Type == "sched_cls" || c.p.Type == "sched_act" { // such a packet has a device
			return nil
		}
		return c.read(in, p(j64|jeq, dst, 0, 1, 0), fetch(dst, dst))
	case skbNapi:
		least := p(j64|jge, dst, 0, 1, 0)
		least.any = true // by the number of CPUs that the kernel is built for
		return c.read(in, least, p(w64|opMov, dst, 0, 0, 0))
	case skbStamp:
		if c.readsStampKind() != No {
			return nil
		}
		rest := []pat{p(w64|opMov, dst, 0, 0, 0), over(1), fetch(dst, in.Src)}
		if !c.k.has(kernel.StampKinds) {
			return append([]pat{fetch(c.ax, in.Src), c.mask(w32|opAnd, 0, 0), c.mask(j32|jne, 2, 0)}, rest...)
		}
		return append([]pat{fetch(c.ax, in.Src), c.mask(j32|jset, 1, atIngress), over(4),
			c.mask(j32|jset, 1, stampKinds), over(2)}, rest...)
	case skbStampKind:
		if !c.k.has(kernel.StampKinds) && off == skbStampKind {
			return []pat{fetch(c.ax, in.Src), c.mask(j32|jset, 2, 0), p(w32|opMov, dst, 0, 0, 0), over(1),
				p(w32|opMov, dst, 0, 0, 1)}
		}
	}
	return nil
}

// mask tests or changes bits beside the time stamp of a packet. Where they lie in kernels that have
// one bit for its kind depends on the version.
func (c *source) mask(code uint8, off int16, bits int32) pat {
	q := p(code, c.ax, 0, off, bits)
	q.any = !c.k.has(kernel.StampKinds)
	return q
}

// seesPackets reports whether the context is a packet.
func (c *source) seesPackets() bool {
	switch c.p.Type {
	case "socket_filter", "sched_cls", "sched_act", "cgroup_skb", "lwt_in", "lwt_out", "lwt_xmit", "lwt_seg6local",
		"sk_skb":
		return true
	}
	return false
}

// readsStampKind reports whether the program reads the type of a packet's time stamp; then it gets
// and sets the stamp unchanged.
func (c *source) readsStampKind() Answer {
	if c.asked {
		return c.stamps
	}
	c.asked = true
	for pc := bytecode.PC(0); pc < c.p.Len(); pc += c.p.Insns[pc].Slots() {
		in := c.p.Insns[pc]
		if in.Class() != asm.LdXClass || in.Off != skbStampKind || in.Size() != asm.Byte {
			continue
		}
		if m, _ := c.Facts.Memory(pc); m == Context {
			c.stamps = Yes
		}
	}
	return c.stamps
}
