// Package variants makes programs of kinds whose verdict is hard to predict: 30 of each, by number.
// The tests compare the answers of kernels, which are in testdata/variants, with package rules:
// verdict, message and instruction.
//
//	p := variants.Make("closed-loop", 7)
//
//	BPFCFG_UML=linux.uml BPFCFG_VARIANTS_KEEP=DIR go test -v -run TestAsk ./internal/testing/variants
//
// asks a kernel again and leaves its answers in DIR. Callbacks of kernel functions need the types
// of a map, which the package does not make: testdata/variants/kfunc-callback.c has 30 of them.
package variants

import (
	"fmt"
	"math/rand/v2"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/testing/progen"
)

// PerKind is how many variants there are of a kind.
const PerKind = 30

// maker makes a variant of a kind.
type maker struct {
	kind string
	make func(g *gen)
}

// makers returns the kinds in the order in which they are recorded.
func makers() []maker {
	return []maker{
		{"closed-loop", closedLoop}, {"loop-number", loopNumber}, {"loop-exit", loopExit},
		{"unset-register", unsetRegister}, {"frames", frames}, {"mid-ldimm64", midLoad}, {"nullness", nullness},
		{"bpf-trap", trapped}, {"context-switch", contextField}, {"iterator", iterator},
		{"retval-range", resultRange}, {"loop-zero", loopZero}, {"stack-table", stackTable},
		{"patch-range", patchRange}, {"stack-args", stackArguments}, {"text-only-global", typedFunction},
		{"freplace", replacement}, {"references", references}, {"value-bounds", valueBounds},
	}
}

// Kinds returns the names of the kinds.
func Kinds() []string {
	var out []string
	for _, m := range makers() {
		out = append(out, m.kind)
	}
	return out
}

// Make returns variant n of a kind. It panics when there is no such kind.
func Make(kind string, n int) *bytecode.Program {
	for i, m := range makers() {
		if m.kind != kind {
			continue
		}
		g := &gen{rnd: rand.New(rand.NewPCG(uint64(n), uint64(i)+1)), n: n, typ: "syscall"}
		g.Func("main", false)
		m.make(g)
		p := g.Program(fmt.Sprintf("%s/%d", kind, n))
		if g.typ == "ext" {
			p.Subprogs[0].Global, p.Subprogs[0].Args, p.AttachTo = true, g.entry, "replaced"
		}
		if p.Type = g.typ; p.Type == "syscall" {
			p.Flags |= sleepable
		}
		return p
	}
	panic("bug: no kind " + kind)
}

// sleepable is BPF_F_SLEEPABLE, which programs of type syscall must have.
const sleepable = 1 << 4

// gen is a variant that is being made.
type gen struct {
	progen.Asm
	rnd    *rand.Rand
	n      int      // its number
	typ    string   // the program's type
	entry  []string // parameters of the function that an extension replaces
	labels int
}

// label returns a new label.
func (g *gen) label() string {
	g.labels++
	return fmt.Sprintf("l%d", g.labels)
}

// Opcodes that the makers use.
const (
	movImm, movReg, addImm, addReg = 0xb7, 0xbf, 0x07, 0x0f
	mulImm, xorImm, andImm, divImm = 0x27, 0xa7, 0x57, 0x37
	ldxB, ldxW, ldxDW              = 0x71, 0x61, 0x79
	stDW, stxDW, stW               = 0x7a, 0x7b, 0x62
	ja, jeq, jne, jgt, jlt         = 0x05, 0x15, 0x55, 0x25, 0xa5
	jsgt, jslt                     = 0x65, 0xc5
	exit                           = 0x95
)

// Helpers by number.
const (
	mapLookup, ktimeGetNS, prandom = 1, 5, 7
	probeReadKernelStr, bpfLoop    = 115, 181
)

// mov sets a register to a constant.
func (g *gen) mov(r bytecode.Reg, v int32) { g.Emit(movImm, r, 0, 0, v) }

// op computes with a register and a constant.
func (g *gen) op(code uint8, r bytecode.Reg, v int32) { g.Emit(code, r, 0, 0, v) }

// leave returns zero.
func (g *gen) leave() {
	g.mov(0, 0)
	g.Emit(exit, 0, 0, 0, 0)
}

// unset reads a register that was never written, so the kernel refuses a path to here.
func (g *gen) unset(r bytecode.Reg) {
	g.Emit(movReg, 0, r, 0, 0)
	g.Emit(exit, 0, 0, 0, 0)
}
