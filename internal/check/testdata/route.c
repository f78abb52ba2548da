// A program with several findings. Compiled with -DLATER it has more code in
// front of and between what the findings are about, as after a week of work.

typedef unsigned int u32;
typedef unsigned long u64;
#define SEC(n) __attribute__((section(n), used))
#define NOINLINE __attribute__((noinline))
#define opaque(x) asm volatile("" : "+r"(x))

struct args {
	u64 v[8];
};
const volatile u32 mode = 2;
u64 hits[4];

#ifdef LATER
u64 more[9];

static NOINLINE u64 helper(u64 x)
{
	switch (x) {
	case 0: return 1; case 1: more[1]++; return 7; case 2: more[2]++; return 3; case 3: more[3] += 9; return 8;
	case 4: return 5; case 5: more[5]++; return 9; case 6: return 11; case 7: more[7] -= 2; return 15; case 8: return 21;
	case 9: return 6; case 10: more[4]++; return 2; case 11: return 33; case 12: more[0] = x; return 1; case 13: return 3;
	}
	return 0;
}
#endif

#define CASES(n) \
	case 0: r += n; break; case 1: r *= 3 + n; break; case 2: r ^= 5; break; case 3: r -= n; break; \
	case 4: r <<= 2; break; case 5: r |= n; break; case 6: r &= 77; break; case 7: r += 9 * n; break; \
	case 8: r = -r; break; case 9: r >>= 1; break; case 10: r %= 7; break; case 11: r += 100; break; \
	case 12: r ^= n << 3; break; case 13: hits[1] += n; break

SEC("syscall") long route(struct args *a)
{
	u64 r = a->v[0], x = a->v[1], y = a->v[2];

#ifdef LATER
	hits[3] = helper(a->v[5]);
	hits[2] += r;
#endif
	if (mode == 1)
		hits[0]++;
	opaque(x);
	if (x > 11)
		return 1;
	opaque(x);
	switch (x) {
		CASES(3);
	}
#ifdef LATER
	hits[2] += r * 3;
#endif
	switch (y) {
		CASES(4);
	}
	if (mode == 3)
		hits[2] ^= r;
	return r;
}

char _license[] SEC("license") = "GPL";
