package soundness

import (
	"encoding/binary"

	"github.com/bpfcfg/bpfcfg/abstract"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/testing/interp"
)

// moment shows a machine in the middle of a run to the facts
// (abstract.Concrete).
type moment struct {
	vm   *interp.VM
	regs *interp.Regs
}

// Reg returns what a register holds.
func (m *moment) Reg(r bytecode.Reg) uint64 { return m.regs[r] }

// Base returns the address of an object.
func (m *moment) Base(k abstract.Kind, obj int, x uint64) uint64 {
	switch k {
	case abstract.Ctx:
		return m.vm.CtxAddr()
	case abstract.Stack:
		top, _ := m.vm.FrameTop(obj)
		return top
	case abstract.MapPtr:
		return m.vm.MapAddr(obj)
	case abstract.MapValue:
		if i, start, ok := m.vm.ValueAt(x); ok && i == obj {
			return start
		}
		return m.vm.ValueAddr(obj)
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
