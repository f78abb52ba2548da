package jit_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"golang.org/x/arch/x86/x86asm"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/jit"
)

// TestUnseen covers forms that no record has: bytes assembled by hand from a
// reading of the kernel's source, and what another decoder makes of them.
func TestUnseen(t *testing.T) {
	tests := []struct {
		profile string
		insn    bytecode.Insn
		code    string // of slot 0, spaces between x86 instructions
		text    string
	}{
		{"linux-7.3", bytecode.Insn{Code: 0xa3, Dst: 1, Src: 2, Off: 8}, // arena stores
			"4289742708", "mov dword ptr [rdi+r12+0x8], esi"},
		{"linux-7.3", bytecode.Insn{Code: 0xb3, Dst: 1, Src: 2}, "4288742700", "mov byte ptr [rdi+r12], sil"},
		{"linux-7.3", bytecode.Insn{Code: 0xab, Dst: 7, Src: 8, Off: 300},
			"664789b4252c010000", "mov word ptr [r13+r12+0x12c], r14w"},
		{"linux-7.3", bytecode.Insn{Code: 0xbb, Dst: 1, Src: 0}, "4a89442700", "mov qword ptr [rdi+r12], rax"},
		{"linux-7.3", bytecode.Insn{Code: 0xb2, Dst: 1, Imm: 7}, "42c644270007", "mov byte ptr [rdi+r12], 0x7"},
		{"linux-7.3", bytecode.Insn{Code: 0xaa, Dst: 1, Imm: 7}, "6642c74427000700", "mov word ptr [rdi+r12], 0x7"},
		{"linux-7.3", bytecode.Insn{Code: 0xa2, Dst: 1, Imm: 7}, "42c744270007000000", "mov dword ptr [rdi+r12], 0x7"},
		{"linux-7.3", bytecode.Insn{Code: 0xba, Dst: 1, Imm: -1}, "4ac7442700ffffffff", "mov qword ptr [rdi+r12], -0x1"},
		{"linux-7.3", bytecode.Insn{Code: 0xb1, Dst: 1, Src: 2}, "420fb67c2600", "movzx edi, byte ptr [rsi+r12]"},
		{"linux-7.3", bytecode.Insn{Code: 0xa9, Dst: 1, Src: 2}, "420fb77c2600", "movzx edi, word ptr [rsi+r12]"},
		{"linux-7.3", bytecode.Insn{Code: 0xa1, Dst: 1, Src: 2}, "428b7c2600", "mov edi, dword ptr [rsi+r12]"},
		// PROBE_MEM with 5-level paging: user space ends at 2^56.
		{"linux-7.3+la57", bytecode.Insn{Code: 0x39, Dst: 0, Src: 1},
			"49c7c2000060ff 4989fb 4d29d3 49ba0000a00000000001 4d39d3 7704 31c0 eb04 488b4700",
			"mov r10, -0xa00000; mov r11, rdi; sub r11, r10; mov r10, 0x100000000a00000; cmp r11, r10; " +
				"jnbe .+0x4; xor eax, eax; jmp .+0x4; mov rax, qword ptr [rdi]"},
		{"linux-7.3+lfence", bytecode.Insn{Code: bytecode.CodeGotox, Dst: 7}, "0faee8 41ffe5", "lfence; jmp r13"},
		{"linux-7.3-sls-retpolinebuild+plain", bytecode.Insn{Code: bytecode.CodeGotox, Dst: 0}, "ffe0", "jmp rax"},
		// Indirect calls, which no kernel up to 7.3 has: gotox with a call for the jump.
		{"linux-next+lfence", bytecode.Insn{Code: bytecode.CodeCallx, Dst: 7}, "0faee8 41ffd5", "lfence; call r13"},
		{"linux-next+plain", bytecode.Insn{Code: bytecode.CodeCallx, Dst: 0}, "ffd0", "call rax"},
		{"linux-next+plain", bytecode.Insn{Code: bytecode.CodeCallx, Dst: 5}, "41ffd0", "call r8"},
		{"linux-next", bytecode.Insn{Code: bytecode.CodeCallx, Dst: 6}, "e800000000", "call .+0x0"},
		{"linux-7.3-smp", bytecode.Insn{Code: 0xbf, Dst: 1, Src: 2, Off: -1}, "4889f7", "mov rdi, rsi"},
		{"linux-7.3-bmi2", bytecode.Insn{Code: 0x6f, Dst: 4, Src: 7},
			"4989cb 4c89e9 49d3e3 4c89d9", "mov r11, rcx; mov rcx, r13; shl r11, cl; mov rcx, r11"},
	}
	for _, tt := range tests {
		prof, err := jit.LookupProfile(tt.profile)
		if err != nil {
			t.Fatal(err)
		}
		img, err := jit.Compile(&jit.Program{
			Insns: []bytecode.Insn{tt.insn, {Code: bytecode.CodeExit}},
			Funcs: []jit.Func{{Start: 0, End: 2}}, ArenaUsed: true,
		}, prof)
		if err != nil {
			t.Errorf("%+v: %v", tt.insn, err)
			continue
		}
		code := img.Code[img.Offsets[0]:img.Offsets[1]]
		if want := strings.ReplaceAll(tt.code, " ", ""); hex.EncodeToString(code) != want {
			t.Errorf("%+v: %x, want %s", tt.insn, code, want)
		}
		var texts []string
		for len(code) > 0 {
			in, err := x86asm.Decode(code, 64)
			if err != nil {
				t.Errorf("%+v: %x: %v", tt.insn, code, err)
				break
			}
			texts = append(texts, x86asm.IntelSyntax(in, 0, nil))
			code = code[in.Len:]
		}
		if text := strings.Join(texts, "; "); text != tt.text {
			t.Errorf("%+v: %q, want %q", tt.insn, text, tt.text)
		}
	}
}

// TestPreambles states the function starts of kernels with control flow
// integrity (emit_cfi of Linux 7.3), and the arguments of kfuncs that are
// arena pointers: by reading, not compared with a running kernel.
func TestPreambles(t *testing.T) {
	tests := []struct{ profile, want string }{
		{"linux-7.3+kcfi", "b844332211 9090909090909090909090 f30f1efa 0f1f440000"},
		{"linux-7.3+fineibt", "f30f1efa 2d44332211 2e0f8503000000 0f1f40d6 0f1f440000"},
		{"linux-7.3+fineibtbhi", "f30f1efa 2d44332211 2e2ee800000000 0f1f40d6 0f1f440000"},
	}
	insns := []bytecode.Insn{{Code: bytecode.CodeCall, Src: bytecode.CallKfunc, Imm: 1}, {Code: bytecode.CodeExit}}
	for _, tt := range tests {
		prof, err := jit.LookupProfile(tt.profile)
		if err != nil {
			t.Fatal(err)
		}
		prof.CFIHash = 0x11223344
		img, err := jit.Compile(&jit.Program{
			Insns: insns, ArenaUsed: true, Funcs: []jit.Func{{Start: 0, End: 2}},
			ArenaArgs: []jit.ArenaArgs{{PC: 0, Pointers: 0b10001, Nullable: 0b10000}},
		}, prof)
		if err != nil {
			t.Fatal(err)
		}
		want := strings.ReplaceAll(tt.want, " ", "")
		if got := hex.EncodeToString(img.Code); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s, want %s first", tt.profile, got, want)
		}
		if img.Funcs[0].Entry != 16 {
			t.Errorf("%s: entry at %d, want 16", tt.profile, img.Funcs[0].Entry)
		}
		call := hex.EncodeToString(img.Code[img.Offsets[0]:img.Offsets[1]])
		// mov edi, edi; add rdi, r12; mov r8d, r8d; test r8d, r8d; je +3; add r8, r12; call
		if want := "89ff" + "4c01e7" + "4589c0" + "4585c0" + "7403" + "4d01e0" + "e800000000"; call != want {
			t.Errorf("call %s, want %s", call, want)
		}
	}
}
