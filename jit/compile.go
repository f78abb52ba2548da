// Package jit compiles BPF programs to x86-64 as Linux does: the same bytes
// from the same inputs.
//
//	prof, err := jit.LookupProfile("linux-7.3")
//	img, err := jit.Compile(prog, prof) // prog: after the verifier's rewrites
//	fmt.Printf("%x\n", img.Code[img.Funcs[0].Offset:])
//
// A Program is the verifier's output: package jit/rewrite predicts it, package internal/replay
// takes it from recorded kernels. A Profile holds the other inputs of the code: kernel version,
// build options, mitigations, structure offsets. Addresses that are not given are zeros in the
// Image and listed as relocations. docs/jit.md lists the modelled rules with their evidence.
//
// The package does not verify programs, does not rewrite them, and does not decode machine code.
// Nor does it model the kernel's choice of an image's address: only relocations depend on it.
//
// The order of the source follows the kernel's: a program is compiled function by function
// (compile.go); a function in walks over its instructions until sizes no longer change (passes.go);
// each walk emits prologue (prologue.go) and instructions by class (insn.go and the files it
// names).
//
// Source: arch/x86/net/bpf_jit_comp.c and kernel/bpf/fixups.c of Linux 7.3;
// differences of older kernels are in version.go.
package jit

import (
	"fmt"
	"slices"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/kernel"
	"github.com/bpfcfg/bpfcfg/jit/x86"
)

// MaxSlots is the largest number of slots of a Program: the verifier accepts
// 1,000,000 (BPF_COMPLEXITY_LIMIT_INSNS) and constant blinding, the rewrite
// that grows programs most, makes less than 4 of each.
const MaxSlots = 4_000_000

// maxFuncs limits the functions of a program: the kernel's BPF_MAX_SUBPROGS
// and its hidden ones.
const maxFuncs = 256 + 2

// Compile returns the machine code of p on a kernel that prof describes. The
// error is an *Error, or wraps ErrInput or ErrProfile; then the image is nil.
//
// Of a Program with several functions each is compiled alone and then walked
// once more, when the addresses of all are known (jit_subprogs in
// kernel/bpf/fixups.c).
func Compile(p *Program, prof Profile) (*Image, error) { return compileFor(p, prof, prof.Kernel()) }

// compileFor is Compile with the features of the profile's kernel.
func compileFor(p *Program, prof Profile, k kernel.Features) (*Image, error) {
	if err := prof.check(); err != nil {
		return nil, err
	}
	if err := checkProgram(p, &prof, k); err != nil {
		return nil, err
	}
	img := &Image{
		Funcs:   make([]FuncImage, 0, len(p.Funcs)),
		Offsets: make([]int32, len(p.Insns)),
		Profile: prof.Name,
	}
	var addrs []int32
	for i := range p.Funcs {
		c, err := newFunction(p, &prof, k, i, img)
		if err != nil {
			return nil, err
		}
		c.addrs = slices.Grow(addrs[:0], len(c.insns)+1)[:len(c.insns)+1]
		addrs = c.addrs
		if err := c.compile(); err != nil {
			return nil, err
		}
	}
	img.Tables = tableOffsets(p, img)
	return img, nil
}

// function compiles one function. Slots in it are relative to the function's
// start.
type function struct {
	prog   *Program
	prof   *Profile
	kernel kernel.Features
	img    *Image
	index  int // in prog.Funcs
	fn     *Func
	insns  []bytecode.Insn

	// Fixed by the function's inputs.
	regs     [16]x86.Reg // x86 register of each BPF register
	saved    savedRegs   // callee-saved registers to push
	frame    int32       // bytes of stack below rbp, rounded up to 8
	private  bool        // the frame lies in per-CPU memory, its address in r9
	arena    bool        // r12 holds the arena's base
	outArgs  int32       // bytes for outgoing stack arguments
	operands []operand   // values from outside, by slot
	base     uint64      // address of the image, 0 when unknown

	// State between walks.
	addrs   []int32 // addrs[k]: offset of slot k; see passes.go
	exitOff int32   // offset of the first exit
	padding bool    // jumps keep the size of the walk before

	// State of a walk.
	settled bool     // sizes may not change any more
	emit    bool     // write to img
	origin  int      // where the function begins in img.Code
	slot    int      // slot of the instruction, -1 in the prologue
	start   int32    // offset of the instruction
	next    int      // next operand
	exited  bool     // an exit has been seen
	x       x86.Code // code of the instruction
	err     error    // why the walk cannot go on
}

// newFunction prepares function i of p. Its code will be appended to img.
func newFunction(p *Program, prof *Profile, k kernel.Features, i int, img *Image) (*function, error) {
	fn := &p.Funcs[i]
	c := &function{prog: p, prof: prof, kernel: k, img: img, index: i, fn: fn}
	c.insns = p.Insns[fn.Start:fn.End]
	c.arena = p.ArenaUsed || p.ArenaStart != 0
	c.frame = roundUp8(fn.StackDepth)
	if fn.PrivateStack {
		c.private, c.frame = true, 0
	}
	c.mapRegs()
	c.saved = c.scanSaved()
	if fn.OutStackArgs > 1 {
		c.outArgs = int32(fn.OutStackArgs-1) * 8
	}
	if i < len(p.Addresses.Funcs) && p.Addresses.Funcs[i] != 0 {
		c.base = p.Addresses.Funcs[i] - uint64(c.cfiLen())
	}
	return c, c.resolveOperands()
}

// multi reports whether the program has several functions. Then the JIT runs
// before the kernel clears the kind of 64-bit immediate loads.
func (c *function) multi() bool { return len(c.prog.Funcs) > 1 }

// isSub reports whether the function is not the program's first.
func (c *function) isSub() bool { return c.index != 0 }

// mapRegs fills in the x86 registers of BPF registers (reg2hex in bpf_jit_comp.c). checkProgram
// refuses invalid numbers.
func (c *function) mapRegs() {
	c.regs = [16]x86.Reg{
		x86.RAX, x86.RDI, x86.RSI, x86.RDX, x86.RCX, x86.R8,
		x86.RBX, x86.R13, x86.R14, x86.R15, x86.RBP,
	}
	c.regs[c.prof.AXReg] = regAX
	if c.private {
		c.regs[bytecode.R10] = regPrivate
	}
}

// Registers with a role inside the JIT.
const (
	regAX      = x86.R10 // the hidden BPF register AX
	regScratch = x86.R11
	regPrivate = x86.R9 // frame pointer of a private stack, or sixth argument
	regArena   = x86.R12
)

// roundUp8 returns the smallest multiple of 8 that is not below n.
func roundUp8(n int) int32 { return int32((n + 7) &^ 7) }

// fail ends the walk for a reason in the current instruction.
func (c *function) fail(reason error, format string, args ...any) {
	if c.err == nil {
		c.err = c.failure(c.slot, reason, fmt.Sprintf(format, args...))
	}
}

// failure returns an Error at a slot, or without a place if slot is negative.
func (c *function) failure(slot int, reason error, why string) error {
	e := &Error{Func: c.fn.Name, PC: -1, Why: why, Err: reason}
	if slot >= 0 {
		e.PC = c.fn.Start + bytecode.PC(slot)
		e.Text = bytecode.Text(c.prog.Insns, e.PC)
	}
	return e
}

// tableOffsets returns jitted_off of every table entry
// (bpf_prog_update_insn_ptrs in kernel/bpf/bpf_insn_array.c).
func tableOffsets(p *Program, img *Image) [][]int32 {
	tables := make([][]int32, len(p.Tables))
	for i, t := range p.Tables {
		tables[i] = make([]int32, len(t))
		for j, pc := range t {
			if pc != Deleted {
				tables[i][j] = img.Offsets[pc]
			}
		}
	}
	return tables
}
