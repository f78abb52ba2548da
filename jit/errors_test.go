package jit_test

import (
	"errors"
	"math"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/jit"
)

// TestUnsupported checks that what no kernel compiles is refused with the
// place and the cause.
func TestUnsupported(t *testing.T) {
	exit := bytecode.Insn{Code: bytecode.CodeExit}
	tests := []struct {
		profile string
		insn    bytecode.Insn
		reason  error
		message string
	}{
		{"linux-7.3", bytecode.Insn{Code: bytecode.CodeCallx, Dst: 3}, jit.ErrUnsupported,
			`jit: function "f": slot 0 (callx r3): unsupported instruction: indirect calls need Linux next`},
		{"linux-7.3", bytecode.Insn{Code: bytecode.CodeMayGoto}, jit.ErrUnsupported,
			`jit: function "f": slot 0 (may_goto pc+0): unsupported instruction: may_goto is replaced by the verifier`},
		{"linux-6.18", bytecode.Insn{Code: bytecode.CodeGotox}, jit.ErrUnsupported,
			`jit: function "f": slot 0 (gotox r0): unsupported instruction: indirect jumps need Linux 6.19`},
		{"linux-7.3", bytecode.Insn{Code: 0x85, Imm: 12}, jit.ErrUnsupported,
			`jit: function "f": slot 0 (call bpf_tail_call#12): unsupported instruction: ` +
				`bpf_tail_call has an opcode of its own after the verifier's rewrites`},
		{"linux-7.3", bytecode.Insn{Code: 0x05, Off: 5}, jit.ErrInput,
			`jit: function "f": slot 0 (goto pc+5): malformed program: jump to slot 6 leaves the function`},
		{"linux-7.3", bytecode.Insn{Code: 0x05, Off: -2}, jit.ErrInput, ""},
		{"linux-7.3", bytecode.Insn{Code: 0x05, Src: 1}, jit.ErrUnsupported, ""}, // static key
		{"linux-7.3", bytecode.Insn{Code: 0x0f, Dst: 11}, jit.ErrUnsupported, ""},
		{"linux-7.3", bytecode.Insn{Code: 0x0f, Dst: 13}, jit.ErrUnsupported, ""},
		{"linux-6.19", bytecode.Insn{Code: 0x0f, Dst: 12}, jit.ErrUnsupported, ""},
		{"linux-6.19", bytecode.Insn{Code: 0x79, Src: 11, Off: 8}, jit.ErrUnsupported, "NOT"}, // AX as a base
		{"linux-7.3", bytecode.Insn{Code: 0x79, Src: 11, Off: -8}, jit.ErrUnsupported, ""},
		{"linux-7.3", bytecode.Insn{Code: 0x20}, jit.ErrUnsupported, ""},                                // LD_ABS
		{"linux-7.3", bytecode.Insn{Code: 0xbf, Off: 1, Imm: 1}, jit.ErrUnsupported, ""},                // cast to kernel
		{"linux-7.3", bytecode.Insn{Code: 0xbf, Off: 3}, jit.ErrUnsupported, ""},                        // unknown move
		{"linux-7.3", bytecode.Insn{Code: 0xbc, Off: 32}, jit.ErrUnsupported, ""},                       // 32 to 32 bits
		{"linux-7.3", bytecode.Insn{Code: 0xe7}, jit.ErrUnsupported, ""},                                // no operation
		{"linux-7.3", bytecode.Insn{Code: 0x99}, jit.ErrUnsupported, ""},                                // MEMSX of 8 bytes
		{"linux-7.3", bytecode.Insn{Code: 0xa1}, jit.ErrUnsupported, ""},                                // arena, without one
		{"linux-7.3", bytecode.Insn{Code: 0xdb, Dst: 10, Off: -8, Imm: 2}, jit.ErrUnsupported, ""},      // no such atomic
		{"linux-7.3", bytecode.Insn{Code: 0xcb, Dst: 10, Off: -8}, jit.ErrUnsupported, ""},              // 16-bit atomic add
		{"linux-6.12", bytecode.Insn{Code: 0xdb, Dst: 10, Off: -8, Imm: 0x110}, jit.ErrUnsupported, ""}, // store_release
		{"linux-7.3", bytecode.Insn{Code: 0x85, Src: 1, Imm: 7}, jit.ErrInput, ""},                      // no such function
		{"linux-7.3", bytecode.Insn{Code: 0x85, Src: 3}, jit.ErrUnsupported, ""},
		{"linux-7.3", bytecode.Insn{Code: 0xd4, Imm: 8}, jit.ErrUnsupported, ""},
	}
	for _, tt := range tests {
		p := &jit.Program{
			Insns: []bytecode.Insn{tt.insn, exit},
			Funcs: []jit.Func{{Name: "f", Start: 0, End: 2}},
		}
		prof, err := jit.LookupProfile(tt.profile)
		if err != nil {
			t.Fatal(err)
		}
		img, err := jit.Compile(p, prof)
		if tt.message == "NOT" {
			if err != nil {
				t.Errorf("%+v on %s: %v", tt.insn, tt.profile, err)
			}
			continue
		}
		if img != nil || !errors.Is(err, tt.reason) {
			t.Errorf("%+v on %s: %v, %v", tt.insn, tt.profile, img, err)
			continue
		}
		if tt.message != "" && err.Error() != tt.message {
			t.Errorf("%+v on %s:\n got %v\nwant %s", tt.insn, tt.profile, err, tt.message)
		}
	}
}

// TestMalformed checks programs that contradict themselves.
func TestMalformed(t *testing.T) {
	two := []bytecode.Insn{{Code: 0xb7}, {Code: bytecode.CodeExit}}
	wide := []bytecode.Insn{{Code: bytecode.CodeLdImm64}, {}, {Code: 0x05, Off: -2}, {Code: bytecode.CodeExit}}
	tests := map[string]*jit.Program{
		"empty":          {},
		"no functions":   {Insns: two},
		"gap":            {Insns: two, Funcs: []jit.Func{{Start: 1, End: 2}}},
		"short":          {Insns: two, Funcs: []jit.Func{{Start: 0, End: 1}}},
		"long":           {Insns: two, Funcs: []jit.Func{{Start: 0, End: 3}}},
		"empty function": {Insns: two, Funcs: []jit.Func{{Start: 0, End: 0}, {Start: 0, End: 2}}},
		"stack":          {Insns: two, Funcs: []jit.Func{{Start: 0, End: 2, StackDepth: -1}}},
		"deep stack":     {Insns: two, Funcs: []jit.Func{{Start: 0, End: 2, StackDepth: math.MaxInt}}},
		"arguments":      {Insns: two, Funcs: []jit.Func{{Start: 0, End: 2, OutStackArgs: math.MaxInt}}},
		"marks":          {Insns: two, Funcs: []jit.Func{{Start: 0, End: 2}}, IndirectTarget: []bool{true}},
		"table":          {Insns: two, Funcs: []jit.Func{{Start: 0, End: 2}}, Tables: [][]bytecode.PC{{2}}},
		"stack arguments and private stack": {Insns: two,
			Funcs: []jit.Func{{Start: 0, End: 2, PrivateStack: true, OutStackArgs: 7}}},
		"order":       {Insns: two, Funcs: []jit.Func{{Start: 0, End: 2}}, Refs: []bytecode.Ref{{PC: 1}, {PC: 0}}},
		"half a load": {Insns: wide[:1], Funcs: []jit.Func{{Start: 0, End: 1}}},
		"into a load": {Insns: wide, Funcs: []jit.Func{{Start: 0, End: 4}}},
		"too large": {Insns: make([]bytecode.Insn, jit.MaxSlots+1),
			Funcs: []jit.Func{{Start: 0, End: jit.MaxSlots + 1}}},
		"far function": {
			Insns:     []bytecode.Insn{{Code: bytecode.CodeLdImm64, Src: bytecode.LdFunc, Imm: -1}, {}, two[1]},
			Funcs:     []jit.Func{{Start: 0, End: 3}},
			Addresses: jit.Addresses{Funcs: []uint64{0xffff888000000000}},
		},
	}
	prof, err := jit.LookupProfile(jit.DefaultProfile)
	if err != nil {
		t.Fatal(err)
	}
	for name, p := range tests {
		if img, err := jit.Compile(p, prof); img != nil || !errors.Is(err, jit.ErrInput) {
			t.Errorf("%s: %v, %v", name, img, err)
		}
	}
	old, err := jit.LookupProfile("linux-6.6")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []jit.Func{{PrivateStack: true}, {ExceptionBoundary: true}, {OutStackArgs: 2}} {
		f.End = 2
		p := &jit.Program{Insns: two, Funcs: []jit.Func{f}}
		if img, err := jit.Compile(p, old); img != nil || !errors.Is(err, jit.ErrInput) {
			t.Errorf("%+v on 6.6: %v, %v", f, img, err)
		}
	}
	if _, err := jit.Compile(&jit.Program{Insns: two}, jit.Profile{}); !errors.Is(err, jit.ErrProfile) {
		t.Errorf("no profile: %v", err)
	}
}
