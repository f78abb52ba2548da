// Package interp runs a bytecode.Program instruction by instruction on concrete
// values, as the standard and the kernel define them:
//
//	vm, err := interp.New(p, interp.Config{Helpers: interp.CommonHelpers()})
//	r0, err := vm.Run(interp.Input{Ctx: []byte{1, 0, 0, 0, 0, 0, 0, 0}})
//	vm.Map(".bss").Value(0)                      // what the program left there
//
// It judges every package that predicts what a program does: package jit's machine code must
// compute the same, and package succ's facts must hold for every step (Config.OnStep,
// Config.OnEdge).
//
// A program runs in an address space of its own: context, packet, stack frames, map values and jump
// tables are regions far apart. Every access is checked against its region; an access outside of
// all is an Error with the slot. No program makes the package panic, and a run ends after
// Config.Steps instructions at the latest.
//
// The package does not verify: it runs programs that no kernel would accept, up
// to their first bad step. It does not model time, other CPUs, faults, arenas,
// or the kernel's objects behind pointers in a context.
package interp

import (
	"errors"
	"fmt"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// Defaults of a Config.
const (
	DefaultSteps   = 1 << 24
	DefaultMayGoto = 8 << 20 // BPF_MAX_LOOPS (include/linux/bpf.h, Linux 7.3)
)

// FrameSize is the size of a subprogram's stack frame in bytes (MAX_BPF_STACK,
// include/linux/filter.h).
const FrameSize = 512

// MaxFrames is how deep calls nest (MAX_CALL_FRAMES, include/linux/bpf_verifier.h).
const MaxFrames = 8

// ErrSteps is wrapped by the error of a run that takes too many steps.
var ErrSteps = errors.New("step limit reached")

// ErrRestart is for Helpers to return: the run starts again at the program's entry with the same
// context, as when the program tail-calls itself. The count of steps goes on.
var ErrRestart = errors.New("program starts again")

// ErrExit is for Helpers to return: the run ends at once with the helper's result
// in R0, however deep the call.
var ErrExit = errors.New("program ends")

// Error is the reason why a run stopped before its end.
type Error struct {
	PC  bytecode.PC // the instruction that cannot be carried out
	Err error
}

// Error returns the slot and the reason.
func (e *Error) Error() string { return fmt.Sprintf("slot %d: %v", int(e.PC), e.Err) }

// Unwrap returns the reason.
func (e *Error) Unwrap() error { return e.Err }

// Helper carries out a helper or kfunc with arguments from R1 to R5 and returns
// R0. It may look at and change the machine's memory, and call back into the
// program (VM.Call).
type Helper func(vm *VM, args [5]uint64) (uint64, error)

// EdgeKind says how control went from one slot to another.
type EdgeKind uint8

// The kinds of steps from slot to slot.
const (
	Next     EdgeKind = iota // to the following instruction, also past a jump not taken
	Taken                    // a conditional jump that was taken
	Jump                     // goto, gotol
	Indirect                 // gotox
	Call                     // into a subprogram, from call or callx
	Callback                 // into a subprogram, from a helper
	Return                   // after the call, from the end of the subprogram
)

// Config is what a VM is made with. The zero value is usable.
type Config struct {
	Helpers map[int32]Helper  // by number; a call of another is an error
	Kfuncs  map[string]Helper // by name
	Steps   int               // instructions per Run; 0 is DefaultSteps
	MayGoto int               // how often may_goto goes on, per frame; 0 is DefaultMayGoto

	// CallNumbers makes an indirect call of a small number a call of the helper
	// with this number, as interpreters outside of the kernel have it.
	CallNumbers bool
	// Key decides a static key; nil takes the default that its flags state.
	Key func(pc bytecode.PC) (jumps bool)
	// Stack fills a new stack frame, and Clobber sets the registers that a call
	// leaves undefined: R1 to R5 after it, R6 to R9 at the start of a
	// subprogram, R2 to R5 at that of the program. A program may not depend on either, and analyses must allow any
	// value. Nil leaves zeros in the frame and the registers as they are.
	Stack   func(frame []byte)
	Clobber func(regs []uint64)
	// OnStep is called before each instruction. The registers may be looked at,
	// not changed.
	OnStep func(pc bytecode.PC, regs *Regs)
	// OnEdge is called after each instruction but exits; after a subprogram's
	// exit it is called with the Return from the call to after it.
	OnEdge func(from, to bytecode.PC, kind EdgeKind)
}

// Input is the input of one run.
type Input struct {
	// Ctx is the context as the program sees it; its bytes change when the
	// program writes. R1 is its address.
	Ctx []byte
	// Fields lists the 4-byte loads from the context that yield pointers.
	Fields []CtxField
	// Packet is the packet that Fields and the legacy loads (LD_ABS, LD_IND)
	// see. Its bytes change when the program writes.
	Packet []byte
	// Plain makes R2 the length of Ctx, and R1 0 without a Ctx: how
	// bpf_conformance starts programs.
	Plain bool
}

// CtxField is a field of the context that the program sees as a 32-bit number but that is a pointer
// into the packet (struct xdp_md, struct __sk_buff).
type CtxField struct {
	Off       int64 // byte offset in the context
	PacketOff int64 // byte offset in the packet that it points to
}

// Regs are the registers R0 to R10, and R11, which is not in the standard: loads and stores with it
// as base move stack arguments.
type Regs [12]uint64

// VM is a program with its memory. Maps keep their contents from run to run.
type VM struct {
	p   *bytecode.Program
	cfg Config

	mem    memory
	maps   []*Map
	mapObj []uint64 // address that stands for each map
	tables []uint64 // address of each jump table
	tabObj []uint64 // address that stands for the map of each jump table
	funcs  uint64   // address of slot 0 as code

	ctx    *region
	fields []CtxField
	packet *region
	object *region   // see Object
	stacks []*region // by depth
	frames []frame
	pc     bytecode.PC // of the helper call that is being carried out
	steps  int
}

// New makes a machine for p. It errs on a program without instructions, and on
// data that is too large to hold.
func New(p *bytecode.Program, cfg Config) (*VM, error) {
	if len(p.Insns) == 0 {
		return nil, errors.New("program has no instructions")
	}
	if cfg.Steps == 0 {
		cfg.Steps = DefaultSteps
	}
	if cfg.MayGoto == 0 {
		cfg.MayGoto = DefaultMayGoto
	}
	vm := &VM{p: p, cfg: cfg}
	if n := 5 + MaxFrames + 2*len(p.Maps) + 2*len(p.Tables); n > maxRegions/2 {
		return nil, fmt.Errorf("program has %d maps and jump tables, too many to run", len(p.Maps)+len(p.Tables))
	}
	vm.funcs = vm.mem.add("code", nil, true).base
	vm.ctx = vm.mem.add("context", nil, false)
	vm.packet = vm.mem.add("packet", nil, false)
	vm.object = vm.mem.add("kernel object", make([]byte, ObjectSize), false)
	for depth := range MaxFrames {
		name := fmt.Sprintf("stack frame %d", depth)
		vm.stacks = append(vm.stacks, vm.mem.add(name, make([]byte, FrameSize), false))
	}
	for i := range p.Maps {
		if err := vm.addMap(&p.Maps[i]); err != nil {
			return nil, err
		}
	}
	for _, t := range p.Tables {
		vm.tables = append(vm.tables, vm.mem.add("table "+t.Name, vm.tableBytes(t), true).base)
		vm.tabObj = append(vm.tabObj, vm.mem.add("table "+t.Name, nil, true).base)
	}
	return vm, nil
}

// Run carries out the program from its entry and returns R0.
func (vm *VM) Run(in Input) (uint64, error) {
	vm.ctx.data, vm.fields, vm.packet.data = in.Ctx, in.Fields, in.Packet
	vm.steps = 0
	pc := bytecode.PC(0)
	regs := Regs{bytecode.R1: vm.ctx.base}
	if in.Plain {
		regs[bytecode.R2] = uint64(len(in.Ctx))
		if len(in.Ctx) == 0 {
			regs[bytecode.R1] = 0
		}
	}
	if vm.cfg.Clobber != nil && !in.Plain {
		vm.cfg.Clobber(regs[bytecode.R2:bytecode.R6])
	}
	for start := regs; ; {
		vm.frames = vm.frames[:0]
		if err := vm.push(pc, -1, &regs); err != nil {
			return 0, &Error{PC: pc, Err: err}
		}
		r0, err := vm.run(pc, regs)
		var thrown *throw
		switch {
		case errors.Is(err, ErrRestart):
			pc, regs = 0, start
		case errors.Is(err, ErrExit):
			return r0, nil
		case errors.As(err, &thrown):
			if pc = vm.exceptionCallback(); pc < 0 {
				return thrown.cookie, nil
			}
			regs = Regs{bytecode.R1: thrown.cookie}
		default:
			return r0, err
		}
	}
}

// throw is the error of the kfunc bpf_throw.
type throw struct{ cookie uint64 }

// Error returns the cookie.
func (t *throw) Error() string { return fmt.Sprintf("exception %#x", t.cookie) }

// exceptionCallback returns the start of the program's exception callback, -1
// when it has none.
func (vm *VM) exceptionCallback() bytecode.PC {
	for _, s := range vm.p.Subprogs {
		if s.Exception {
			return s.Start
		}
	}
	return -1
}

// Steps returns how many instructions the last run took.
func (vm *VM) Steps() int { return vm.steps }

// PacketAddr returns the address of a byte of the packet.
func (vm *VM) PacketAddr(off int64) uint64 { return vm.packet.base + uint64(off) }

// CodeAddr returns the address of the instruction at pc, which is what jump
// tables hold and loads of function addresses yield.
func (vm *VM) CodeAddr(pc bytecode.PC) uint64 { return vm.funcs + uint64(int64(pc))*bytecode.SlotSize }

// codeAt is the inverse of CodeAddr.
func (vm *VM) codeAt(addr uint64) (bytecode.PC, bool) {
	off := int64(addr - vm.funcs)
	pc := bytecode.PC(off / bytecode.SlotSize)
	return pc, off >= 0 && off%bytecode.SlotSize == 0 && pc < vm.p.Len()
}
