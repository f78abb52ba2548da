/* Data sections and maps of every kind that becomes a map, with variables in
 * them, and tables of functions, one of them in .data.rel.ro.
 */
#include "t.h"

typedef u32 key_t;
struct value { u64 a; u8 b[3]; };
struct {
	__uint(type, 1);
	__uint(max_entries, 100);
	__uint(map_flags, 1);
	__type(key, key_t);
	__type(value, const struct value);
} hash SEC(".maps");
struct {
	__uint(type, 2);
	__uint(max_entries, 8);
	__uint(key_size, 4);
	__uint(value_size, 24);
} array SEC(".maps");
struct inner { __uint(type, 2); __uint(max_entries, 1); __type(key, u32); __type(value, u64); } inner_map SEC(".maps");
struct {
	__uint(type, 12);
	__uint(max_entries, 2);
	__type(key, u32);
	__type(value, u32);
	__attribute__((aligned(8))) struct inner *values[];
} outer SEC(".maps") = { .values = { &inner_map } };

const volatile u64 limit = 5;
volatile const u32 mode SEC(".rodata.conf") = 9;
volatile u64 counter = 3, zeroed;
static volatile u64 hidden_counter[4];
volatile u64 custom SEC(".data.custom") = 77;
volatile u64 big_zero[64] SEC(".bss.big");

typedef u64 (*fn)(u64);
static NOINLINE u64 one(u64 x) { return x + 1; }
static NOINLINE u64 two(u64 x) { return one(x) * 2; }
static NOINLINE u64 three(u64 x) { return x ^ 3; }
NOINLINE u64 never(u64 x) { return x - 4; }
static const fn tab[] SEC(".data.rel.ro") = { two, three, two };
static fn writable[] = { three };

SEC("tc/ingress") int use(void *skb)
{
	u32 k = 0;
	struct value *v = lookup(&hash, &k);
	u64 *w = lookup(&array, &k);
	void *m = lookup(&outer, &k);
	u64 s = limit + mode + counter + zeroed + custom + hidden_counter[3] + big_zero[11];
	if (v) s += v->b[1];
	if (w) s += *w;
	if (m) { w = lookup(m, &k); if (w) s += *w; }
	counter = s;
	hidden_counter[1] = s;
	return s;
}

SEC("xdp.frags") int call(struct args *a)
{
	u64 i = a->v[0];
	asm volatile("" : "+r"(i));
	return tab[i % 3](a->v[1]) + one(i);
}

SEC("xdp/cpumap") int store(struct args *a)
{
	writable[0] = a->v[0] ? two : three;
	return 0;
}
