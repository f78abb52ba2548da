// Stands for what a Rust project ships: an object without C lines.
#include "../common.h"

u64 packets;

SEC("xdp") int probe(struct xdp *c)
{
	u32 kind = c->queue;
	hide(kind);
	if (kind > LIMIT)
		return 2;
	hide(kind);
	switch (kind) {
	case 0: packets += 1; return 1;
	case 1: packets += 2; return 2;
	case 2: packets += 3; return 1;
	case 3: packets ^= 4; return 2;
	case 4: packets += 5; return 1;
	case 5: packets ^= 6; return 2;
	case 6: packets += 7; return 1;
	case 7: packets ^= 8; return 2;
	case 8: packets += 9; return 1;
	case 9: packets ^= 10; return 2;
	case 10: packets += 11; return 1;
	case 11: packets ^= 12; return 2;
	case 12: packets += 13; return 1;
	case 13: packets ^= 14; return 2;
	}
	return 2;
}

char _license[] SEC("license") = "GPL";
