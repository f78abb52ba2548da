package soundness

import (
	"encoding/binary"
	"slices"

	"github.com/bpfcfg/bpfcfg/abstract"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/interp"
)

// moment shows a machine in the middle of a run to the facts
// (abstract.Concrete).
type moment struct {
	vm   *interp.VM
	regs *interp.Regs
	// value is the address of the element that pointers into each map are
	// taken to point to.
	value map[int]uint64
}

// Reg returns what a register holds.
func (m *moment) Reg(r bytecode.Reg) uint64 { return m.regs[r] }

// Base returns the address of an object.
func (m *moment) Base(k abstract.Kind, obj int) uint64 {
	switch k {
	case abstract.Ctx:
		return m.vm.CtxAddr()
	case abstract.Stack:
		top, _ := m.vm.FrameTop(obj)
		return top
	case abstract.MapPtr:
		return m.vm.MapAddr(obj)
	case abstract.MapValue:
		return m.value[obj]
	case abstract.Table:
		return m.vm.TableAddr(obj)
	case abstract.TablePtr:
		return m.vm.TableMapAddr(obj)
	case abstract.Func:
		return m.vm.CodeAddr(m.vm.Program().Subprogs[obj].Start)
	case abstract.Label:
		return m.vm.CodeAddr(0)
	}
	return 0
}

// Cells returns the offsets of the cells of a table or data section that hold a
// code address.
func (m *moment) Cells(k abstract.Kind, obj int, addr uint64) (offs []uint64) {
	p := m.vm.Program()
	if k == abstract.Insn {
		for i, to := range p.Tables[obj].Targets {
			if m.vm.CodeAddr(to) == addr {
				offs = append(offs, uint64(8*i))
			}
		}
		return offs
	}
	for _, c := range p.Maps[obj].Code {
		if m.vm.CodeAddr(c.Target) == addr {
			offs = append(offs, uint64(c.Off))
		}
	}
	return offs
}

// StackWord returns the eight bytes of a frame that begin 8*num below its top.
func (m *moment) StackWord(frame, num int) uint64 {
	f := m.vm.Frame(frame)
	if f == nil {
		return 0
	}
	return binary.LittleEndian.Uint64(f[len(f)-8*num:])
}

// elements returns for each map the addresses of those of its elements that
// registers and the spills of the current frame point into.
func (m *moment) elements() map[int][]uint64 {
	var out map[int][]uint64
	note := func(addr uint64) {
		if addr < interp.FirstAddr { // most are small numbers
			return
		}
		i, start, ok := m.vm.ValueAt(addr)
		if !ok || slices.Contains(out[i], start) {
			return
		}
		if out == nil {
			out = map[int][]uint64{}
		}
		out[i] = append(out[i], start)
	}
	for _, v := range m.regs[:bytecode.R10] {
		note(v)
	}
	for frame := range m.vm.Frames() {
		for b := m.vm.Frame(frame); len(b) > 0; b = b[8:] {
			note(binary.LittleEndian.Uint64(b))
		}
	}
	return out
}
