// In the manner of a project with a Makefile: a small machine of labels.
#include "../../common.h"

u64 steps;

SEC("xdp") int classify(struct xdp *c)
{
	LABELS next[] = { &&parse, &&count, &&drop, &&pass };
	u32 kind = c->queue;
	hide(kind);
	if (kind > (LIMIT < 3 ? LIMIT : 3))
		return 2;
	hide(kind);
	goto *next[kind];
parse:
	steps += c->ifindex;
	return 2;
count:
	steps++;
	return 2;
drop:
	steps += 2;
	return 1;
pass:
	steps ^= c->ifindex;
	return 3;
}

SEC("xdp") int pass(struct xdp *c)
{
	return c->queue & 3;
}

char _license[] SEC("license") = "GPL";
