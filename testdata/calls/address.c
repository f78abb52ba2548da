/* The address of a function, with something added to it or not: computed with, called
 * back. What Linux says of each is in README.md.
 * BUILD: clang-22 --target=bpf -g -O2 -mcpu=v4
 */
#define SEC(n) __attribute__((section(n), used))

static __attribute__((noinline)) long callback(unsigned int i, void *ctx) { return 0; }

/* Nothing calls the callback of the first two. */
SEC("syscall") int unused(void *c)
{
	asm volatile("r1 = %[f] ll; r1 += 8;" :: [f] "i"(callback) : "r1");
	return 0;
}

SEC("syscall") int masked(void *c)
{
	asm volatile("r1 = %[f] ll; r1 &= 8;" :: [f] "i"(callback) : "r1");
	return 0;
}

#define LOOP(name, added)                                                        \
	SEC("syscall") int name(unsigned long *c)                                \
	{                                                                        \
		unsigned long n = c[0] & 8;                                      \
		asm volatile("r1 = 3; r2 = %[f] ll; r2 += " added                \
			     "; r3 = 0; r4 = 0; call 181;"                       \
			     :: [f] "i"(callback), [n] "r"(n)                    \
			     : "r0", "r1", "r2", "r3", "r4", "r5");              \
		return 0;                                                        \
	}

LOOP(unmoved, "0")
LOOP(up, "8")
LOOP(down, "-8")
LOOP(anywhere, "%[n]")

char _license[] SEC("license") = "GPL";
