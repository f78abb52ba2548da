/* What loaders treat in their own ways: constants that need relocations, a
 * variable for each processor, a static map, a function that is not here.
 */
#include "t.h"
__attribute__((section(".data.rel.ro.k"))) const volatile u64 written = 5;
volatile const u32 mode = 1;
u64 hits SEC(".percpu");
static struct { __uint(type, 1); __type(key, u32); __type(value, u64); __uint(max_entries, 8); } own_map SEC(".maps");
void fill(void *to, int c, u64 n);
SEC("syscall") int relro(struct args *c) { return written == 5 ? 1 : 2; }
SEC("xdp") int rodata(struct args *c) { return mode == 1 ? 2 : 1; }
SEC("xdp") int percpu(struct args *c) { hits++; return 2; }
SEC("tc") int map(struct args *c) { u32 k = 0; u64 *v = lookup(&own_map, &k); return v ? *v : 0; }
SEC("tc") int linked(struct args *c) { struct args a; fill(&a, c->v[0], c->v[1]); return a.v[0] == 3 ? 1 : 2; }
