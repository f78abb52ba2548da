// Configuration of every kind: a structure, an array, an enumeration, bit fields, a
// variable of a function; and what is none: a constant without volatile, a variable.

typedef unsigned int u32;
typedef unsigned char u8;
#define SEC(n) __attribute__((section(n), used))

enum mode { OFF, LEARN, BLOCK = 7 };

struct inner {
	short weight;
	u8 flags[4];
};

struct settings {
	u32 limit;
	enum mode mode;
	struct inner in[2];
	union {
		long wide;
		u32 narrow;
	};
	u32 low : 3, high : 5;
};

const volatile struct settings CFG = { .limit = 10, .in = { { -1, { 1, 2, 3, 4 } } } };
const volatile u32 table[3] = { 1, 2, 3 };
static const volatile u8 hidden = 1;
static const u32 folded[4] = { 5, 6, 7, 8 };
u32 counter = 3;

struct ctx {
	u32 data, end, meta, ifindex, queue;
};

SEC("xdp") long each(struct ctx *c)
{
	static const volatile u32 local = 4;
	long r = 0;
	if (CFG.limit > 20)
		r += 1;
	if (CFG.mode == BLOCK)
		r += 2;
	if (CFG.in[1].flags[2] == 9)
		r += 4;
	if (CFG.narrow == 77)
		r += 8;
	if (CFG.high == 21)
		r += 16;
	if (table[1] == 200)
		r += 32;
	if (hidden == 0)
		r += 64;
	if (local == 5)
		r += 128;
	if (CFG.in[0].weight == -5)
		r += 256;
	counter += folded[c->queue & 3];
	return r;
}

char _license[] SEC("license") = "GPL";
