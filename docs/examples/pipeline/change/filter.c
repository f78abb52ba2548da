/* An XDP program that counts messages by their kind, the fifteenth byte.
 *
 * Build: see build.sh
 */
typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

struct xdp_md {
	u32 data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex;
};

enum { DROP = 1, PASS = 2 };

#define SEC(name) __attribute__((section(name), used))
/* Keeps the compiler from folding the check into the switch. */
#define barrier_var(var) asm volatile("" : "+r"(var))
#define barrier() asm volatile("" ::: "memory")

u64 count[10];

SEC("xdp") int filter(struct xdp_md *ctx)
{
	u8 *data = (u8 *)(u64)ctx->data;
	u8 *end = (u8 *)(u64)ctx->data_end;
	u32 verdict = PASS;

	if (data + 16 > end)
		return DROP;
	u32 kind = data[14];
	if (kind > 6)
		return DROP;
	barrier_var(kind);
	switch (kind) {
	case 0: /* hello */
		count[0]++;
		barrier();
		break;
	case 1: /* data */
		count[1] += data[15];
		barrier();
		break;
	case 2: /* acknowledgement */
	case 3:
		count[2]++;
		barrier();
		break;
	case 4: /* error */
		count[4]++;
		verdict = DROP;
		barrier();
		break;
	case 5: /* close */
		count[5] |= 1;
		barrier();
		break;
	case 6: /* key exchange */
		count[6] += 2;
		barrier();
		break;
	case 7: /* key exchange, second half */
		count[7] ^= data[15];
		barrier();
		break;
	}
	return verdict;
}

char _license[] SEC("license") = "GPL";
