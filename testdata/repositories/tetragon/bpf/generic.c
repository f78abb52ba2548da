// In the manner of Tetragon: one source, an object for each generation of kernels.
#include "../../common.h"

struct event {
	u64 op, a, b;
};

#ifdef NEW
#define NAME "kprobe/generic_event_new"
#else
#define NAME "kprobe/generic_event"
#endif

u64 matched;

INLINE int filter(u32 op, u64 a, u64 b)
{
	switch (op) {
	case 1:
		return a == b;
	case 2:
		return a != b;
	case 3:
		return a > b;
	case 4:
		return a < b;
	case 5:
		return (a & b) != 0;
	case 6:
		return (a & b) == b;
	case 7:
		return (a ^ b) == 0;
	case 8:
		return a >= b;
	case 9:
		return a <= b;
	case 10:
		return (long)a > (long)b;
	case 11:
		return (long)a < (long)b;
	case 12:
		return a - b < 16;
	case 13:
		return b - a < 16;
	case 14:
		return a >> 32 == b >> 32;
	case 15:
		return (u32)a == (u32)b;
	}
	return 0;
}

SEC(NAME) int generic(struct event *e)
{
	u32 op = e->op;
	hide(op);
	if (op > LIMIT)
		return 0;
	hide(op);
	if (filter(op, e->a, e->b))
		matched++;
#ifdef NEW
	if (e->b == 7)
		matched += 2;
#endif
	return 0;
}

char _license[] SEC("license") = "GPL";
