package abstract

import (
	"math"
	"math/bits"

	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// slotSet is a set of slots of a stack frame: slot num is bit num-1.
type slotSet uint64

const allSlots = ^slotSet(0)

// slotUse is what an instruction does to the slots of its own frame, by the frame
// pointer itself: those that it reads, and those that it overwrites.
//
// Source: kernel/bpf/liveness.c, Linux 7.2 and 7.3, which follows pointers and halves of
// slots, too; a function that does more with the frame pointer is one that reads all
// here.
func slotUse(in bytecode.Insn) (reads, writes slotSet) {
	at := func(bytes int) (slots slotSet, whole bool) {
		lo, hi := int64(in.Off), int64(in.Off)+int64(bytes)
		for ; lo < hi; lo = (lo + 8) &^ 7 {
			if num := (-lo + 7) / 8; lo < 0 && num <= maxSlots {
				slots |= 1 << (num - 1)
			}
		}
		return slots, bytes == 8 && in.Off&7 == 0
	}
	switch in.Class() {
	case asm.LdXClass:
		if in.Src == bytecode.R10 {
			reads, _ = at(in.AccessBytes())
		}
	case asm.StClass, asm.StXClass:
		if in.Dst != bytecode.R10 {
			return 0, 0
		}
		slots, whole := at(in.AccessBytes())
		switch {
		case in.Mode() == modeAtomic:
			return slots, 0
		case whole:
			return 0, slots
		}
	}
	return reads, 0
}

// leaksFrame reports whether an instruction takes the frame pointer for something
// else than the base of an access.
func leaksFrame(in bytecode.Insn) bool {
	switch in.Class() {
	case asm.LdXClass:
		return false
	case asm.StClass:
		return false
	case asm.StXClass, asm.LdClass:
		return in.Src == bytecode.R10 && !in.IsWide()
	case asm.ALUClass, asm.ALU64Class:
		return in.Source() == asm.RegSource && in.Src == bytecode.R10
	}
	return in.Source() == asm.RegSource && in.Src == bytecode.R10 || in.IsGotox() && in.Dst == bytecode.R10
}

// slotLiveness returns for each block the slots of its frame that may be read from
// its start on, and for each subprogram whether that is known.
func slotLiveness(g *cfg.Graph, order []cfg.BlockID) (live []slotSet, known []bool) {
	p := g.Program
	known = make([]bool, len(p.Subprogs))
	for i := range known {
		known[i] = true
	}
	for pc := bytecode.PC(0); pc < p.Len(); pc += p.Insns[pc].Slots() {
		if sub := p.SubprogAt(pc); sub >= 0 && leaksFrame(p.Insns[pc]) {
			known[sub] = false
		}
	}
	live = backward(g, order, allSlots, func(b cfg.BlockID, out slotSet) slotSet {
		blk := &g.Blocks[b]
		if !known[blk.Sub] {
			return allSlots
		}
		for pc := blk.Last; pc >= blk.Start; pc-- {
			if g.InsnAt(pc) {
				reads, writes := slotUse(p.Insns[pc])
				out = out&^writes | reads
			}
		}
		return out
	})
	return live, known
}

// dropSlots makes the slots of a frame unknown that are not in the set.
func (s *State) dropSlots(frame int, live slotSet) {
	var dead slotSet
	for i, g := range s.frames[frame].groups {
		lives := uint8(live >> (i * groupSlots))
		if g == nil || lives == math.MaxUint8 {
			continue
		}
		if lives == 0 {
			s.edit(frame).dropGroup(i)
			continue
		}
		for j := range g {
			if num := i*groupSlots + j; live>>num&1 == 0 && g[j].present() {
				dead |= 1 << num
			}
		}
	}
	for ; dead != 0; dead &= dead - 1 {
		*s.edit(frame).at(int16(bits.TrailingZeros64(uint64(dead)) + 1)) = slot{}
	}
}
