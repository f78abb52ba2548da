package rewrite

import (
	"encoding/binary"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/record"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
	"github.com/cilium/ebpf/asm"
)

// liveLine matches a line of the verifier's table of live registers, which
// shows the program after constant branches were decided.
var liveLine = regexp.MustCompile(`^ *(?:\d+ +)?(\d+): [0-9.]{10} \(([0-9a-f]{2})\) .*?(; zext)?$`)

// TestPrunedAsLogged compares the decided branches with what the logs of Linux
// 7.3.4 show in their place, for every recorded program, refused ones too.
func TestPrunedAsLogged(t *testing.T) {
	programs, conds, pruned := 0, 0, 0
	for _, file := range testenv.Glob(t, "records/*7.3.4*.jsonl.gz") {
		r, err := record.Open(file, record.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for rec, err := range r.Records() {
			if err != nil {
				t.Fatal(err)
			}
			if rec.Kind != record.KindResult || rec.Result.Load == nil {
				continue
			}
			_, table, ok := strings.Cut(rec.Result.Load.Log, "Live regs before insn:\n")
			p, err := rec.Job.Program()
			if !ok || err != nil {
				continue
			}
			im, err := firstImage(p, Facts{Stack: make([]StackFact, len(p.Subprogs))})
			if err != nil {
				t.Errorf("%s: %v", rec.Job.Name, err)
				continue
			}
			programs++
			states := map[int]*cells{}
			f, err := fold(p, im)
			if err != nil {
				t.Errorf("%s: %v", rec.Job.Name, err)
				continue
			}
			f.each(func(i int32, c *cells) { s := *c; states[int(i)] = &s })
			for line := range strings.Lines(table) {
				m := liveLine.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
				if m == nil {
					break
				}
				pc, _ := strconv.Atoi(m[1])
				if !isCondJump(p.Insns[pc]) {
					continue
				}
				conds++
				_, ours := decide(p.Insns[pc], states[pc])
				logged := m[2] == "05"
				if logged {
					pruned++
				}
				if ours != logged {
					t.Errorf("%s: slot %d decided: %v, by the kernel: %v", rec.Job.Name, pc, ours, logged)
				}
			}
		}
		r.Close()
	}
	t.Logf("%d programs, %d conditional jumps, %d decided", programs, conds, pruned)
	if pruned == 0 {
		t.Error("no branch was decided")
	}
}

// program makes a program of one subprogram.
func program(insns ...bytecode.Insn) *bytecode.Program {
	return &bytecode.Program{
		Type: "syscall", Insns: insns, Subprogs: []bytecode.Subprogram{{End: bytecode.PC(len(insns))}},
	}
}

// constantsBefore returns what is known of the registers before a slot.
func constantsBefore(t *testing.T, p *bytecode.Program, at int) cells {
	t.Helper()
	im, err := firstImage(p, Facts{})
	if err != nil {
		t.Fatal(err)
	}
	var got cells
	f, err := fold(p, im)
	if err != nil {
		t.Fatal(err)
	}
	f.each(func(i int32, c *cells) {
		if int(i) == at {
			got = *c
		}
	})
	return got
}

// Expected values follow kernel/bpf/const_fold.c of Linux 7.3, case by case.
func TestFoldALU(t *testing.T) {
	exit := bytecode.Insn{Code: bytecode.CodeExit}
	movK := func(r bytecode.Reg, v int32) bytecode.Insn { return bytecode.Insn{Code: w64 | opMov, Dst: r, Imm: v} }
	known := func(v uint64) cell { return cell{kind: cellConst, val: v} }
	unknown := cellUnknown
	for _, c := range []struct {
		name string
		in   bytecode.Insn
		want any
	}{
		{"mov sign-extends", movK(1, -1), known(math.MaxUint64)},
		{"mov32 does not", bytecode.Insn{Code: w32 | opMov, Dst: 1, Imm: -1}, known(math.MaxUint32)},
		{"copy", bytecode.Insn{Code: w64 | opMov | byReg, Dst: 1, Src: 2}, known(0x1ff)},
		{"copy of 8 bits", bytecode.Insn{Code: w64 | opMov | byReg, Dst: 1, Src: 2, Off: 8}, known(math.MaxUint64)},
		{"copy of 8 bits to 32", bytecode.Insn{Code: w32 | opMov | byReg, Dst: 1, Src: 2, Off: 8}, known(math.MaxUint32)},
		{"copy of 32 bits", bytecode.Insn{Code: w64 | opMov | byReg, Dst: 1, Src: 2, Off: 32}, known(0x1ff)},
		{"cast of address space", bytecode.Insn{Code: w64 | opMov | byReg, Dst: 1, Src: 2, Off: 1, Imm: 1}, unknown},
		{"add", bytecode.Insn{Code: w64 | opAdd, Dst: 2, Imm: -0x1ff}, known(0)},
		{"add32 truncates", bytecode.Insn{Code: w32 | opAdd, Dst: 2, Imm: -0x200}, known(math.MaxUint32)},
		{"sub", bytecode.Insn{Code: w64 | opSub, Dst: 2, Imm: 0x200}, known(math.MaxUint64)},
		{"add register", bytecode.Insn{Code: w64 | opAdd | byReg, Dst: 2, Src: 2}, unknown},
		{"or", bytecode.Insn{Code: w64 | opOr, Dst: 2, Imm: 1}, unknown},
		{"shift", bytecode.Insn{Code: w64 | opLsh, Dst: 2, Imm: 1}, unknown},
		{"negate", bytecode.Insn{Code: w64 | opNeg, Dst: 2}, unknown},
		{"and", bytecode.Insn{Code: w64 | opAnd, Dst: 2, Imm: 0x0f}, known(0x0f)},
		{"and of unknown", bytecode.Insn{Code: w64 | opAnd, Dst: 3, Imm: 1}, unknown},
		{"and of unknown with 0", bytecode.Insn{Code: w64 | opAnd, Dst: 3}, known(0)},
		{"and with register 0", bytecode.Insn{Code: w64 | opAnd | byReg, Dst: 3, Src: 4}, known(0)},
		{"and of 0 with unknown", bytecode.Insn{Code: w64 | opAnd | byReg, Dst: 4, Src: 3}, known(0)},
		{"and of two", bytecode.Insn{Code: w64 | opAnd | byReg, Dst: 2, Src: 2}, known(0x1ff)},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := constantsBefore(t, program(movK(2, 0x1ff), movK(4, 0), c.in, exit), 3)[c.in.Dst]
			switch want := c.want.(type) {
			case cell:
				if got.kind != cellConst || got.val != want.val {
					t.Errorf("got %+v, want %+v", got, want)
				}
			case cellKind:
				if got.kind != want {
					t.Errorf("got %+v, want kind %d", got, want)
				}
			}
		})
	}
}

func TestFoldMemoryAndCalls(t *testing.T) {
	value := binary.LittleEndian.AppendUint64(nil, 0xfedcba9876543210)
	p := program(
		bytecode.Insn{Code: bytecode.CodeLdImm64, Dst: 6, Src: bytecode.LdMapValue}, bytecode.Insn{},
		bytecode.Insn{Code: ldxW, Dst: 1, Src: 6, Off: 4},
		bytecode.Insn{Code: uint8(asm.LdXClass) | uint8(asm.MemSXMode) | uint8(asm.Byte), Dst: 2, Src: 6, Off: 7},
		bytecode.Insn{Code: ldxD, Dst: 3, Src: 6, Off: 1},
		bytecode.Insn{Code: w64 | opMov, Dst: 7, Imm: 5},
		bytecode.Insn{Code: bytecode.CodeCall, Imm: 5},
		bytecode.Insn{Code: bytecode.CodeExit},
	)
	p.Maps = []bytecode.Map{{ValueSize: 8, ReadOnly: true, Value: value}}
	p.Refs = []bytecode.Ref{{PC: 0, Kind: bytecode.RefMapValue}}
	before := constantsBefore(t, p, 6)
	if c := before[1]; c.kind != cellConst || c.val != 0xfedcba98 {
		t.Errorf("4 bytes: %+v", c)
	}
	if c := before[2]; c.kind != cellConst || c.val != 0xfffffffffffffffe {
		t.Errorf("signed byte: %+v", c)
	}
	if c := before[3]; c.kind != cellUnknown {
		t.Errorf("beyond the value: %+v", c)
	}
	after := constantsBefore(t, p, 7)
	if after[1].kind != cellUnknown || after[7].kind != cellConst {
		t.Errorf("after a call: r1 %+v, r7 %+v", after[1], after[7])
	}
	p.Maps[0].ReadOnly = false
	if c := constantsBefore(t, p, 6)[1]; c.kind != cellUnknown {
		t.Errorf("writable map: %+v", c)
	}
}
