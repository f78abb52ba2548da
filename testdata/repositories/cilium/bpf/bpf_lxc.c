// In the manner of Cilium: the datapath of a container. It drops for few reasons.
#include "../../common.h"

u64 seen;

#include "lib/drop.h"

SEC("tc") int from_container(struct skb *skb)
{
	u32 reason = skb->mark;
	hide(reason);
	if (reason > 5)
		return 0;
	hide(reason);
	return cost(reason);
}

char _license[] SEC("license") = "GPL";
