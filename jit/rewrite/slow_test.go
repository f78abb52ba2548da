package rewrite

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/cilium/ebpf/asm"
)

// slow rewrites a program as the kernel does it: one patch at a time, each of
// which corrects the distances of all jumps (kernel/bpf/core.c
// bpf_adj_delta_to_off, Linux 7.3) and moves all entries of instruction arrays
// (kernel/bpf/bpf_insn_array.c). It is the obvious and quadratic version of the
// passes, for programs without subprograms.
type slow struct {
	insns   []bytecode.Insn
	seen    []bool
	entries []int
	ax      bytecode.Reg
}

// adjust corrects distances after the slots [pos, end) became [pos, to).
func (s *slow) adjust(pos, end, to int) {
	delta := to - end
	for i := range s.insns {
		in := &s.insns[i]
		if in.Class() != asm.JumpClass && in.Class() != asm.Jump32Class ||
			in.JumpOp() == asm.Exit || in.JumpOp() == asm.Call {
			continue
		}
		off := int(in.Off)
		if in.Code == bytecode.CodeGotol {
			off = int(in.Imm)
		}
		switch {
		case i < pos && i+off+1 >= end:
			off += delta
		case i >= to && i+off+1 < to:
			off -= delta
		}
		if in.Code == bytecode.CodeGotol {
			in.Imm = int32(off)
		} else {
			in.Off = int16(off)
		}
	}
}

// patch replaces the slot at i.
func (s *slow) patch(i int, with ...bytecode.Insn) {
	s.insns = slices.Replace(s.insns, i, i+1, with...)
	s.adjust(i, i+1, i+len(with))
	marks := make([]bool, len(with))
	for k := range marks {
		marks[k] = s.seen[i]
	}
	s.seen = slices.Replace(s.seen, i, i+1, marks...)
	for e, at := range s.entries {
		if at > i {
			s.entries[e] += len(with) - 1
		}
	}
}

// remove takes n slots out.
func (s *slow) remove(i, n int) {
	s.insns = slices.Delete(s.insns, i, i+n)
	s.adjust(i, i+n, i)
	s.seen = slices.Delete(s.seen, i, i+n)
	for e, at := range s.entries {
		switch {
		case at >= i+n:
			s.entries[e] -= n
		case at >= i:
			s.entries[e] = none
		}
	}
}

// run applies the rewrites of a privileged load on Linux 7.3.
func (s *slow) run() {
	for i, in := range s.insns {
		if !isCondJump(in) {
			continue
		}
		if !s.seen[i+1] {
			s.insns[i] = bytecode.Insn{Code: bytecode.CodeGoto, Off: in.Off}
		} else if !s.seen[i+1+int(in.Off)] {
			s.insns[i] = bytecode.Insn{Code: bytecode.CodeGoto}
		}
	}
	for i := 0; i < len(s.insns); i++ { //nolint:intrange // remove makes it shorter
		n := 0
		for i+n < len(s.insns) && !s.seen[i+n] {
			n++
		}
		if n > 0 {
			s.remove(i, n)
		}
	}
	for i := 0; i < len(s.insns); i++ {
		mayGoto := s.insns[i] == bytecode.Insn{Code: bytecode.CodeMayGoto}
		if !mayGoto && s.insns[i] != (bytecode.Insn{Code: bytecode.CodeGoto}) {
			continue
		}
		s.remove(i, 1)
		if mayGoto && i > 0 {
			i--
		}
		i--
	}
	s.fix()
}

// fix replaces divisions and may_goto, then sets up the loop counter.
func (s *slow) fix() {
	loops := false
	for i := 0; i < len(s.insns); i++ {
		in := s.insns[i]
		var with []bytecode.Insn
		for _, w := range guardDivision(slot{in: in, target: none}, s.ax, true) {
			with = append(with, w.in)
		}
		if in.Code == bytecode.CodeMayGoto {
			loops = true
			off := in.Off + 5
			if in.Off < 0 {
				off = in.Off - 1
			}
			with = []bytecode.Insn{
				{Code: ldxD, Dst: s.ax, Src: bytecode.R10, Off: -16},
				{Code: j64 | jeq, Dst: s.ax, Off: off},
				{Code: w64 | opSub, Dst: s.ax, Imm: 1},
				{Code: j64 | jne, Dst: s.ax, Off: 2},
				{Code: w64 | opMov, Dst: s.ax, Imm: -16},
				{Code: bytecode.CodeCall},
				{Code: stxD, Dst: bytecode.R10, Src: s.ax, Off: -16},
			}
		}
		if with != nil {
			s.patch(i, with...)
			i += len(with) - 1
		}
	}
	if !loops {
		return
	}
	s.patch(0, bytecode.Insn{Code: stD, Dst: bytecode.R10, Off: -16, Imm: 0xffff},
		bytecode.Insn{Code: stD, Dst: bytecode.R10, Off: -8}, s.insns[0])
	for i := 2; i < len(s.insns); i++ {
		in := &s.insns[i]
		switch {
		case in.Code == bytecode.CodeGotol && i+1+int(in.Imm) == 0:
			in.Imm += 2
		case (in.Code == bytecode.CodeGoto || isCondJump(*in)) && i+1+int(in.Off) == 0:
			in.Off += 2
		}
	}
}

// randomProgram makes a program of jumps, divisions and plain instructions, and
// says what of it a made-up verifier has seen.
func randomProgram(rnd *rand.Rand) (*bytecode.Program, []bool) {
	n := 4 + rnd.IntN(30)
	insns := make([]bytecode.Insn, n)
	ways := make([]int, n) // of conditional jumps: 1 falls through, 2 jumps, 3 both
	off := func(i int) int16 { return int16(rnd.IntN(n) - i - 1) }
	near := func(i int) int16 { return int16(min(rnd.IntN(4), n-2-i)) }
	for i := range n - 1 {
		ways[i] = 1 + rnd.IntN(3)
		switch rnd.IntN(10) {
		case 0:
			insns[i] = bytecode.Insn{Code: bytecode.CodeGoto, Off: near(i)}
		case 1:
			insns[i] = bytecode.Insn{Code: bytecode.CodeGotol, Imm: int32(off(i))}
		case 2, 3:
			insns[i] = bytecode.Insn{Code: j64 | jeq, Dst: 1, Off: off(i), Imm: 7}
		case 4:
			insns[i] = bytecode.Insn{Code: bytecode.CodeMayGoto, Off: near(i)}
		case 5:
			insns[i] = bytecode.Insn{Code: bytecode.CodeMayGoto, Off: off(i)}
		case 6:
			insns[i] = bytecode.Insn{Code: w32 | opDiv | byReg, Dst: 1, Src: 2, Off: int16(rnd.IntN(2))}
		case 7:
			insns[i] = bytecode.Insn{Code: bytecode.CodeGotox, Dst: 1}
		default:
			insns[i] = bytecode.Insn{Code: w64 | opMov, Dst: 1, Imm: int32(i)}
		}
	}
	insns[n-1] = bytecode.Insn{Code: bytecode.CodeExit}
	p := program(insns...)
	table := bytecode.JumpTable{}
	for range 1 + rnd.IntN(6) {
		table.Targets = append(table.Targets, bytecode.PC(rnd.IntN(n)))
	}
	p.Tables = []bytecode.JumpTable{table}
	return p, explore(p, ways)
}

// explore returns what can be reached along the chosen ways.
func explore(p *bytecode.Program, ways []int) []bool {
	seen := make([]bool, len(p.Insns))
	work := []bytecode.PC{0}
	for len(work) > 0 {
		pc := work[len(work)-1]
		work = work[:len(work)-1]
		if seen[pc] {
			continue
		}
		seen[pc] = true
		switch f := p.Flow(pc); f.Kind {
		case bytecode.FlowGoto:
			work = append(work, f.Target)
		case bytecode.FlowCond:
			if ways[pc]&1 != 0 {
				work = append(work, f.Next)
			}
			if ways[pc]&2 != 0 {
				work = append(work, f.Target)
			}
		case bytecode.FlowIndirect:
			work = append(work, p.Tables[0].Targets...)
		case bytecode.FlowExit:
		default:
			work = append(work, f.Next)
		}
	}
	return seen
}

func TestAgainstSlowVersion(t *testing.T) {
	prof, err := jit.LookupProfile("linux-6.19") // decides no branches by constants
	if err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(20000) {
		p, seen := randomProgram(rand.New(rand.NewPCG(seed, 1)))
		want := slow{insns: slices.Clone(p.Insns), seen: slices.Clone(seen), ax: bytecode.Reg(prof.AXReg)}
		for _, to := range p.Tables[0].Targets {
			want.entries = append(want.entries, int(to))
		}
		want.run()
		res, err := Predict(p, Facts{Seen: truths(seen...)}, prof, Options{})
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if why := sameAsSlow(res, &want); why != "" {
			t.Fatalf("seed %d: %s\nsource %v\nseen   %v\nwant   %v\ngot    %v",
				seed, why, p.Insns, seen, want.insns, res.Program.Insns)
		}
	}
}

func sameAsSlow(res *Result, want *slow) string {
	if !slices.Equal(res.Program.Insns, want.insns) {
		return "programs differ"
	}
	for e, at := range want.entries {
		if got := res.Program.Tables[0][e]; got != bytecode.PC(at) {
			return fmt.Sprintf("entry %d: %d, want %d", e, got, at)
		}
	}
	return ""
}
