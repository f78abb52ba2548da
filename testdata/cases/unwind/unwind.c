/* An exception passes a frame with something to clean up. clang 23 lists the landing pads
 * in .bpf_cleanup; clang 24 has instructions for them.
 *
 *	clang-23 --target=bpfel -O2 -g -fexceptions -c unwind.c -o clang23.o
 *	clang-24 --target=bpfel -O2 -g -fexceptions -funwind-tables -c unwind.c -o clang24.o
 */
typedef unsigned long u64;

extern void bpf_throw(u64) __attribute__((section(".ksyms")));
extern void rel(long) __attribute__((section(".ksyms")));
extern long acq(void) __attribute__((section(".ksyms")));

static inline void drop(long *p) { rel(*p); }

__attribute__((noinline)) static int mayfail(int x)
{
	if (x > 7)
		bpf_throw(x);
	return x * 3;
}

__attribute__((section("tc"))) int prog(unsigned *ctx)
{
	__attribute__((cleanup(drop))) long r = acq();
	int v = mayfail(ctx[0]);

	if (v & 1)
		v += mayfail(ctx[1]);
	return v + r;
}

char _license[] __attribute__((section("license"))) = "GPL";
