/* BUILD: clang-22 -target bpf -mcpu=v4 -O2 -g -fdebug-compilation-dir=.
 * A state machine of tail calls that goes round, a callback, an exception callback
 * and a program that replaces a function of another one. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern void bpf_throw(__u64 cookie) __attribute__((section(".ksyms")));

int even(struct __sk_buff *skb);
int odd(struct __sk_buff *skb);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 2);
	__uint(key_size, sizeof(__u32));
	__array(values, int(struct __sk_buff *));
} states SEC(".maps") = {
	.values = { (void *)&even, (void *)&odd },
};

__u64 total;

static long add(__u32 i, void *ctx)
{
	total += i;
	return 0;
}

__attribute__((noinline)) int refuse(__u64 cookie) { return cookie ? 2 : 0; }

static __attribute__((noinline)) int check(__u32 mark)
{
	if (mark > 1000)
		bpf_throw(mark);
	return mark * 3;
}

SEC("tc")
__attribute__((btf_decl_tag("exception_callback:refuse")))
int even(struct __sk_buff *skb)
{
	bpf_loop(16, add, 0, 0);
	if (check(skb->mark) & 1)
		bpf_tail_call(skb, &states, 1);
	return 0;
}

SEC("tc")
int odd(struct __sk_buff *skb)
{
	bpf_tail_call(skb, &states, 0);
	return 1;
}

SEC("freplace/classify")
int classify(struct __sk_buff *skb) { return skb->len & 3; }

char _license[] SEC("license") = "GPL";
