package succ_test

import (
	"encoding/binary"
	"fmt"

	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// Modes and operations by their bits (RFC 9669 sections 5.1 to 5.3).
const (
	modeMem    = asm.Mode(0x60)
	modeMemSX  = asm.Mode(0x80)
	modeAtomic = asm.Mode(0xc0)

	atomicXchg    = 0xe1
	atomicCmpXchg = 0xf1
	atomicFetch   = 1
)

// memory executes a load or store.
func (m *machine) memory(in bytecode.Insn) error {
	base := in.Dst
	if in.Class() == asm.LdXClass {
		base = in.Src
	}
	size := in.AccessBytes()
	addr := m.Regs[base] + uint64(int64(in.Off))
	switch {
	case in.Class() == asm.LdXClass && (in.Mode() == modeMem || in.Mode() == modeMemSX):
		v, err := m.load(addr, size)
		if in.Mode() == modeMemSX {
			shift := 64 - 8*size
			v = uint64(int64(v<<shift) >> shift)
		}
		m.Regs[in.Dst] = v
		return err
	case in.Class() == asm.StClass && in.Mode() == modeMem:
		return m.store(addr, size, uint64(int64(in.Imm)))
	case in.Class() == asm.StXClass && in.Mode() == modeMem:
		return m.store(addr, size, m.Regs[in.Src])
	case in.Class() == asm.StXClass && in.Mode() == modeAtomic:
		return m.atomic(in, addr, size)
	}
	return errInsn
}

// atomic executes an atomic operation.
func (m *machine) atomic(in bytecode.Insn, addr uint64, size int) error {
	old, err := m.load(addr, size)
	if err != nil {
		return err
	}
	src, next := m.Regs[in.Src], old
	switch in.Imm {
	case 0x00, 0x00 | atomicFetch:
		next = old + src
	case 0x40, 0x40 | atomicFetch:
		next = old | src
	case 0x50, 0x50 | atomicFetch:
		next = old & src
	case 0xa0, 0xa0 | atomicFetch:
		next = old ^ src
	case atomicXchg:
		next = src
	case atomicCmpXchg:
		if old == m.Regs[0]&(^uint64(0)>>(64-8*size)) {
			next = src
		}
		m.Regs[0] = old
		return m.store(addr, size, next)
	default:
		return errInsn
	}
	if in.Imm&atomicFetch != 0 {
		m.Regs[in.Src] = old
	}
	return m.store(addr, size, next)
}

// bytes returns the memory at an address, nil if it is none. Tables are read
// only and made on the fly.
func (m *machine) bytes(addr uint64, size int, write bool) []byte {
	in := func(mem []byte, off uint64) []byte {
		if n := uint64(len(mem)); off < n && n-off >= uint64(size) {
			return mem[off:]
		}
		return nil
	}
	region, i := addr&^(1<<52-1), int(addr&(1<<52-1)/apart)
	off := addr % apart
	switch region {
	case ctxBase:
		return in(m.Ctx[:], addr-ctxBase)
	case stackBase:
		// A frame lies below its top.
		if top := uint64(i+1) * apart; i < len(m.Stack) && addr-stackBase >= top-stackSize {
			return in(m.Stack[i][:], addr-stackBase-(top-stackSize))
		}
	case mapBase:
		if i < len(m.Maps) && (!write || !m.P.Maps[i].ReadOnly) {
			return in(m.Maps[i], off)
		}
	case tableBase:
		if i < len(m.P.Tables) && !write {
			mem := make([]byte, 8*len(m.P.Tables[i].Targets))
			for j, to := range m.P.Tables[i].Targets {
				put(mem[8*j:], 8, codeAddr(to))
			}
			return in(mem, off)
		}
	}
	return nil
}

func (m *machine) load(addr uint64, size int) (uint64, error) {
	mem := m.bytes(addr, size, false)
	if mem == nil {
		return 0, fmt.Errorf("%w: load of %d at %#x", errAccess, size, addr)
	}
	var b [8]byte
	copy(b[:size], mem)
	return binary.LittleEndian.Uint64(b[:]), nil
}

func (m *machine) store(addr uint64, size int, v uint64) error {
	mem := m.bytes(addr, size, true)
	if mem == nil {
		return fmt.Errorf("%w: store of %d at %#x", errAccess, size, addr)
	}
	put(mem, size, v)
	return nil
}

// put stores the low bytes of v.
func put(mem []byte, size int, v uint64) {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], v)
	copy(mem[:size], b[:])
}

// Numbers of the helpers that do something.
const (
	helperLookup    = 1
	helperProbeRead = 4
	helperUpdate    = 2
	helperLoop      = 181
)

// helper executes a call of a helper or kernel function. What is not listed
// returns a random number.
func (m *machine) helper(in bytecode.Insn) error {
	r0 := m.random()
	if in.IsHelperCall() {
		switch in.Imm {
		case helperLookup:
			r0 = 0
			if i := (m.Regs[1] - handle) / apart; i < uint64(len(m.Maps)) && m.rnd.IntN(3) > 0 {
				r0 = mapValueAddr(int(i))
			}
		case helperProbeRead:
			if err := m.scribble(m.Regs[1], m.Regs[2]); err != nil {
				return err
			}
		case helperLoop:
			n, err := m.loop()
			if err != nil {
				return err
			}
			r0 = n
		}
	}
	m.spoil()
	m.Regs[0] = r0
	return nil
}

// random returns a number that is often small.
func (m *machine) random() uint64 {
	v := m.rnd.Uint64() >> m.rnd.IntN(64)
	if m.rnd.IntN(4) == 0 {
		v = -v
	}
	return v
}

// scribble fills memory as a helper does that reads from elsewhere.
func (m *machine) scribble(addr, size uint64) error {
	if size > stackSize {
		return errAccess
	}
	for i := range size {
		if err := m.store(addr+i, 1, m.rnd.Uint64()); err != nil {
			return err
		}
	}
	return nil
}

// loop executes bpf_loop: at most a few rounds.
func (m *machine) loop() (uint64, error) {
	to := m.Regs[2] - codeBase
	if to%8 != 0 || to/8 >= uint64(m.P.Len()) {
		return 0, errJump
	}
	rounds, ctx := min(m.Regs[1], 5), m.Regs[3]
	for i := range rounds {
		m.spoil()
		m.Regs[1], m.Regs[2] = i, ctx
		if err := m.function(bytecode.PC(to / 8)); err != nil {
			return 0, err
		}
		if m.Regs[0] != 0 {
			return i + 1, nil
		}
	}
	return rounds, nil
}
