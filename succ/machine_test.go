package succ_test

import (
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/abstract/scalar"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// The machine of these tests executes programs on made-up memory: whatever it
// does, facts must allow. Addresses are numbers from regions that lie far apart,
// so that a register tells what it points to, which is what facts are compared
// by. Helpers return random numbers, or null; maps hold one value. An access
// outside of its region ends the run: no verifier would have let it happen.

// Errors of Run.
var (
	errAccess = errors.New("access outside of memory")
	errJump   = errors.New("jump to no instruction")
	errSteps  = errors.New("too many steps")
	errStop   = errors.New("stopped by Visit")
	errInsn   = errors.New("instruction that is not modelled")
)

// Addresses of the regions.
const (
	ctxBase   = 0x10_0000_0000_0000
	stackBase = 0x20_0000_0000_0000
	mapBase   = 0x30_0000_0000_0000
	tableBase = 0x40_0000_0000_0000
	codeBase  = 0x50_0000_0000_0000
	handle    = 0x60_0000_0000_0000
	apart     = 1 << 32 // between objects of one region
)

// ctxSize is the size of the context in bytes.
const ctxSize = 64

// stackTop returns what r10 holds in the frame with this number, 0 for that of
// the entry function.
func stackTop(frame int) uint64 { return stackBase + uint64(frame+1)*apart }

// mapValueAddr returns the address of a map's value.
func mapValueAddr(i int) uint64 { return mapBase + uint64(i)*apart }

// mapAddr returns the address of a map itself.
func mapAddr(i int) uint64 { return handle + uint64(i)*apart }

// tableAddr returns the address of the first cell of a jump table.
func tableAddr(i int) uint64 { return tableBase + uint64(i)*apart }

// codeAddr returns the address of an instruction, as a jump table holds it.
func codeAddr(pc bytecode.PC) uint64 { return codeBase + uint64(pc)*8 }

// stackSize is the size of a stack frame in bytes.
const stackSize = 512

// machine is a program with its memory. Regs and Stack may be read by Visit.
type machine struct {
	P    *bytecode.Program
	Regs [11]uint64
	Ctx  [ctxSize]byte
	Maps [][]byte
	// Stack holds the frames in use, that of the entry function first.
	Stack []*[stackSize]byte
	// Acts numbers the activations of functions that are on the stack.
	Acts  []int
	Steps int // instructions that may still be executed

	// Visit is called before each instruction and ends the run by returning
	// false. It may be nil.
	Visit func(m *machine, pc bytecode.PC) bool

	rnd  *rand.Rand
	acts int
}

// maxFrames bounds the nesting of calls.
const maxFrames = 16

// newMachine returns a machine with random memory for 10000 steps.
func newMachine(p *bytecode.Program, rnd *rand.Rand) *machine {
	m := &machine{P: p, rnd: rnd, Steps: 10_000}
	for i := range m.Ctx {
		if i%8 == 0 || rnd.IntN(4) == 0 {
			m.Ctx[i] = byte(rnd.IntN(1 << rnd.IntN(9)))
		}
	}
	for i := range p.Maps {
		mp := &p.Maps[i]
		v := make([]byte, max(int(mp.ValueSize), len(mp.Value), 8))
		for j := range v {
			v[j] = byte(rnd.Uint32())
		}
		copy(v, mp.Value)
		for _, c := range mp.Code {
			put(v[c.Off:], 8, codeAddr(c.Target))
		}
		m.Maps = append(m.Maps, v)
	}
	return m
}

// Run executes the program and returns its result.
func (m *machine) Run() (uint64, error) {
	m.Stack, m.Acts = nil, nil
	for r := range m.Regs {
		m.Regs[r] = m.rnd.Uint64()
	}
	m.Regs[1] = ctxBase
	err := m.function(0)
	return m.Regs[0], err
}

// function executes a function in a frame of its own until it returns.
func (m *machine) function(start bytecode.PC) error {
	if len(m.Stack) == maxFrames {
		return fmt.Errorf("%w: call chain too deep", errAccess)
	}
	saved := m.Regs
	f := new([stackSize]byte)
	for i := range f {
		f[i] = byte(m.rnd.Uint32())
	}
	m.Stack = append(m.Stack, f)
	m.acts++
	m.Acts = append(m.Acts, m.acts)
	m.Regs[10] = stackTop(len(m.Stack) - 1)
	pc, err := start, error(nil)
	for pc >= 0 && err == nil {
		pc, err = m.step(pc)
	}
	m.Stack = m.Stack[:len(m.Stack)-1]
	m.Acts = m.Acts[:len(m.Acts)-1]
	copy(m.Regs[6:], saved[6:])
	return err
}

// step executes one instruction and returns the next, -1 at an exit.
func (m *machine) step(pc bytecode.PC) (bytecode.PC, error) {
	if pc >= m.P.Len() {
		return 0, errJump
	}
	if m.Steps--; m.Steps < 0 {
		return 0, errSteps
	}
	if m.Visit != nil && !m.Visit(m, pc) {
		return 0, errStop
	}
	in := m.P.Insns[pc]
	next := pc + in.Slots()
	if in.Dst > 10 || in.Src > 10 {
		return 0, errInsn
	}
	switch in.Class() {
	case asm.ALUClass, asm.ALU64Class:
		op, is32, ok := scalar.OpOf(in.Code, in.Off, in.Imm)
		if !ok {
			return 0, errInsn
		}
		m.Regs[in.Dst] = scalar.Eval(op, is32, m.Regs[in.Dst], m.operand(in))
		return next, nil
	case asm.LdClass:
		if !in.IsWide() || next > m.P.Len() {
			return 0, errInsn
		}
		m.Regs[in.Dst] = m.wide(pc, in)
		return next, nil
	case asm.LdXClass, asm.StClass, asm.StXClass:
		return next, m.memory(in)
	}
	return m.jump(pc, in)
}

// operand returns the second operand of an ALU or jump instruction.
func (m *machine) operand(in bytecode.Insn) uint64 {
	if in.Source() == asm.RegSource {
		return m.Regs[in.Src]
	}
	return uint64(int64(in.Imm))
}

// wide returns what a 64-bit immediate load yields.
func (m *machine) wide(pc bytecode.PC, in bytecode.Insn) uint64 {
	if ref, ok := m.P.RefAt(pc); ok {
		switch ref.Kind {
		case bytecode.RefMap:
			return mapAddr(ref.Index)
		case bytecode.RefMapValue:
			return mapValueAddr(ref.Index) + uint64(ref.Off)
		case bytecode.RefTable:
			return tableAddr(ref.Index) + uint64(ref.Off)
		case bytecode.RefFunc:
			return codeAddr(bytecode.PC(ref.Index))
		}
	}
	if in.Src == bytecode.LdFunc {
		return codeAddr(pc + 1 + bytecode.PC(in.Imm))
	}
	return uint64(uint32(in.Imm)) | uint64(uint32(m.P.Insns[pc+1].Imm))<<32
}

// jump executes an instruction of class JMP or JMP32.
func (m *machine) jump(pc bytecode.PC, in bytecode.Insn) (bytecode.PC, error) {
	f := m.P.Flow(pc)
	switch f.Kind {
	case bytecode.FlowGoto:
		return f.Target, nil
	case bytecode.FlowCond:
		if m.taken(in) {
			return f.Target, nil
		}
		return f.Next, nil
	case bytecode.FlowExit:
		return -1, nil
	case bytecode.FlowIndirect:
		to := m.Regs[in.Dst] - codeBase
		if to%8 != 0 || to/8 >= uint64(m.P.Len()) {
			return 0, errJump
		}
		return bytecode.PC(to / 8), nil
	case bytecode.FlowCall:
		return f.Next, m.call(f.Callee)
	case bytecode.FlowCallx:
		to := m.Regs[in.CallxReg()] - codeBase
		if to%8 != 0 || to/8 >= uint64(m.P.Len()) {
			return 0, errJump
		}
		return f.Next, m.call(bytecode.PC(to / 8))
	case bytecode.FlowHelper:
		return f.Next, m.helper(in)
	}
	return 0, errInsn
}

// taken decides a conditional jump; may_goto by chance.
func (m *machine) taken(in bytecode.Insn) bool {
	if in.Code == bytecode.CodeMayGoto {
		return m.rnd.IntN(8) == 0
	}
	c, is32, ok := scalar.CondOf(in.Code)
	return ok && scalar.Holds(c, is32, m.Regs[in.Dst], m.operand(in))
}

// call executes a subprogram and spoils the registers that it may change.
func (m *machine) call(to bytecode.PC) error {
	if err := m.function(to); err != nil {
		return err
	}
	m.spoil()
	return nil
}

// spoil fills the argument registers with random numbers.
func (m *machine) spoil() {
	for r := 1; r <= 5; r++ {
		m.Regs[r] = m.rnd.Uint64()
	}
}
