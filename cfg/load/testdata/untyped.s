# Assembly without .type, as compilers before LLVM 7 left functions, too.
	.section socket,"ax",@progbits
	.globl f
f:
	r0 = 1
	if r1 != 0 goto .L1
	r0 = 2
.L1:
	exit
	.globl g
g:
	r0 = 3
	exit
