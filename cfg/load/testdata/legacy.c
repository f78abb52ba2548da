/* Maps as they were defined before BTF. */
#include "t.h"
struct bpf_map_def { u32 type, key_size, value_size, max_entries, map_flags; };
struct bpf_map_def SEC("maps") one_map = { 1, 4, 8, 64, 1 };
struct bpf_map_def SEC("maps") two_map = { 2, 4, 16, 3 };
SEC("kprobe/sys_write") int use(void *ctx)
{
	u32 k = 1;
	u64 *v = lookup(&two_map, &k), *w = lookup(&one_map, &k);
	return (v ? *v : 0) + (w ? *w : 0);
}
