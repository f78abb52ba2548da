package rewrite

import (
	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/cilium/ebpf/asm"
)

// cellKind is what is known of a register. The lattice is unvisited, then one
// of the kinds of constant, then unknown.
type cellKind uint8

const (
	cellUnvisited cellKind = iota
	cellUnknown
	cellConst    // val is its value
	cellMap      // the address of map id
	cellMapValue // the address of byte val of the value of map id
	cellFunc     // the address of the function at slot val
)

// cell is what is known about one register. The kernel compares all of its fields at a join, even
// those without a meaning for the kind, so they are kept as the kernel leaves them: a constant that
// overwrote a map's address differs
// from the same constant elsewhere.
type cell struct {
	kind cellKind
	id   int32
	val  uint64
}

// cells is what is known about R0 to R10 at one place.
type cells [11]cell

// folder runs the analysis that decides constant branches before the verifier
// follows paths: constants in R0 to R9, over the whole control-flow graph, with
// the stack not followed (kernel/bpf/const_fold.c bpf_compute_const_regs, Linux
// 7.3).
//
// The kernel walks all instructions in reverse postorder until nothing
// changes. Here, states are kept for basic blocks and blocks wait in a queue
// for as long as their state changes, which it can do 22 times, so the cost is
// linear; the least fixed point is the same.
type folder struct {
	*graph
	im   *image
	src  *bytecode.Program
	ids  []int32 // kernel's map numbers: of Maps, then of Tables
	maps []int32 // index in Maps by number, none for a table
	in   []cells // by node
	work queue
}

// fold runs the analysis to its end.
func fold(src *bytecode.Program, im *image) (*folder, error) {
	g, err := graphOf(src, im)
	if err != nil {
		return nil, err
	}
	f := &folder{graph: g, src: src, im: im}
	f.numberMaps()
	f.in, f.work = make([]cells, f.nodes()), newQueue(f.nodes())
	for fn := range im.funcs {
		b := node(f.Entry(fn))
		for r := range f.in[b] {
			f.in[b][r].kind = cellUnknown
		}
		f.work.push(b)
	}
	for f.work.more() {
		n := f.work.pop()
		out := f.in[n]
		if !f.isHub(n) {
			for i := range f.insns(cfg.BlockID(n)) {
				f.transfer(i, &out)
			}
		}
		f.eachSucc(n, func(to node) { f.join(to, &out) })
	}
	return f, nil
}

// each calls visit for each instruction that control may reach, in order, with
// the state before it.
func (f *folder) each(visit func(i int32, c *cells)) {
	var c cells // one for all blocks: visit makes it escape
	for b := range f.Blocks {
		c = f.in[b]
		if c[0].kind == cellUnvisited {
			continue
		}
		for i := range f.insns(cfg.BlockID(b)) {
			visit(i, &c)
			f.transfer(i, &c)
		}
	}
}

// numberMaps numbers maps and tables as the kernel does: in the order in which
// the program refers to them.
func (f *folder) numberMaps() {
	f.ids = make([]int32, len(f.src.Maps)+len(f.src.Tables))
	for i := range f.ids {
		f.ids[i] = none
	}
	add := func(i, m int) {
		if f.ids[i] == none {
			f.ids[i] = int32(len(f.maps))
			f.maps = append(f.maps, int32(m))
		}
	}
	for t, table := range f.src.Tables {
		if table.FDArray {
			add(len(f.src.Maps)+t, none)
		}
	}
	for _, r := range f.src.Refs {
		switch r.Kind {
		case bytecode.RefMap, bytecode.RefMapValue:
			add(r.Index, r.Index)
		case bytecode.RefTable, bytecode.RefTableMap:
			add(len(f.src.Maps)+r.Index, none)
		}
	}
}

// join merges a state into that of a node.
func (f *folder) join(n node, out *cells) {
	changed := false
	for r := range out {
		switch have := &f.in[n][r]; {
		case have.kind == cellUnvisited:
			*have = out[r]
			changed = changed || out[r].kind != cellUnvisited
		case have.kind != cellUnknown && *have != out[r]:
			have.kind = cellUnknown
			changed = true
		}
	}
	if changed {
		f.work.push(n)
	}
}

// transfer applies one instruction to a state (const_reg_xfer).
func (f *folder) transfer(i int32, c *cells) {
	in := f.im.slots[i].in
	if in.Dst > bytecode.R10 || in.Src > bytecode.R10 {
		// Stack arguments through r11 are not followed.
		if in.Class() == asm.LdXClass && in.Dst <= bytecode.R10 {
			c[in.Dst] = cell{kind: cellUnknown}
		}
		return
	}
	dst := &c[in.Dst]
	if f.im.slots[i].marks&markPending != 0 && in.Class() != asm.StClass && in.Class() != asm.StXClass {
		*dst = cell{kind: cellUnknown}
		return
	}
	switch in.Class() {
	case asm.ALUClass, asm.ALU64Class:
		foldALU(in, dst, &c[in.Src])
	case asm.LdClass:
		if isPacketLoad(in) {
			clobberCall(c)
		} else if in.IsWide() {
			f.foldImm64(i, in, dst)
		}
	case asm.LdXClass:
		f.foldLoad(in, dst, c[in.Src])
	case asm.JumpClass:
		if in.Code == bytecode.CodeCall {
			clobberCall(c)
		}
	case asm.StXClass:
		if r, ok := atomicLoad(in); ok {
			c[r] = cell{kind: cellUnknown}
		}
	}
}

func clobberCall(c *cells) {
	for r := bytecode.R0; r <= bytecode.R5; r++ {
		c[r] = cell{kind: cellUnknown}
	}
}

// foldALU applies an arithmetic instruction.
func foldALU(in bytecode.Insn, dst, src *cell) {
	unknown := cell{kind: cellUnknown}
	imm := uint64(int64(in.Imm))
	byImm := in.Source() == asm.ImmSource
	shift := dst.kind == cellConst || dst.kind == cellMapValue
	switch op := in.ALUOp(); {
	case op == asm.Mov && byImm:
		dst.kind, dst.val = cellConst, imm
	case op == asm.Mov:
		*dst = *src
		if in.Off != 0 {
			signExtend(dst, in.Off)
		}
	case op == asm.Add && byImm && shift:
		dst.val += imm
	case op == asm.Sub && byImm && shift:
		dst.val -= imm
	case op == asm.And && byImm && dst.kind == cellConst:
		dst.val &= imm
	case op == asm.And && byImm && imm == 0:
		dst.kind, dst.val = cellConst, 0
	case op == asm.And && !byImm && dst.kind == cellConst && dst.val == 0:
	case op == asm.And && !byImm && src.kind == cellConst && src.val == 0:
		dst.kind, dst.val = cellConst, 0
	case op == asm.And && !byImm && dst.kind == cellConst && src.kind == cellConst:
		dst.val &= src.val
	default:
		*dst = unknown
	}
	if in.Class() == asm.ALUClass {
		if dst.kind == cellConst {
			dst.val = uint64(uint32(dst.val))
		} else if dst.kind != cellUnknown {
			*dst = unknown
		}
	}
}

// signExtend applies the sign extension of a move with the given Off.
func signExtend(c *cell, off int16) {
	switch {
	case c.kind == cellConst && off == 8:
		c.val = uint64(int8(c.val))
	case c.kind == cellConst && off == 16:
		c.val = uint64(int16(c.val))
	case c.kind == cellConst && off == 32:
		c.val = uint64(int32(c.val))
	default:
		*c = cell{kind: cellUnknown}
	}
}

// foldImm64 applies a 64-bit immediate load.
func (f *folder) foldImm64(i int32, in bytecode.Insn, dst *cell) {
	s := f.im.slots[i]
	if in.Src == bytecode.LdFunc {
		dst.kind, dst.val = cellFunc, uint64(s.target)
		return
	}
	ref, ok := f.im.refAt(s)
	switch {
	case ok && ref.Kind == bytecode.RefMap:
		dst.kind, dst.id = cellMap, f.ids[ref.Index]
	case ok && ref.Kind == bytecode.RefTableMap:
		dst.kind, dst.id = cellMap, f.ids[len(f.src.Maps)+ref.Index]
	case ok && ref.Kind == bytecode.RefMapValue:
		*dst = cell{cellMapValue, f.ids[ref.Index], uint64(ref.Off)}
	case ok && ref.Kind == bytecode.RefTable:
		*dst = cell{cellMapValue, f.ids[len(f.src.Maps)+ref.Index], uint64(ref.Off)}
	case !ok && in.Src == bytecode.LdImm64:
		low, high := uint64(uint32(in.Imm)), uint64(uint32(f.im.slots[i+1].in.Imm))
		dst.kind, dst.val = cellConst, low|high<<32
	default:
		*dst = cell{kind: cellUnknown}
	}
}

// foldLoad applies a load: from a read-only map it gives a constant.
func (f *folder) foldLoad(in bytecode.Insn, dst *cell, src cell) {
	if src.kind == cellMapValue && f.maps[src.id] != none {
		m := &f.src.Maps[f.maps[src.id]]
		off, size := int64(int32(src.val))+int64(in.Off), int64(in.AccessBytes())
		_, pending := m.UnknownAt(off, int(size))
		if m.ReadOnly && off >= 0 && off+size <= int64(len(m.Value)) && off+size <= int64(m.ValueSize) && !pending {
			dst.kind = cellConst
			dst.val = readValue(f.src, m.Value[off:off+size], in.Mode() == asm.MemSXMode)
			return
		}
	}
	*dst = cell{kind: cellUnknown}
}

// readValue reads a number of 1, 2, 4 or 8 bytes of a map's value.
func readValue(p *bytecode.Program, b []byte, signed bool) uint64 {
	v := p.Number(b)
	if signed {
		shift := 64 - 8*len(b)
		v = uint64(int64(v<<shift) >> shift)
	}
	return v
}

// Imm values of atomic instructions that matter here (RFC 9669 section 5.3 and,
// for load-acquire, include/uapi/linux/bpf.h of Linux 6.15).
const (
	atomicFetch   = 0x01
	atomicCmpxchg = 0xf1
	atomicLoadAcq = 0x100
)

// atomicLoad returns the register that an atomic instruction loads into.
func atomicLoad(in bytecode.Insn) (bytecode.Reg, bool) {
	switch {
	case in.Class() != asm.StXClass || in.Mode() != asm.AtomicMode:
		return 0, false
	case in.Imm == atomicCmpxchg:
		return bytecode.R0, true
	case in.Imm == atomicLoadAcq:
		return in.Dst, true
	case in.Imm&atomicFetch != 0:
		return in.Src, true
	}
	return 0, false
}
