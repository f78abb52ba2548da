package progen

import (
	"fmt"
	"math/rand/v2"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// Monitor returns program i of an object as compilers make it of a security monitor
// whose C functions are all inlined: 169 of them have 425,000 instructions. In a real
// one, eight instructions are in a block, a call of a helper is in every second one,
// errors lead to one exit, each instruction has a C line, and the programs are made of
// the same functions, one after the other. So are these: a common beginning, then
// functions of a library of 150, each with its own lines and its own shape.
func Monitor(i int) *bytecode.Program {
	m := &monitor{rnd: rand.New(rand.NewPCG(uint64(i), 11))}
	return m.program(i, 300+m.rnd.IntN(4100))
}

// hostSizes are the instructions of the programs of cilium's bpf_host.o, 52,914 with two
// of four instructions.
var hostSizes = [...]int{153, 508, 663, 341, 288, 793, 1433, 1434, 3044, 2105, 600, 965, 2059, 1536, 3297, 980, 2573,
	857, 1527, 1282, 1244, 3639, 1550, 933, 621, 2653, 1839, 1388, 1397, 1014, 6064, 1172, 2954}

// HostPrograms is the number of programs that Host makes.
const HostPrograms = len(hostSizes)

// Host returns program i of an object of the sizes of a large network datapath's, made of
// functions as in Monitor.
func Host(i int) *bytecode.Program {
	m := &monitor{rnd: rand.New(rand.NewPCG(uint64(i), 13))}
	return m.program(i, hostSizes[i%HostPrograms])
}

// program makes program i of about so many instructions.
func (m *monitor) program(i, size int) *bytecode.Program {
	m.line("monitor.bpf.c", 100+i, fmt.Sprintf("int trace_event_%d(struct bpf_raw_tracepoint_args *ctx)", i))
	m.a.Emit(opMovX, 6, 1, 0, 0)
	m.a.Emit(opMovK, 7, 0, 0, 0)
	for f := 0; f < 12 && int(m.a.PC()) < size; f++ {
		m.inline(f)
	}
	for int(m.a.PC()) < size {
		m.inline(12 + m.rnd.IntN(138))
	}
	m.line("monitor.bpf.c", 101+i, "return 0;")
	m.a.Label("out")
	m.a.exit0()
	p := m.a.Program(fmt.Sprintf("trace_event_%d", i))
	p.Type, p.Section, p.Lines = "raw_tracepoint", fmt.Sprintf("raw_tracepoint/event_%d", i), m.lines
	return p
}

// monitor is a program that is being made.
type monitor struct {
	a      Asm
	rnd    *rand.Rand
	lines  []bytecode.Line
	copies int
}

func (m *monitor) line(file string, n int, text string) {
	m.lines = append(m.lines, bytecode.Line{PC: m.a.PC(), File: file, Line: n, Text: text})
}

// inline adds a copy of function f of the library.
func (m *monitor) inline(f int) {
	shape := rand.New(rand.NewPCG(uint64(f), 12)) // the same in each copy
	file := fmt.Sprintf("common/part%d.h", f%14)
	m.copies++
	for step := range 3 + shape.IntN(9) {
		slot, off := int16(-8*(1+shape.IntN(40))), int16(8*shape.IntN(6))
		next := fmt.Sprintf("next%d_%d", m.copies, step)
		at := 20*f + 2*step
		m.line(file, at, fmt.Sprintf("bpf_core_read(&event->field_%d, sizeof(event->field_%d), &task->member_%d);",
			at, at, shape.IntN(90)))
		m.a.Emit(opLdxDW, 3, 6, off, 0)
		m.a.Emit(opMovX, 1, 10, 0, 0)
		m.a.Emit(opAddK, 1, 0, 0, int32(slot))
		m.a.Emit(opMovK, 2, 0, 0, 8)
		m.a.Helper(113) // bpf_probe_read_kernel
		if shape.IntN(3) == 0 {
			m.line(file, at+1, "if (ret < 0) return -1;")
			m.a.If(opJneK, 0, 0, 0, "out")
		}
		m.line(file, at+1, fmt.Sprintf("if ((event->field_%d & MASK_%d) > LIMIT_%d)", at, shape.IntN(20), f))
		m.a.Emit(opLdxDW, 1, 10, slot, 0)
		m.a.Emit(opAndK, 1, 0, 0, int32(1+shape.IntN(1<<12)))
		m.a.If(opJgtK, 1, 0, int32(shape.IntN(1<<10)), next)
		for range 1 + shape.IntN(6) {
			m.a.Emit(opAddK, 7, 0, 0, int32(shape.IntN(100)))
			m.a.Emit(opStxDW, 10, 7, int16(-8*(1+shape.IntN(40))), 0)
		}
		m.a.Label(next)
		m.a.Emit(opAddX, 7, 1, 0, 0)
	}
}
