package jit_test

import (
	"bytes"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/jit"
)

// The classic filters of the record, converted as bpf_convert_filter
// (net/core/filter.c) does it: A is r0, X is r7, the context r6.
var classicPrograms = map[string][]bytecode.Insn{
	"ret #5": {
		{Code: 0xac},                       // w0 ^= w0
		{Code: 0xac, Dst: 7, Src: 7},       // w7 ^= w7
		{Code: 0xbf, Dst: 6, Src: 1},       // r6 = r1
		{Code: 0xb4, Imm: 5}, {Code: 0x95}, // w0 = 5; exit
	},
	"ldw [0]; jeq #1,0,1; ret #5; ret #0": {
		{Code: 0xac}, {Code: 0xac, Dst: 7, Src: 7}, {Code: 0xbf, Dst: 6, Src: 1},
		{Code: 0x79, Dst: 8, Src: 6, Off: 0xd0}, // skb->data
		{Code: 0x61, Dst: 9, Src: 6, Off: 0x70}, // skb->len
		{Code: 0x61, Dst: 2, Src: 6, Off: 0x74}, // skb->data_len
		{Code: 0x1c, Dst: 9, Src: 2},
		{Code: 0xbf, Dst: 2, Src: 9},
		{Code: 0xc5, Dst: 2, Off: 3, Imm: 4}, // if r2 s< 4 goto slow path
		{Code: 0x61, Dst: 0, Src: 8},
		{Code: 0xdc, Imm: 32},
		{Code: 0x05, Off: 8},
		{Code: 0xbf, Dst: 1, Src: 6}, {Code: 0xbf, Dst: 2, Src: 8}, {Code: 0xbf, Dst: 3, Src: 9},
		{Code: 0xb7, Dst: 4},
		{Code: 0x85, Imm: 1},       // bpf_skb_load_helper_32
		{Code: 0x75, Off: 2},       // if r0 s>= 0 goto on
		{Code: 0xac}, {Code: 0x95}, // no packet: the first exit
		{Code: 0x55, Off: 2, Imm: 1}, // if r0 != 1 goto
		{Code: 0xb4, Imm: 5}, {Code: 0x95},
		{Code: 0xb4}, {Code: 0x95},
	},
}

// TestClassic compares converted filters, which have a prologue of their own
// and, loaded without privileges, a barrier before they return.
func TestClassic(t *testing.T) {
	var file vectorFile
	readGzipJSON(t, "records/jit-vectors.json.gz", &file)
	profiles := map[string]string{
		"7.3.4":                               "linux-7.3+plain",
		"7.3.4 + CLEAR_BHB_LOOP + HYPERVISOR": "linux-7.3+plain+bhiloopguest",
		"7.3.4 + CLEAR_BHB_HW":                "linux-7.3+plain+bhihw",
	}
	if len(file.CBPF) != 4 {
		t.Fatalf("%d filters, want 4", len(file.CBPF))
	}
	for _, v := range file.CBPF {
		prof, err := jit.LookupProfile(profiles[v.Kernel])
		if err != nil {
			t.Fatal(err)
		}
		insns := classicPrograms[v.Text]
		p := &jit.Program{
			Insns: insns, Classic: true, Unprivileged: v.Loader == "no capabilities",
			Funcs: []jit.Func{{Start: 0, End: bytecode.PC(len(insns))}},
		}
		img, err := jit.Compile(p, prof)
		if err != nil {
			t.Errorf("%s on %s: %v", v.Text, v.Kernel, err)
			continue
		}
		want := unhex(t, v.Code)
		got := bytes.Clone(img.Code)
		if len(v.Relocs) != len(img.Relocs) {
			t.Errorf("%s on %s: relocations %v, want %v", v.Text, v.Kernel, img.Relocs, v.Relocs)
			continue
		}
		for i, r := range img.Relocs {
			if w := v.Relocs[i]; w.Off != r.Offset || w.Size != r.Size {
				t.Errorf("%s on %s: relocation %v, want %v", v.Text, v.Kernel, r, w)
			}
			copy(got[r.Offset:], want[r.Offset:r.Offset+r.Size])
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s on %s:\n got %x\nwant %x", v.Text, v.Kernel, got, want)
		}
	}
}
