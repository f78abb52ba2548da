/* An exception passes a frame with something to clean up: clang 23 lists the
 * landing pads in .bpf_cleanup.
 */
#include "t.h"
#define __ksym __attribute__((section(".ksyms")))
extern void bpf_throw(u64) __ksym;
extern void put(long) __ksym;
extern long get(void) __ksym;
static inline void drop(long *p) { put(*p); }
NOINLINE static int fails(int x) { if (x > 7) bpf_throw(x); return x * 3; }
SEC("tc") int prog(u32 *ctx)
{
	__attribute__((cleanup(drop))) long r = get();
	int v = fails(ctx[0]);
	if (v & 1) v += fails(ctx[1]);
	return v + r;
}
