package scalar

import (
	"encoding/binary"
	"encoding/hex"
	"testing"

	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
)

// TestEval: the cases that RFC 9669, sections 4.1 and 4.2, spells out, and
// results that the kernel's own tests expect (verifier_movsx.c, verifier_bswap.c).
func TestEval(t *testing.T) {
	const lo32, sign = 1<<32 - 1, uint64(1 << 63)
	neg := func(v int64) uint64 { return uint64(v) }
	for _, c := range []struct {
		op         Op
		is32       bool
		x, y, want uint64
	}{
		{Div, false, 7, 0, 0}, {SDiv, false, 7, 0, 0}, {Div, true, 7, 1 << 32, 0}, {SDiv, true, 7, 1 << 32, 0},
		{Mod, false, neg(-7), 0, neg(-7)}, {SMod, false, neg(-7), 0, neg(-7)},
		{Mod, true, neg(-7), 0, 1<<32 - 7}, {SMod, true, neg(-7), 1 << 32, 1<<32 - 7},
		{SMod, false, neg(-13), 3, neg(-1)}, {SMod, false, 13, neg(-3), 1}, {SDiv, false, neg(-13), 3, neg(-4)},
		{SDiv, false, sign, neg(-1), sign}, {SMod, false, sign, neg(-1), 0},
		{SDiv, true, 1 << 31, lo32, 1 << 31}, {SMod, true, 1 << 31, lo32, 0},
		{SDiv, true, 1<<32 - 13, 3, 1<<32 - 4}, {Div, true, 0xf_0000_000c, 4, 3},
		{Lsh, false, 1, 65, 2}, {Lsh, true, 1, 33, 2}, {Rsh, true, 0xf_0000_0010, 36, 1}, {Rsh, false, sign, 63, 1},
		{Arsh, true, 1 << 31, 31, lo32}, {Arsh, false, sign, 63, neg(-1)}, {Arsh, true, 0xf_4000_0000, 30, 1},
		{Neg, true, 1, 0, lo32}, {Neg, false, 1, 99, neg(-1)}, {Sub, true, 0, 1, lo32}, {Add, true, lo32, 1, 0},
		{Mul, true, 1 << 31, 2, 0}, {Mul, false, 1 << 32, 1 << 31, sign},
		{Mov, true, 5, neg(-1), lo32}, {Mov, false, 5, neg(-1), neg(-1)},
		{MovSX8, true, 0, 0xff23, 0x23}, {MovSX16, true, 0, 0xff23, 0xffffff23}, {MovSX8, false, 0, 0x1fe, neg(-2)},
		{MovSX16, false, 0, 0xf0f23, 0xf23}, {MovSX32, false, 0, 0xfffffffe, neg(-2)},
		{Bswap16, false, 0xff23, 0, 0x23ff}, {Bswap32, false, 0xff23, 0, 0x23ff0000},
		{Bswap64, false, 0xff12ff34ff56ff78, 0, 0x78ff56ff34ff12ff},
		{ToBE16, true, 0x1122334455667788, 0, 0x8877}, {ToBE32, true, 0x1122334455667788, 0, 0x88776655},
		{ToBE64, true, 0x1122334455667788, 0, 0x8877665544332211},
		{ToLE16, true, 0x1122334455667788, 0, 0x7788}, {ToLE32, true, 0x1122334455667788, 0, 0x55667788},
		{ToLE64, true, 0x1122334455667788, 0, 0x1122334455667788},
		{Or, true, 0xf_0000_0001, 2, 3}, {And, true, 0xf_0000_0003, 2, 2}, {Xor, true, 0xf_0000_0003, 2, 1},
	} {
		if got := Eval(c.op, c.is32, c.x, c.y); got != c.want {
			t.Errorf("%v (32: %v) of %#x, %#x: %#x, want %#x", c.op, c.is32, c.x, c.y, got, c.want)
		}
	}
}

// TestOpOf decodes every opcode of the ALU classes, with the offsets and
// immediates that matter.
func TestOpOf(t *testing.T) {
	for _, c := range []struct {
		code uint8
		off  int16
		imm  int32
		op   Op
		is32 bool
	}{
		{0x04, 0, 1, Add, true}, {0x0f, 0, 0, Add, false}, {0x17, 0, 1, Sub, false}, {0x27, 0, 1, Mul, false},
		{0x37, 0, 1, Div, false}, {0x3c, 1, 0, SDiv, true}, {0x47, 0, 1, Or, false}, {0x57, 0, 1, And, false},
		{0x67, 0, 1, Lsh, false}, {0x7f, 0, 0, Rsh, false}, {0x87, 0, 0, Neg, false}, {0x97, 0, 1, Mod, false},
		{0x9f, 1, 0, SMod, false}, {0xa7, 0, 1, Xor, false}, {0xb4, 0, 1, Mov, true}, {0xc4, 0, 1, Arsh, true},
		{0xbf, 8, 0, MovSX8, false}, {0xbc, 16, 0, MovSX16, true}, {0xbf, 32, 0, MovSX32, false},
		{0xbc, 32, 0, OpInvalid, true}, {0xb7, 8, 0, OpInvalid, false}, {0xbf, 1, 0, OpInvalid, false}, // addr_space_cast
		{0xd4, 0, 16, ToLE16, true}, {0xdc, 0, 32, ToBE32, true}, {0xdc, 0, 64, ToBE64, true},
		{0xd7, 0, 16, Bswap16, false}, {0xd7, 0, 64, Bswap64, false}, {0xdf, 0, 16, OpInvalid, false},
		{0xd4, 0, 8, OpInvalid, true}, {0xd4, 1, 16, OpInvalid, true}, {0x07, 1, 0, OpInvalid, false},
		{0x37, 2, 1, OpInvalid, false}, {0xe7, 0, 0, OpInvalid, false}, {0xf4, 0, 0, OpInvalid, true},
	} {
		op, is32, ok := OpOf(c.code, c.off, c.imm)
		if op != c.op || ok != (c.op != OpInvalid) || is32 != c.is32 {
			t.Errorf("%#02x off %d imm %d: %v (32: %v) %v, want %v", c.code, c.off, c.imm, op, is32, ok, c.op)
		}
	}
	for code := range 256 {
		_, _, ok := OpOf(uint8(code), 0, 16)
		if alu := code&7 == 4 || code&7 == 7; ok && !alu {
			t.Errorf("%#02x is an operation", code)
		}
		_, _, ok = CondOf(uint8(code))
		if jump := code&7 == 5 || code&7 == 6; ok && !jump {
			t.Errorf("%#02x is a branch", code)
		}
	}
}

func TestCondOf(t *testing.T) {
	want := map[uint8]Cond{0x1: JEQ, 0x2: JGT, 0x3: JGE, 0x4: JSET, 0x5: JNE, 0x6: JSGT, 0x7: JSGE,
		0xa: JLT, 0xb: JLE, 0xc: JSLT, 0xd: JSLE}
	for hi := range uint8(16) {
		for _, lo := range []uint8{0x5, 0x6, 0xd, 0xe} {
			c, is32, ok := CondOf(hi<<4 | lo)
			w, exists := want[hi]
			if ok != exists || ok && (c != w || is32 != (lo&7 == 6)) {
				t.Errorf("%#02x: %v %v %v", hi<<4|lo, c, is32, ok)
			}
		}
	}
	for c := range condsCount {
		x, y := uint64(1)<<63|5, uint64(3)
		if Holds(c, false, x, y) == Holds(c.Negate(), false, x, y) || c.Negate().Negate() != c {
			t.Errorf("%v and its negation %v", c, c.Negate())
		}
	}
}

// TestRandomPrograms executes the recorded random programs with Eval and Holds
// and compares their results with those of the kernel's JIT.
func TestRandomPrograms(t *testing.T) {
	runs := 0
	for _, rec := range readRecords(t, testenv.Path(t, "records/random.7.3.4.off.jsonl.gz")) {
		for i, run := range rec.Job.Runs {
			if i >= len(rec.Result.Runs) {
				break
			}
			want := rec.Result.Runs[i]
			ctx, _ := hex.DecodeString(run.Ctx)
			retval, ok := newMachine(t, rec.Job, ctx).run()
			if !ok {
				continue
			}
			runs++
			if retval != want.Retval || hex.EncodeToString(ctx) != want.Ctx {
				t.Errorf("%s run %d: %d %x, the kernel has %d %s", rec.Job.Name, i, retval, ctx, want.Retval, want.Ctx)
			}
		}
	}
	if runs < 500 {
		t.Errorf("only %d runs", runs)
	}
}

// The addresses of a machine's memory.
const (
	ctxAddr   = 0x10000
	stackAddr = 0x20000 // top
	tableAddr = 0x30000
)

// machine runs a program whose memory is its context, its stack and jump
// tables, which hold slot numbers.
type machine struct {
	insns  []slot
	wide   map[int]uint64 // relocated 64-bit immediates, by slot
	ctx    []byte
	stack  [512]byte
	tables []byte
	r      [16]uint64
}

func newMachine(t *testing.T, j job, ctx []byte) *machine {
	t.Helper()
	m := &machine{insns: j.slots(t), wide: map[int]uint64{}, ctx: ctx}
	addr := map[string]uint64{}
	for _, table := range j.Maps {
		addr[table.Name] = tableAddr + uint64(len(m.tables))
		for _, target := range table.Targets {
			m.tables = binary.LittleEndian.AppendUint64(m.tables, uint64(target))
		}
	}
	for _, rel := range j.Relocs {
		m.wide[rel.Insn] = addr[rel.Name] + rel.Off
	}
	m.r[1], m.r[10] = ctxAddr, stackAddr
	return m
}

// memory returns n bytes at an address, or nil.
func (m *machine) memory(base uint64, off int16, n int) []byte {
	a := base + uint64(int64(off))
	for _, region := range []struct {
		base  uint64
		bytes []byte
	}{{ctxAddr, m.ctx}, {stackAddr - 512, m.stack[:]}, {tableAddr, m.tables}} {
		if d := a - region.base; d < uint64(len(region.bytes)) && d+uint64(n) <= uint64(len(region.bytes)) {
			return region.bytes[d : d+uint64(n)]
		}
	}
	return nil
}

// run returns the program's result. ok is false if it does what machine does
// not know, or runs for long.
func (m *machine) run() (retval uint32, ok bool) {
	pc := 0
	for range 100_000 {
		if pc < 0 || pc >= len(m.insns) {
			return 0, false
		}
		in := m.insns[pc]
		if in.code == 0x95 {
			return uint32(m.r[0]), true
		}
		if pc, ok = m.step(pc, in); !ok {
			return 0, false
		}
	}
	return 0, false
}

// step executes one instruction and returns where it goes on.
func (m *machine) step(pc int, in slot) (next int, ok bool) {
	next = pc + 1
	dst, src := &m.r[in.dst], uint64(int64(in.imm))
	if in.code&8 != 0 {
		src = m.r[in.src]
	}
	if op, is32, ok := OpOf(in.code, in.off, in.imm); ok {
		*dst = Eval(op, is32, *dst, src)
		return next, true
	}
	if c, is32, ok := CondOf(in.code); ok {
		if Holds(c, is32, *dst, src) {
			next += int(in.off)
		}
		return next, true
	}
	size := [...]int{4, 2, 1, 8}[in.code>>3&3]
	switch in.code {
	case 0x18:
		*dst, ok = m.wide[pc]
		if !ok {
			*dst = uint64(uint32(in.imm)) | uint64(uint32(m.insns[pc+1].imm))<<32
		}
		return next + 1, true
	case 0x61, 0x69, 0x71, 0x79:
		b := m.memory(m.r[in.src], in.off, size)
		var word [8]byte
		copy(word[:], b)
		*dst = binary.LittleEndian.Uint64(word[:])
		return next, b != nil
	case 0x62, 0x6a, 0x72, 0x7a, 0x63, 0x6b, 0x73, 0x7b:
		b := m.memory(*dst, in.off, size)
		if in.code&7 == 3 {
			src = m.r[in.src]
		} else {
			src = uint64(int64(in.imm))
		}
		copy(b, binary.LittleEndian.AppendUint64(nil, src))
		return next, b != nil
	case 0x05:
		return next + int(in.off), true
	case 0x06:
		return next + int(in.imm), true
	case 0x0d:
		return int(*dst), true
	}
	return next, false
}
