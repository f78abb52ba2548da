/* BUILD: clang-22 -target bpf -mcpu=v4 -O2 -g -fdebug-compilation-dir=.
 * Tail calls through an array of programs that the loader fills: a dispatcher that
 * jumps to constant places, one by number, and a chain; a place that user space
 * fills; two functions in common; one global function that nothing calls. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

int parse(struct xdp_md *ctx);
int filter(struct xdp_md *ctx);
int count(struct xdp_md *ctx);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 8);
	__uint(key_size, sizeof(__u32));
	__array(values, int(struct xdp_md *));
} stages SEC(".maps") = {
	.values = { [0] = (void *)&parse, [1] = (void *)&filter, [4] = (void *)&count },
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} hits SEC(".maps");

static __attribute__((noinline)) void hit(__u32 key)
{
	__u64 *n = bpf_map_lookup_elem(&hits, &key);

	if (n)
		__sync_fetch_and_add(n, 1);
}

__attribute__((noinline)) int weigh(__u32 size) { return size > 1000 ? 2 : 1; }
__attribute__((noinline)) int forgotten(__u32 size) { return weigh(size) + 1; }

SEC("xdp")
int entry(struct xdp_md *ctx)
{
	__u32 size = ctx->data_end - ctx->data;

	hit(0);
	if (size > 9000)
		bpf_tail_call(ctx, &stages, ctx->rx_queue_index & 7);
	else
		bpf_tail_call(ctx, &stages, 0);
	return XDP_PASS;
}

SEC("xdp")
int parse(struct xdp_md *ctx)
{
	hit(1);
	if (weigh(ctx->data_end - ctx->data) > 1)
		bpf_tail_call(ctx, &stages, 1);
	bpf_tail_call(ctx, &stages, 6);
	return XDP_DROP;
}

SEC("xdp")
int filter(struct xdp_md *ctx)
{
	hit(2);
	bpf_tail_call(ctx, &stages, 4);
	return XDP_ABORTED;
}

SEC("xdp")
int count(struct xdp_md *ctx)
{
	hit(3);
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
