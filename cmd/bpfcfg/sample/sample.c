/* The sample of "bpfcfg demo": an XDP program that sorts packets by IP
 * protocol with a switch. clang turns the switch into a jump table and one
 * indirect jump (gotox). Two of the cases share their code, the numbers
 * between them go to the default, and the program has narrowed the range
 * before, so that the end of the table and the compiler's own range check are
 * dead.
 *
 * Build: clang-22 -target bpf -O2 -g -mcpu=v4 -mllvm -bpf-min-jump-table-entries=4
 *        -fdebug-prefix-map="$PWD"=. -c sample.c -o sample.o
 */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

struct xdp_md {
	u32 data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex;
};

enum { DROP = 1, PASS = 2 };

#define SEC(name) __attribute__((section(name), used))
#define barrier() asm volatile("" ::: "memory")

u64 packets[4];

SEC("xdp") int classify(struct xdp_md *ctx)
{
	u8 *data = (u8 *)(u64)ctx->data;
	u8 *end = (u8 *)(u64)ctx->data_end;
	u32 verdict = PASS;

	if (data + 34 > end)
		return DROP;
	if (*(u16 *)(data + 12) != 0x0008)
		return PASS;
	u8 proto = data[23];
	if (proto > 9)
		goto other;
	asm volatile("" : "+r"(proto)); /* the compiler forgets the range, the analysis does not */
	switch (proto) {
	case 1: /* ICMP */
		packets[0]++;
		barrier();
		break;
	case 2: /* IGMP */
		verdict = DROP;
		barrier();
		break;
	case 4: /* IPv4 in IPv4 */
	case 5: /* stream */
		packets[1] += 2;
		barrier();
		break;
	case 6: /* TCP */
		packets[2] += data[33];
		barrier();
		break;
	case 8: /* EGP */
		packets[3] ^= 1;
		barrier();
		break;
	case 12: /* PUP: cannot happen here */
		packets[0] = 0;
		barrier();
		break;
	default:
	other:
		verdict = DROP;
		packets[3]++;
	}
	return verdict;
}

char _license[] SEC("license") = "GPL";
