package jit_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"golang.org/x/arch/x86/x86asm"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/jit"
)

// generator makes random programs that the JIT must accept.
type generator struct {
	r    *rand.Rand
	prof *jit.Profile
	p    *jit.Program
}

// randomProgram returns a program of 1 to 3 functions.
func randomProgram(r *rand.Rand, prof *jit.Profile) *jit.Program {
	g := &generator{r: r, prof: prof, p: &jit.Program{}}
	if r.IntN(4) == 0 {
		g.p.ArenaUsed, g.p.UserStart = true, r.Uint64()
	}
	n := 1 + r.IntN(3)
	for i := range n {
		start := bytecode.PC(len(g.p.Insns))
		g.function(2 + r.IntN(60))
		f := jit.Func{
			Name: fmt.Sprintf("f%d", i), Start: start, End: bytecode.PC(len(g.p.Insns)),
			StackDepth: r.IntN(512), TailCallReachable: r.IntN(3) == 0,
		}
		if !f.TailCallReachable && r.IntN(4) == 0 {
			f.PrivateStack = true
		}
		f.ExceptionBoundary = i == 0 && r.IntN(4) == 0
		f.ExceptionCallback = i > 0 && i == n-1 && r.IntN(4) == 0
		g.p.Funcs = append(g.p.Funcs, f)
	}
	if prof.Gotox {
		g.p.IndirectTarget = make([]bool, len(g.p.Insns))
		var table []bytecode.PC
		for pc := bytecode.PC(0); pc < g.p.Funcs[0].End; pc += g.p.Insns[pc].Slots() {
			if r.IntN(5) == 0 {
				g.p.IndirectTarget[pc] = true
				table = append(table, pc, jit.Deleted)
			}
		}
		g.p.Tables = [][]bytecode.PC{table}
	}
	g.linkCalls()
	return g.p
}

// linkCalls points calls of subprograms at functions.
func (g *generator) linkCalls() {
	for pc := range g.p.Insns {
		in := &g.p.Insns[pc]
		if in.IsSubprogramCall() || in.IsWide() && in.Src == bytecode.LdFunc {
			f := g.p.Funcs[g.r.IntN(len(g.p.Funcs))]
			in.Imm = int32(f.Start) - int32(pc) - 1
		}
	}
}

// function appends a function of about n slots.
func (g *generator) function(n int) {
	start := len(g.p.Insns)
	for len(g.p.Insns)-start < n {
		g.insn()
	}
	g.p.Insns = append(g.p.Insns, bytecode.Insn{Code: bytecode.CodeExit})
	insns := g.p.Insns[start:]
	var firsts []int
	for k := 0; k < len(insns); k += int(insns[k].Slots()) {
		firsts = append(firsts, k)
	}
	for i, k := range firsts {
		in := &insns[k]
		target := firsts[g.r.IntN(len(firsts))]
		if g.r.IntN(2) == 0 { // near, where the choice of sizes is
			target = firsts[min(len(firsts)-1, max(0, i+g.r.IntN(40)-20))]
		}
		switch f := bytecode.FlowAt(insns, bytecode.PC(k)); f.Kind {
		case bytecode.FlowCond:
			in.Off = int16(target - k - 1)
		case bytecode.FlowGoto:
			if in.Code == bytecode.CodeGotol {
				in.Imm = int32(target - k - 1)
			} else {
				in.Off = int16(target - k - 1)
			}
		}
	}
}

// reg returns a register that may be written.
func (g *generator) reg() bytecode.Reg {
	if g.r.IntN(12) == 0 {
		return bytecode.Reg(g.prof.AXReg)
	}
	return bytecode.Reg(g.r.IntN(10))
}

// imm returns a constant, often near a boundary.
func (g *generator) imm() int32 {
	edge := []int32{0, 1, -1, 127, 128, -128, -129, 1 << 30, -1 << 31, 1<<31 - 1}
	if g.r.IntN(2) == 0 {
		return edge[g.r.IntN(len(edge))]
	}
	return int32(g.r.Uint32())
}

// pick returns one of the arguments.
func pick[T any](r *rand.Rand, list ...T) T { return list[r.IntN(len(list))] }

// insn appends one instruction.
func (g *generator) insn() {
	r := g.r
	in := bytecode.Insn{Dst: g.reg(), Src: g.reg(), Imm: g.imm()}
	size := pick[uint8](r, 0x00, 0x08, 0x10, 0x18)
	switch r.IntN(14) {
	case 0, 1:
		op := pick[uint8](r, 0x00, 0x10, 0x20, 0x40, 0x50, 0x60, 0x70, 0xa0, 0xc0)
		in.Code = op | pick[uint8](r, 4, 7) | pick[uint8](r, 0, 8)
	case 2:
		in.Code, in.Off = pick[uint8](r, 0x34, 0x37, 0x3c, 0x3f, 0x94, 0x97, 0x9c, 0x9f), int16(r.IntN(2))
	case 3:
		in.Code, in.Off = pick[uint8](r, 0xbc, 0xbf), pick[int16](r, 0, 8, 16)
		if in.Code == 0xbf && r.IntN(4) == 0 {
			in.Off = pick[int16](r, 32, -1)
		}
	case 4:
		in.Code = pick[uint8](r, 0xb4, 0xb7, 0x84, 0x87)
	case 5:
		in.Code, in.Imm = pick[uint8](r, 0xd4, 0xdc, 0xd7), pick[int32](r, 16, 32, 64)
	case 6:
		g.load(&in, size)
	case 7:
		g.store(&in, size)
	case 8:
		g.atomic(&in)
	case 9:
		in.Code = bytecode.CodeLdImm64
		in.Src = pick(r, bytecode.LdImm64, bytecode.LdMapFD, bytecode.LdMapIdxValue, bytecode.LdFunc)
		g.p.Insns = append(g.p.Insns, in, bytecode.Insn{Imm: g.imm()})
		return
	case 10:
		g.leave(&in)
	default:
		op := pick[uint8](r, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0xa0, 0xb0, 0xc0, 0xd0, 0x00)
		in.Code = op | pick[uint8](r, 5, 6) | pick[uint8](r, 0, 8)
		if op == 0 {
			in = bytecode.Insn{Code: pick[uint8](r, bytecode.CodeGoto, bytecode.CodeGotol)}
		}
	}
	g.p.Insns = append(g.p.Insns, in)
}

// load makes a load of any kind.
func (g *generator) load(in *bytecode.Insn, size uint8) {
	mode := pick[uint8](g.r, 0x60, 0x20, 0x80, 0x40, 0xa0, 0xc0)
	if size == 0x18 && (mode == 0x80 || mode == 0x40 || mode == 0xc0) || !g.p.ArenaUsed && mode >= 0xa0 {
		mode = 0x60
	}
	in.Code, in.Off = 0x01|size|mode, int16(g.imm())
	in.Src = pick(g.r, in.Src, bytecode.R10)
}

// store makes a store of any kind.
func (g *generator) store(in *bytecode.Insn, size uint8) {
	in.Code, in.Off = pick[uint8](g.r, 0x02, 0x03)|size|0x60, int16(g.imm())
	in.Dst = pick(g.r, in.Dst, bytecode.R10)
	if g.p.ArenaUsed && g.r.IntN(2) == 0 {
		in.Code = in.Code&^0xe0 | 0xa0
	}
	if g.r.IntN(8) == 0 {
		in.Code = 0xc2
	}
}

// atomic makes an atomic operation.
func (g *generator) atomic(in *bytecode.Insn) {
	in.Code, in.Off = pick[uint8](g.r, 0xc3, 0xdb), int16(g.imm())
	in.Imm = pick[int32](g.r, 0, 0x40, 0x50, 0xa0, 1, 0x41, 0x51, 0xa1, 0xe1, 0xf1, 0x100, 0x110)
	fetch := in.Imm == 0x41 || in.Imm == 0x51 || in.Imm == 0xa1
	if g.p.ArenaUsed && !fetch && g.r.IntN(2) == 0 {
		in.Code |= 0x20
	}
	if in.Imm >= 0x100 && g.r.IntN(2) == 0 {
		in.Code = in.Code&^0x18 | pick[uint8](g.r, 0x08, 0x10)
	}
}

// leave makes an instruction that leaves the function.
func (g *generator) leave(in *bytecode.Insn) {
	*in = bytecode.Insn{Code: bytecode.CodeCall, Src: bytecode.Reg(g.r.IntN(3)), Imm: 1}
	switch g.r.IntN(4) {
	case 0:
		*in = bytecode.Insn{Code: bytecode.CodeExit}
	case 1:
		*in = bytecode.Insn{Code: bytecode.CodeTailCall, Imm: int32(g.r.IntN(2))}
	case 2:
		if g.prof.Gotox {
			*in = bytecode.Insn{Code: bytecode.CodeGotox, Dst: bytecode.Reg(g.r.IntN(10))}
		}
	}
}

// checkImage checks what holds of every image: functions and instructions tile
// it, an independent decoder finds an instruction at every offset, jumps land
// on instructions, relocations lie in the code in order.
func checkImage(p *jit.Program, img *jit.Image) error {
	next := 0
	starts := make([]bool, len(img.Code)+1)
	for i, f := range img.Funcs {
		if f.Offset != next || f.Len <= 0 || f.Prologue <= f.Entry {
			return fmt.Errorf("function %d: %+v does not follow offset %d", i, f, next)
		}
		next += f.Len
		if err := checkFunction(p.Funcs[i], f, img, starts); err != nil {
			return fmt.Errorf("function %d: %w", i, err)
		}
	}
	if next != len(img.Code) || len(img.Funcs) != len(p.Funcs) {
		return fmt.Errorf("functions end at %d of %d", next, len(img.Code))
	}
	last := 0
	for _, r := range img.Relocs {
		if r.Offset < last || r.Offset+r.Size > len(img.Code) || r.Target == "" {
			return fmt.Errorf("relocation %+v behind %d", r, last)
		}
		last = r.Offset + r.Size
	}
	faults := 0
	for pc := bytecode.PC(0); int(pc) < len(p.Insns); pc += p.Insns[pc].Slots() {
		if mayFault(p.Insns[pc]) {
			faults++
		}
	}
	if faults != len(img.Extable) {
		return fmt.Errorf("%d exception table entries for %d instructions", len(img.Extable), faults)
	}
	for _, x := range img.Extable {
		if !starts[x.Offset] || !starts[x.Offset+x.Len] {
			return fmt.Errorf("exception table entry %+v is no instruction", x)
		}
	}
	return nil
}

// mayFault reports whether the kernel has an exception table entry for an
// instruction: PROBE_MEM, PROBE_MEMSX and accesses to the arena.
func mayFault(in bytecode.Insn) bool {
	mode := in.Code & 0xe0
	switch in.Code & 0x07 {
	case 0x01: // LDX
		return mode == 0x20 || mode == 0x40 || mode == 0xa0 || mode == 0xc0
	case 0x02: // ST
		return mode == 0xa0
	case 0x03: // STX
		return mode == 0xa0 || mode == 0xe0
	}
	return false
}

// checkFunction checks one function, and marks where its instructions start.
func checkFunction(fn jit.Func, f jit.FuncImage, img *jit.Image, starts []bool) error {
	code := img.Code[f.Offset : f.Offset+f.Len]
	at := make([]bool, len(code)+1)
	var targets []int
	for i := 0; i < len(code); {
		at[i], starts[f.Offset+i] = true, true
		n, target, err := decode(code[i:])
		if err != nil {
			return fmt.Errorf("offset %d: %w", i, err)
		}
		i += n
		// FineIBT's check jumps at the last byte of a NOP, which traps.
		if target != 0 && !relocated(img, f.Offset+i-4) && i > f.Entry {
			targets = append(targets, i+target)
		}
	}
	at[len(code)], starts[f.Offset+len(code)] = true, true
	for _, t := range targets {
		// The end is reached in functions that do not end in an exit.
		if t < 0 || t > len(code) || !at[t] {
			return fmt.Errorf("jump to offset %d", t)
		}
	}
	last := int32(f.Prologue)
	for pc := fn.Start; pc < fn.End; pc++ {
		o := img.Offsets[pc]
		if o < last || !at[o] {
			return fmt.Errorf("slot %d at offset %d, before it %d", pc, o, last)
		}
		last = o
	}
	if f.Epilogue >= 0 && !at[f.Epilogue] {
		return fmt.Errorf("epilogue at offset %d", f.Epilogue)
	}
	return nil
}

// relocated reports whether a relocation starts at an offset.
func relocated(img *jit.Image, off int) bool {
	for _, r := range img.Relocs {
		if r.Offset == off {
			return true
		}
	}
	return false
}

// decode returns the length of the instruction at the start of code, and the
// displacement of a relative branch. The decoder does not know ENDBR64.
func decode(code []byte) (n, target int, err error) {
	if bytes.HasPrefix(code, []byte{0xf3, 0x0f, 0x1e, 0xfa}) {
		return 4, 0, nil
	}
	in, err := x86asm.Decode(code, 64)
	if err != nil {
		return 0, 0, fmt.Errorf("%x: %w", code[:min(len(code), 15)], err)
	}
	if rel, ok := in.Args[0].(x86asm.Rel); ok {
		target = int(rel)
	}
	return in.Len, target, nil
}

// randomProfile returns one of the set-ups that are worth telling apart.
func randomProfile(t testing.TB, r *rand.Rand) jit.Profile {
	prof, err := jit.LookupProfile(pick(r,
		"linux-7.3", "linux-7.3+plain-bmi2+la57", "linux-7.3-ibt-sls+its+itsret", "linux-7.3+stuff",
		"linux-7.3+lfence+srso", "linux-7.3+kcfi", "linux-7.3+fineibt", "linux-7.3+fineibtbhi",
		"linux-7.3-smp", "linux-6.19", "linux-6.18", "linux-6.19+unret"))
	if err != nil {
		t.Fatal(err)
	}
	return prof
}

// TestRandomPrograms compiles random programs and checks the images.
func TestRandomPrograms(t *testing.T) {
	for seed := range uint64(3000) {
		r := rand.New(rand.NewPCG(seed, 1))
		prof := randomProfile(t, r)
		p := randomProgram(r, &prof)
		img, err := jit.Compile(p, prof)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if err := checkImage(p, img); err != nil {
			t.Fatalf("seed %d, %s: %v", seed, prof.Name, err)
		}
		again, err := jit.Compile(p, prof)
		if err != nil || !reflect.DeepEqual(img, again) {
			t.Fatalf("seed %d: the second image differs: %v", seed, err)
		}
	}
}

// FuzzCompile feeds arbitrary slots: a program compiles to an image with the
// properties of checkImage, or fails with an error that gives the reason.
func FuzzCompile(f *testing.F) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 2))
		prof := randomProfile(f, r)
		p := randomProgram(r, &prof)
		f.Add(seed, uint16(p.Funcs[0].End), encode(p.Insns))
	}
	f.Fuzz(func(t *testing.T, seed uint64, split uint16, data []byte) {
		prof := randomProfile(t, rand.New(rand.NewPCG(seed, 2)))
		insns := insnsOf(t, fmt.Sprintf("%x", data[:min(len(data)&^7, 1<<16)]))
		p := &jit.Program{Insns: insns, ArenaUsed: seed&1 != 0}
		end := bytecode.PC(len(insns))
		p.Funcs = []jit.Func{{Start: 0, End: end, StackDepth: int(seed & 511), TailCallReachable: seed&512 != 0}}
		if s := bytecode.PC(split); s > 0 && s < end {
			p.Funcs = []jit.Func{p.Funcs[0], p.Funcs[0]}
			p.Funcs[0].End, p.Funcs[1].Start = s, s
		}
		img, err := jit.Compile(p, prof)
		if err == nil {
			if err := checkImage(p, img); err != nil {
				t.Fatal(err)
			}
			return
		}
		var where *jit.Error
		if img != nil || !errors.As(err, &where) && !errors.Is(err, jit.ErrInput) {
			t.Fatalf("image %v, error %v", img, err)
		}
	})
}

// encode returns instructions as bytes.
func encode(insns []bytecode.Insn) []byte {
	var b []byte
	for _, in := range insns {
		b = append(b, in.Code, byte(in.Dst&15)|byte(in.Src)<<4, byte(in.Off), byte(uint16(in.Off)>>8),
			byte(in.Imm), byte(uint32(in.Imm)>>8), byte(uint32(in.Imm)>>16), byte(uint32(in.Imm)>>24))
	}
	return b
}
