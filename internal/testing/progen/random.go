package progen

import (
	"fmt"
	"math/rand/v2"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// Random returns a random program of about size pieces: arithmetic, loads and
// stores of all widths, branches, bounded loops, jumps through tables, calls,
// callbacks and indirect calls. The same seed gives the same program. It reads
// no register that was not written, and ends.
func Random(seed uint64, size int) *bytecode.Program {
	return random(seed, size, false)
}

// RandomLoadable is Random without indirect calls, which no kernel accepts and
// no JIT compiles (Linux 7.3).
func RandomLoadable(seed uint64, size int) *bytecode.Program { return random(seed, size, true) }

func random(seed uint64, size int, loadable bool) *bytecode.Program {
	g := &gen{rnd: rand.New(rand.NewPCG(seed, 7)), left: size, loadable: loadable}
	g.rodata = g.a.Map(g.constants())
	g.array = g.a.Map(bytecode.Map{Name: "array", Type: 2, KeySize: 4, ValueSize: 64, MaxEntries: 4})
	g.function(kindMain, "main", size/2)
	for i := 0; i < len(g.wanted); i++ { //nolint:intrange // function makes it longer
		w := g.wanted[i]
		g.function(w.kind, w.name, 2+g.rnd.IntN(max(size/8, 1)))
	}
	return g.a.Program(fmt.Sprint("random", seed))
}

// funcKind says what the argument registers of a generated function hold.
type funcKind uint8

const (
	kindMain     funcKind = iota // r1: context
	kindNumbers                  // r1, r2: numbers
	kindPointer                  // r1: pointer to 32 bytes of the caller's stack, r2: number
	kindCallback                 // r1: number, r2: pointer as above
	kindLeaf                     // like kindNumbers, calls nothing

	// Of programs that Mixed makes.
	kindDeep   // like kindPointer, calls nothing
	kindGlobal // like kindPointer, a global function; r1 may be 0
	kindMap    // r1: map, r2: its key, r3: its value, r4: pointer as above
	kindVMA    // r1, r2: kernel objects, r3: pointer as above
	kindBuffer // r1: kernel object, r2: pointer as above
	kindTimer  // r1: map, r2: its key, r3: its value
	kindNodes  // r1, r2: kernel objects
	kindPacket // r1: context, r2: pointer as above
	kindGiver  // like kindPointer: stores a pointer to where r1 points
	kindMaybe  // r1: pointer to 8 bytes of the caller's stack if r2 is not 0, else anything
	kindArgs   // r1 to r5: numbers, then on the stack: a number, a pointer as above
)

// gen is a random program that is being made.
type gen struct {
	a      Asm
	rnd    *rand.Rand
	left   int // pieces that may still be made
	labels int
	wanted []struct {
		kind funcKind
		name string
	}
	rodata, array int
	loadable      bool // no indirect calls

	mixed    bool      // see Mixed
	patterns []Pattern // of each slot, see Mixed
	skb      bool      // the context is a socket buffer
	hash     int       // map
	progs    int       // map

	kind   funcKind
	depth  int  // of nested pieces
	locked uint // bit set of registers that pieces must not change
}

// constants returns a data section that nobody can change: 8 words, then the
// addresses of the functions that indirect calls choose from, when there are any.
func (g *gen) constants() bytecode.Map {
	v := make([]byte, 64)
	for i := range v {
		if i%8 == 0 || g.rnd.IntN(4) == 0 {
			v[i] = byte(g.rnd.IntN(256))
		}
	}
	return bytecode.Map{Name: ".rodata", Type: 2, KeySize: 4, ValueSize: 64, MaxEntries: 1, ReadOnly: true, Value: v}
}

func (g *gen) label() string {
	g.labels++
	return fmt.Sprint("l", g.labels)
}

// want returns the name of a function of a kind, which will be made.
func (g *gen) want(k funcKind) string {
	var have []string
	for _, w := range g.wanted {
		if w.kind == k {
			have = append(have, w.name)
		}
	}
	if len(have) > 0 && (len(g.wanted) >= 6 || g.rnd.IntN(2) == 0) {
		return have[g.rnd.IntN(len(have))]
	}
	name := fmt.Sprint("f", len(g.wanted))
	g.wanted = append(g.wanted, struct {
		kind funcKind
		name string
	}{k, name})
	return name
}

// scratch is the lowest stack slot that pieces store to, in words.
const scratch = 12

// function makes a function. r6 holds its pointer argument; r0 and r7 to r9 are numbers throughout,
// r1 to r5 are for single pieces.
func (g *gen) function(k funcKind, name string, pieces int) {
	g.kind, g.depth, g.locked = k, 0, 0
	if g.mixed && g.special(k, name) {
		return
	}
	g.a.Func(name, false)
	g.a.Emit(opMovX, 7, 2, 0, 0)
	switch k {
	case kindMain:
		g.a.Emit(opMovX, 6, 1, 0, 0)
		g.a.Emit(opLdxDW, 7, 6, 8, 0)
	case kindNumbers, kindLeaf:
		g.a.Emit(opMovK, 6, 0, 0, 0)
		g.a.Emit(opMovX, 0, 1, 0, 0)
	case kindPointer, kindDeep, kindGlobal:
		g.a.Emit(opMovX, 6, 1, 0, 0)
	case kindCallback:
		g.a.Emit(opMovX, 6, 2, 0, 0)
		g.a.Emit(opMovX, 7, 1, 0, 0)
	default:
		g.enter(k)
	}
	g.a.Emit(opMovX, 0, 7, 0, 0)
	g.a.Emit(opMovK, 8, 0, 0, g.constant())
	g.a.Emit(opMovX, 9, 7, 0, 0)
	for i := 1; i <= scratch; i++ {
		g.a.Emit(opStxDW, 10, 7, int16(-8*i), 0)
	}
	if g.mixed {
		g.begin()
	}
	for range pieces {
		g.piece()
	}
	if g.calledBack() {
		g.a.Emit(opAndK, 0, 0, 0, 1)
	}
	g.a.Emit(bytecode.CodeExit, 0, 0, 0, 0)
}

// calledBack reports whether the function that is being made is a callback, which
// returns 0 or 1.
func (g *gen) calledBack() bool {
	switch g.kind {
	case kindCallback, kindMap, kindVMA, kindBuffer, kindTimer, kindNodes:
		return true
	}
	return false
}

// constant returns a number that is often near a limit.
func (g *gen) constant() int32 {
	switch g.rnd.IntN(6) {
	case 0:
		return int32(g.rnd.Uint32())
	case 1:
		return int32(1<<g.rnd.IntN(32)) - int32(g.rnd.IntN(3))
	case 2:
		return -int32(g.rnd.IntN(9))
	}
	return int32(g.rnd.IntN(17))
}

// number returns a register that holds a number; with write one that may be
// changed.
func (g *gen) number(write bool) bytecode.Reg {
	for {
		r := [4]bytecode.Reg{0, 7, 8, 9}[g.rnd.IntN(4)]
		if !write || g.locked>>r&1 == 0 {
			return r
		}
	}
}

// piece makes one piece of a function.
func (g *gen) piece() {
	if g.left--; g.left < 0 {
		return
	}
	if g.mixed {
		g.mixedPiece()
		return
	}
	pieces := []func(){
		g.alu, g.alu, g.alu, g.alu, g.loadArg, g.loadArg, g.storeStack, g.loadStack, g.storeStack, g.loadStack,
		g.atomic, g.rodataLoad, g.helper, g.lookup, g.split, g.copied,
	}
	if g.depth < 4 {
		pieces = append(pieces, g.branch, g.branch, g.branch, g.branch, g.branch, g.table, g.table, g.table, g.loop,
			g.mayGoto)
	}
	if g.kind != kindLeaf && g.depth < 3 {
		pieces = append(pieces, g.callLeaf, g.varStack, g.varStack)
		if g.kind == kindMain {
			pieces = append(pieces, g.call, g.callPointer, g.bpfLoop)
			if !g.loadable {
				pieces = append(pieces, g.callx, g.callTable)
			}
		}
	}
	pieces[g.rnd.IntN(len(pieces))]()
}

// body makes a few pieces one level deeper.
func (g *gen) body() {
	g.depth++
	for range 1 + g.rnd.IntN(3) {
		g.piece()
	}
	g.depth--
}

// aluOps are the operation bits of all two-operand instructions.
var aluOps = []uint8{0x00, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0x90, 0xa0, 0xb0, 0xc0}

func (g *gen) alu() {
	dst, src := g.number(true), g.number(false)
	class := uint8(7 - 3*g.rnd.IntN(2))
	op := aluOps[g.rnd.IntN(len(aluOps))]
	switch g.rnd.IntN(12) {
	case 0:
		g.a.Emit(0x80|class, dst, 0, 0, 0) // neg
		return
	case 1:
		g.a.Emit(0xd0|[3]uint8{4, 12, 7}[g.rnd.IntN(3)], dst, 0, 0, 16<<g.rnd.IntN(3)) // byte order
		return
	case 2:
		off := [3]int16{8, 16, 32}[g.rnd.IntN(2+int(class/7))]
		g.a.Emit(0xb8|class, dst, src, off, 0) // movsx
		return
	}
	off, imm := int16(0), g.constant()
	if (op == 0x30 || op == 0x90) && g.rnd.IntN(2) == 0 {
		off = 1
	}
	shift := op == 0x60 || op == 0x70 || op == 0xc0
	switch {
	case g.rnd.IntN(3) == 0:
		g.a.Emit(op|8|class, dst, src, off, 0)
	case shift:
		g.a.Emit(op|class, dst, 0, 0, int32(g.rnd.IntN(32<<(class/7))))
	case imm == 0 && (op == 0x30 || op == 0x90):
		g.a.Emit(op|class, dst, 0, off, 3)
	default:
		g.a.Emit(op|class, dst, 0, off, imm)
	}
}

// size returns the size bits of a load or store and its bytes.
func (g *gen) size() (uint8, int) {
	i := g.rnd.IntN(4)
	return [4]uint8{0x10, 0x08, 0x00, 0x18}[i], 1 << i
}

// loadArg loads from the context or the caller's stack, or stores to the latter.
func (g *gen) loadArg() {
	limit := 64
	switch g.kind {
	case kindMain:
	case kindNumbers, kindLeaf, kindTimer, kindNodes:
		g.alu()
		return
	default:
		limit = 32
	}
	bits, n := g.size()
	off := int16(g.rnd.IntN(limit/n) * n)
	switch {
	case g.kind != kindMain && g.rnd.IntN(2) == 0:
		g.a.Emit(0x63|bits, 6, g.number(false), off, 0)
	case g.rnd.IntN(5) == 0 && n < 8:
		g.a.Emit(0x81|bits, g.number(true), 6, off, 0)
	default:
		g.a.Emit(0x61|bits, g.number(true), 6, off, 0)
	}
}

// slotOff returns a random offset in the stack for an access of n bytes.
func (g *gen) slotOff(n int) int16 { return int16(-8*scratch + g.rnd.IntN(8*scratch/n)*n) }

func (g *gen) storeStack() {
	bits, n := g.size()
	if g.rnd.IntN(4) == 0 {
		g.a.Emit(0x62|bits, 10, 0, g.slotOff(n), g.constant()*int32(g.rnd.IntN(2)))
		return
	}
	g.a.Emit(0x63|bits, 10, g.number(false), g.slotOff(n), 0)
}

func (g *gen) loadStack() {
	bits, n := g.size()
	if n < 8 && g.rnd.IntN(4) == 0 {
		g.a.Emit(0x81|bits, g.number(true), 10, g.slotOff(n), 0)
		return
	}
	g.a.Emit(0x61|bits, g.number(true), 10, g.slotOff(n), 0)
}

// varStack accesses the stack at a variable offset, perhaps through a pointer
// that was itself on the stack.
func (g *gen) varStack() {
	bits, n := g.size()
	mask := int32(8*scratch/2-1) &^ int32(n-1) & 0x38
	g.a.Emit(opMovX, 2, g.number(false), 0, 0)
	g.a.Emit(opAndK, 2, 0, 0, mask>>g.rnd.IntN(2)&^int32(n-1))
	g.a.Emit(opMovX, 3, 10, 0, 0)
	g.a.Emit(opAddK, 3, 0, 0, -8*scratch)
	g.a.Emit(opAddX, 3, 2, 0, 0)
	if g.rnd.IntN(3) == 0 {
		g.a.Emit(opStxDW, 10, 3, -8*scratch-8, 0)
		g.a.Emit(opMovK, 3, 0, 0, 0)
		g.a.Emit(opLdxDW, 3, 10, -8*scratch-8, 0)
	}
	if g.rnd.IntN(2) == 0 {
		g.a.Emit(0x63|bits, 3, g.number(false), 0, 0)
	} else {
		g.a.Emit(0x61|bits, g.number(true), 3, 0, 0)
	}
}

func (g *gen) atomic() {
	imm := []int32{0, 1, 0x40, 0x41, 0x50, 0x51, 0xa0, 0xa1, 0xe1, 0xf1}[g.rnd.IntN(10)]
	bits, n := uint8(0x18), 8
	if g.rnd.IntN(2) == 0 {
		bits, n = 0, 4
	}
	src := g.number(imm&1 != 0 && imm != 0xf1)
	if imm == 0xf1 && g.locked&1 != 0 {
		return
	}
	g.a.Emit(0xc3|bits, 10, src, g.slotOff(n), imm)
}

func (g *gen) rodataLoad() {
	bits, n := g.size()
	g.a.MapValue(2, g.rodata, int64(g.rnd.IntN(4)*8))
	if g.rnd.IntN(3) == 0 {
		g.a.Emit(opMovX, 3, g.number(false), 0, 0)
		g.a.Emit(opAndK, 3, 0, 0, 24)
		g.a.Emit(opAddX, 2, 3, 0, 0)
	}
	g.a.Emit(0x61|bits, g.number(true), 2, int16(g.rnd.IntN(8/n)*n), 0)
}

// helper calls a helper that returns a number or fills stack memory.
func (g *gen) helper() {
	if g.locked&1 != 0 {
		return
	}
	if g.rnd.IntN(2) == 0 {
		n := 1 + g.rnd.IntN(16)
		g.a.Emit(opMovX, 1, 10, 0, 0)
		g.a.Emit(opAddK, 1, 0, 0, int32(-8*scratch+g.rnd.IntN(8*scratch-n)))
		g.a.Emit(opMovK, 2, 0, 0, int32(n))
		g.a.Emit(opMovK, 3, 0, 0, 0)
		g.a.Helper(4)
		return
	}
	g.a.Helper(7)
}

// lookup looks a value up and uses it if it is there.
func (g *gen) lookup() {
	if g.locked&1 != 0 {
		return
	}
	none, end := g.label(), g.label()
	g.a.MapAddr(1, g.array)
	g.a.Emit(opMovX, 2, 10, 0, 0)
	g.a.Emit(opAddK, 2, 0, 0, -8)
	g.a.Helper(1)
	g.a.Emit(opMovX, 3, 0, 0, 0)
	if g.rnd.IntN(2) == 0 {
		g.a.If(opJeqK, 3, 0, 0, none)
	} else {
		g.a.If(opJeqK, 0, 0, 0, none)
	}
	g.a.Emit(opLdxDW, 0, 0, int16(8*g.rnd.IntN(4)), 0)
	g.a.Emit(opStxDW, 3, g.number(false), 0, 0)
	g.a.Jump(end)
	g.a.Label(none)
	g.a.Emit(opMovX, 0, 3, 0, 0)
	g.a.Label(end)
}

// split makes a number that is 0 or -1, and masks it.
func (g *gen) split() {
	r := g.number(true)
	g.a.Emit(0xc7, r, 0, 0, 63)
	g.a.Emit([2]uint8{opAndK, opOrK}[g.rnd.IntN(2)], r, 0, 0, g.constant())
}

// copied compares a copy of a number and continues with the number.
func (g *gen) copied() {
	r, l := g.number(true), g.label()
	g.a.Emit([2]uint8{opMovX, opMovX32}[g.rnd.IntN(2)], 3, r, 0, 0)
	if g.rnd.IntN(2) == 0 {
		g.a.Emit([2]uint8{opAddK, 0x04}[g.rnd.IntN(2)], 3, 0, 0, g.constant())
	}
	g.a.If(g.cond(), 3, 0, g.constant(), l)
	g.a.Emit(opAddK, r, 0, 0, g.constant())
	g.a.Label(l)
}

// condOps are the operation bits of the conditional jumps.
var condOps = []uint8{0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0xa0, 0xb0, 0xc0, 0xd0}

// cond returns the code of a conditional jump with an immediate.
func (g *gen) cond() uint8 { return condOps[g.rnd.IntN(len(condOps))] | 5 + uint8(g.rnd.IntN(2)) }
