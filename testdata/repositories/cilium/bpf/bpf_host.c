// In the manner of Cilium: the datapath of the host. It drops for all reasons.
#include "../../common.h"

u64 seen;

#include "lib/drop.h"

SEC("tc") int from_host(struct skb *skb)
{
	u32 reason = skb->mark;
	hide(reason);
	if (reason > LIMIT)
		return 0;
	hide(reason);
	return cost(reason);
}

char _license[] SEC("license") = "GPL";
