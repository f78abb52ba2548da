/* Calls as GCC 12.2 with binutils 2.40 encodes them: the distance to a static function is
 * counted in instructions, that to a global one in bytes, which loaders take for
 * instructions. libbpf 1.8 links the call of thrice to other, by its log:
 *
 *	prog 'prog': insn #10 relocated, imm ... points to subprog 'other'
 *
 *	bpf-gcc -O2 -c gcc12.c -o gcc12.o
 */
__attribute__((noinline)) int twice(int x)
{
	return x * 2 + 1;
}

__attribute__((noinline)) int thrice(int x)
{
	return x * 3 + 1;
}

__attribute__((noinline)) int other(int x)
{
	for (int i = 0; i < 7; i++)
		x = (x ^ (x << 3)) + (x >> 7) * 13 + (x & 0x55) * i + (x | i) * 3 + (x << 2) * 9 + i;
	return x;
}

static __attribute__((noinline)) int fixed(int x)
{
	return (x ^ 5) * 7;
}

__attribute__((section("tc"))) int prog(unsigned *ctx)
{
	int v = twice(ctx[0]);

	if (v & 4)
		v += thrice(ctx[1]);
	return fixed(v);
}

__attribute__((section("tc"))) int whole(unsigned *ctx)
{
	return other(ctx[0]) + fixed(ctx[1]);
}

char _license[] __attribute__((section("license"))) = "GPL";
