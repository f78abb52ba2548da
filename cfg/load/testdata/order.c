/* Which functions a program gets, and in which order: calls, callbacks and
 * addresses of functions, depth first; several programs in a section, functions
 * in .text in another order than they are called in, jump tables in both.
 */
#include "t.h"

static NOINLINE u64 leaf(u64 x) { asm volatile("" : "+r"(x)); return x * 7; }
static NOINLINE u64 unused_by_all(u64 x) { return leaf(x) + 1; }
NOINLINE u64 keep(u64 x) { return unused_by_all(x); }

static NOINLINE u64 table(u64 x)
{
	switch (x) {
#define C(n) case n: asm volatile("%0 += " #n : "+r"(x)); return leaf(x);
	C(0) C(1) C(2) C(3) C(4) C(5) C(6) C(7) C(8) C(9) C(10) C(11) C(12) C(13)
	}
	return 0;
}

static long callback(u32 i, void *ctx) { *(u64 *)ctx += table(i); return 0; }
__attribute__((weak)) NOINLINE u64 weak_fn(u64 x) { return leaf(x) - 3; }
HIDDEN NOINLINE u64 hidden_fn(u64 x) { return weak_fn(x) - 5; }
NOINLINE int global_fn(struct args *a, u32 n) { if (!a) return 0; return n + hidden_fn(a->v[0]); }
enum letter { E };
NOINLINE int tagged_fn(struct args *a __attribute__((btf_decl_tag("arg:nonnull"))),
		       void *ctx __attribute__((btf_decl_tag("arg:ctx"))), enum letter e)
{ return a->v[1] + e; }

SEC("syscall") int first(struct args *a)
{
	u64 sum = hidden_fn(a->v[2]);
	loop(4, callback, &sum, 0);
	return sum + leaf(a->v[0]) + global_fn(a, 3);
}

SEC("syscall") int second(struct args *a)
{
	return tagged_fn(a, a, 0) + global_fn(a, 9);
}

SEC("socket") int third(void *skb) { return 7; }

SEC("?fentry.s/bpf_fentry_test1") int fourth(void *ctx)
{
	u64 sum = 0;
	loop(9, callback, &sum, 0);
	return table(sum);
}
