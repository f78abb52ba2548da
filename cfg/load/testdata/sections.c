/* What libbpf refuses, though it is clear: a static function in a program's
 * section, a call to a function in a section of its own, a static map, a static
 * function as a program.
 */
#include "t.h"
SEC("xdp") static NOINLINE u64 beside(u64 x) { return x * 5; }
SEC("other") NOINLINE u64 elsewhere(u64 x) { return x * 9; }
static struct { __uint(type, 2); __uint(max_entries, 1); __type(key, u32); __type(value, u32); } a SEC(".maps"), b SEC(".maps");
SEC("xdp") int prog(struct args *c)
{
	u32 k = 0;
	lookup(&a, &k);
	lookup(&b, &k);
	return beside(c->v[0]) + elsewhere(c->v[1]);
}
SEC("2/1") static int tail(struct args *c) { return 4; }
