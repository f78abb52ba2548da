# Static keys as the RFC series of March 2025 makes them: two programs and a
# subprogram that both call, with two keys. The assembler has no names for the
# jumps, so they are bytes: 06 with source register 1 is gotol_or_nop, with 3
# nop_or_gotol; 05 likewise. The last entry of the key "odd" is no such jump, and
# its second one belongs to "fast" already.
	.macro key_entry at, to, key, flags=0
	.pushsection .static_keys,"aw",@progbits
	.balign 8
	.long \at - .
	.long \to - .
	.quad \key - . + \flags
	.popsection
	.endm

	.section xdp,"ax",@progbits
	.globl one
	.type one,@function
one:
	r0 = 0
.Lone1:
	.byte 0x06,0x10,0,0,2,0,0,0        # gotol_or_nop +2
	r0 = 1
	call helper
.Lone2:
	exit
	.size one, .-one
	key_entry .Lone1, .Lone2, fast

	.globl two
	.type two,@function
two:
	r0 = 0
.Ltwo1:
	.byte 0x05,0x30,1,0,0,0,0,0        # nop_or_goto +1
	r0 = 2
.Ltwo2:
	.byte 0x06,0x30,0,0,1,0,0,0        # nop_or_gotol +1
	call helper
.Ltwo3:
	exit
	.size two, .-two
	key_entry .Ltwo1, .Ltwo2, slow, 1
	key_entry .Ltwo2, .Ltwo3, fast, 1
	key_entry .Ltwo3, .Ltwo3, odd
	key_entry .Ltwo2, .Ltwo3, odd

	.text
	.type helper,@function
helper:
	r0 = 7
.Lhelper1:
	.byte 0x05,0x10,1,0,0,0,0,0        # goto_or_nop +1
	r0 = 8
.Lhelper2:
	exit
	.size helper, .-helper
	key_entry .Lhelper1, .Lhelper2, fast

	.section .maps,"aw",@progbits
	.globl fast, slow, odd
	.type fast,@object
fast:
	.zero 32
	.size fast, 32
	.type slow,@object
slow:
	.zero 32
	.size slow, 32
	.type odd,@object
odd:
	.zero 32
	.size odd, 32
