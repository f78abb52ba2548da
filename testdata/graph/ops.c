/* BUILD: clang-22 -target bpf -mcpu=v4 -O2 -g -fdebug-compilation-dir=.
 * struct_ops with two members that share a function, and a program with
 * arrays of programs that user space fills. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct tcp_congestion_ops {
	__u32 (*ssthresh)(void *sk);
	void (*cong_avoid)(void *sk, __u32 ack, __u32 acked);
	__u32 (*undo_cwnd)(void *sk);
	char name[16];
};

struct inner {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 4);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} first SEC(".maps"), second SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 4);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} jumps SEC(".maps");

static __attribute__((noinline)) __u32 half(__u32 n) { return n / 2 + 2; }

SEC("struct_ops")
int half_ssthresh(__u64 *ctx) { return half(10); }

SEC("struct_ops")
int half_undo(__u64 *ctx) { return half(20); }

SEC("struct_ops")
int half_avoid(__u64 *ctx) { return 0; }

SEC(".struct_ops")
struct tcp_congestion_ops halves = {
	.ssthresh = (void *)half_ssthresh,
	.undo_cwnd = (void *)half_undo,
	.cong_avoid = (void *)half_avoid,
	.name = "halves",
};

SEC("tc")
int route(struct __sk_buff *skb)
{
	if (skb->mark & 1)
		bpf_tail_call(skb, &first, 2);
	bpf_tail_call(skb, &second, skb->hash & 3);
	bpf_tail_call(skb, &jumps, skb->hash);
	return 0;
}

char _license[] SEC("license") = "GPL";
