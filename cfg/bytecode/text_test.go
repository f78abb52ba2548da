package bytecode

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"os"
	"strings"
	"testing"
)

func TestText(t *testing.T) {
	f, err := os.Open("testdata/text.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n := 0
	for s := bufio.NewScanner(f); s.Scan(); {
		line := s.Text()
		if line == "" || line[0] == '#' {
			continue
		}
		digits, want, ok := strings.Cut(line, " | ")
		data, err := hex.DecodeString(digits)
		if !ok || err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		insns, err := Decode(data, binary.LittleEndian)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if got := Text(insns, 0); got != want {
			t.Errorf("%s: got %s", line, got)
		}
		n++
	}
	if n < 200 {
		t.Errorf("only %d lines", n)
	}
}

func TestTextOutside(t *testing.T) {
	p := &Program{Insns: []Insn{{Code: CodeExit}}}
	for _, pc := range []PC{-1, 1, 100} {
		if got := Text(p.Insns, pc) + p.Text(pc); got != "" {
			t.Errorf("at %d: %s", pc, got)
		}
	}
}

// Names that the program knows, and names that must not reach a terminal.
func TestProgramText(t *testing.T) {
	wide := func(src Reg, imm int32) Insn { return Insn{Code: CodeLdImm64, Dst: 1, Src: src, Imm: imm} }
	p := &Program{
		Insns: []Insn{
			wide(LdMapFD, 0), {}, wide(LdMapValue, 0), {}, wide(LdMapValue, 0), {}, wide(LdMapFD, 0), {}, // 0, 2, 4, 6
			wide(LdFunc, 21), {}, wide(LdBTFID, 0), {}, wide(LdMapFD, 9), {}, wide(0, 7), {}, // 8, 10, 12, 14
			{Code: CodeCall, Src: CallSubprogram, Imm: 13},        // 16
			{Code: CodeCall, Src: CallKfunc, Imm: 77},             // 17
			{Code: CodeCall, Imm: 14},                             // 18
			{Code: CodeCall, Src: CallKfunc, Imm: 1},              // 19
			wide(LdMapValue, 3), {Imm: 4}, wide(LdFunc, 1000), {}, // 20, 22
			{Code: CodeCall, Src: CallSubprogram, Imm: 100}, wide(0, 1), {}, // 24, 25
			wide(0, 0), {}, // 27
			{Code: CodeExit}, {Code: CodeExit}, // 29, 30
		},
		Maps:   []Map{{Name: "counts"}, {Name: ".rodata"}, {Name: "a\x1b[31m"}},
		Tables: []JumpTable{{Name: "BPF.JT.0.0"}},
		Refs: []Ref{
			{PC: 0, Kind: RefMap}, {PC: 2, Kind: RefMapValue, Index: 1, Off: 16}, {PC: 4, Kind: RefTable, Off: 8},
			{PC: 6, Kind: RefTableMap}, {PC: 10, Kind: RefKsym, Name: "bpf_prog_active"}, {PC: 12, Kind: RefMap, Index: 2},
			{PC: 17, Kind: RefKfunc, Name: "bpf_throw"}, {PC: 18, Kind: RefHelper, Index: 14},
			{PC: 20, Kind: RefMap, Index: 99}, {PC: 25, Kind: RefUnknown, Name: "undefined x"},
			{PC: 27, Kind: RefBTFID, Index: 5},
		},
		Subprogs: []Subprogram{{Name: "main", End: 30}, {Name: "st\nep", Start: 30, End: 31}},
	}
	for pc, want := range map[PC]string{
		0: "r1 = map[name:counts]", 2: "r1 = map[name:.rodata][0]+16", 4: "r1 = jt[BPF.JT.0.0][0]+8",
		6: "r1 = jt[BPF.JT.0.0]", 8: `r1 = subprog[+21]#st\nep`, 10: "r1 = ksym[bpf_prog_active]",
		12: `r1 = map[name:a\x1b[31m]`, 14: "r1 = 0x7", 16: `call pc+13#st\nep`, 17: "call bpf_throw#77",
		18: "call bpf_get_current_pid_tgid#14", 19: "call kfunc#1", 20: "r1 = map[fd:3][0]+4",
		22: "r1 = subprog[+1000]", 24: "call pc+100", 25: "r1 = unknown[undefined x]", 27: "r1 = btf_id[5]", 29: "exit",
	} {
		if got := p.Text(pc); got != want {
			t.Errorf("at %d: got %s, want %s", pc, got, want)
		}
	}
}

// Names of helpers that are easy to get wrong, from include/uapi/linux/bpf.h.
func TestHelperName(t *testing.T) {
	for id, want := range map[int32]string{
		0: "bpf_unspec", 1: "bpf_map_lookup_elem", 5: "bpf_ktime_get_ns", 7: "bpf_get_prandom_u32",
		10: "bpf_l3_csum_replace", 12: "bpf_tail_call", 74: "bpf_lwt_seg6_store_bytes", 118: "bpf_jiffies64",
		136: "bpf_skc_to_tcp6_sock", 147: "bpf_d_path", 181: "bpf_loop", 204: "bpf_tcp_raw_gen_syncookie_ipv4",
		211: "bpf_cgrp_storage_delete", 212: "unknown", -1: "unknown", 1 << 28: "unknown",
	} {
		if got := HelperName(id); got != want {
			t.Errorf("helper %d: got %s, want %s", id, got, want)
		}
	}
}

// FuzzText: any bytes have a text, on one line, and what FlowAt takes for a
// jump has a text that says where to.
func FuzzText(f *testing.F) {
	f.Add([]byte("\x18A000000")) // the address of a subprogram, cut
	for code := range 256 {
		f.Add([]byte{byte(code), 0x21, 8, 0, 5, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0})
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		insns, err := Decode(data[:len(data)/SlotSize*SlotSize], binary.LittleEndian)
		if err != nil {
			t.Fatal(err)
		}
		p := &Program{Insns: insns, Subprogs: []Subprogram{{Name: "f", End: PC(len(insns))}}}
		for pc := range PC(len(insns)) {
			s := p.Text(pc)
			if s == "" || strings.ContainsAny(s, "\n\t") {
				t.Fatalf("%v: %q", insns[pc], s)
			}
			k := FlowAt(insns, pc).Kind
			if jumps := k == FlowGoto || k == FlowCond || k == FlowKey || k == FlowCall; jumps != strings.Contains(s, " pc") {
				t.Fatalf("%v is control flow %d and reads %s", insns[pc], k, s)
			}
			if got := strings.HasPrefix(s, "BUG_"); got && k != FlowNext && k != FlowFuncAddr {
				t.Fatalf("%v is control flow %d and reads %s", insns[pc], k, s)
			}
		}
	})
}

func BenchmarkText(b *testing.B) {
	insns := []Insn{
		{Code: 0x79, Dst: 1, Src: 10, Off: -8}, {Code: 0x26, Dst: 1, Imm: 13, Off: 3}, {Code: 0x07, Dst: 1, Imm: 8},
	}
	for i := 0; b.Loop(); i++ {
		Text(insns, PC(i%3))
	}
}
