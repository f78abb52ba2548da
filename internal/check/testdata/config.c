// Configuration and copies: what is dead in every configuration and all copies, what is
// dead with the values below, and what only looks so.

typedef unsigned int u32;
typedef unsigned long u64;
#define SEC(n) __attribute__((section(n), used))
#define INLINE static inline __attribute__((always_inline))

static u64 (*const ktime)(void) = (void *)5;
static u32 (*const prandom)(void) = (void *)7;

const volatile _Bool filtering = 0;
const volatile u32 mode = 3;
const volatile u32 base = 4;
u64 seen[32];

struct ctx {
	u32 data, end, meta, ifindex, queue;
};

// A second test of what the first has settled: dead whatever filtering is.
INLINE long lookup(u32 proto)
{
	if (proto != 8 && proto != 0x86dd)
		return -1;
	seen[0] += ktime();
	asm volatile("" : "+r"(proto)); // the compiler forgets what it knew
	if (proto != 8 && proto != 0x86dd) {
		seen[1] += prandom();
		return -2;
	}
	return 0;
}

SEC("xdp") long configured(struct ctx *c)
{
	u32 proto = c->queue;

	if (filtering) {
		if (lookup(proto) < 0)
			seen[2]++;
	}
	return 2;
}

// The cases that happen are the configuration's choice.
SEC("xdp") long chosen(struct ctx *c)
{
	switch (mode) {
	case 1: seen[3] += ktime(); break;
	case 2: seen[4] += c->queue; break;
	case 3: seen[5] += c->ifindex; break;
	case 4: seen[6] += prandom(); break;
	case 5: seen[7] += c->queue * 5; break;
	case 6: seen[8] += c->queue * 3; break;
	case 7: seen[9] ^= c->queue; break;
	case 8: seen[10] -= c->queue; break;
	case 9: seen[11] |= c->queue; break;
	case 10: seen[12] &= c->queue; break;
	case 11: seen[13] *= c->queue; break;
	case 12: seen[14] += 14; break;
	case 13: seen[15] += 15; break;
	case 14: seen[16] ^= 16; break;
	}
	return 2;
}

// The configuration leaves cases 4 to 7, and with them all lines.
SEC("xdp") long shared(struct ctx *c)
{
	switch (base | (c->queue & 3)) {
	case 1: case 5: case 9: case 13: seen[18] += ktime(); break;
	case 2: case 6: case 10: case 14: seen[19] ^= prandom(); break;
	case 3: case 7: case 11: seen[20] += c->ifindex; break;
	case 4: case 8: case 12: seen[21] |= c->ifindex; break;
	}
	return 2;
}

// Dead in the copy of one caller, alive in that of the other.
INLINE void copied(u32 n)
{
	asm volatile("" : "+r"(n));
	if (n > 16)
		seen[17] += ktime() * n;
}

SEC("xdp") long small(struct ctx *c)
{
	copied(c->queue & 15);
	return 2;
}

SEC("xdp") long large(struct ctx *c)
{
	copied(c->queue & 255);
	return 2;
}

char _license[] SEC("license") = "GPL";
