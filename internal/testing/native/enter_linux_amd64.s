#include "textflag.h"

// func enter(code, stack, arg1, arg2 uintptr) (rax uint64)
//
// Calls code with its arguments in RDI and RSI, BPF's R1 and R2, on the stack that
// ends at stack. The stack of a goroutine is small and may be anywhere; images want
// some kilobytes. Images follow the System V calling convention, so RBX, RBP and
// R12 to R15 come back as they were: R12 keeps our stack pointer. Go's own
// convention wants R14 (the goroutine) and X15 (zero) as before, which images do
// not touch, but stubs may.
TEXT ·enter(SB), NOSPLIT, $16-40
	MOVQ code+0(FP), AX
	MOVQ stack+8(FP), CX
	MOVQ arg1+16(FP), DI
	MOVQ arg2+24(FP), SI
	XORL DX, DX
	MOVQ R14, 0(SP)
	MOVQ SP, R12
	MOVQ CX, SP
	ANDQ $~15, SP
	CLD
	CALL AX
	MOVQ R12, SP
	MOVQ 0(SP), R14
	XORPS X15, X15
	MOVQ AX, rax+32(FP)
	RET
