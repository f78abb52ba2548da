/*
 * Global functions with arguments of each kind, a kernel function, variables and a map.
 * clang-22 -O2 -g -target bpf -mcpu=v3 -fno-jump-tables -c global.c -o global.o
 */
typedef unsigned int u32;
typedef unsigned long long u64;
#define SEC(name) __attribute__((section(name), used))
#define NOINLINE __attribute__((noinline))

struct xdp_md {
	u32 data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex;
};

struct pair {
	u64 a, b;
};

struct {
	int (*type)[1];
	u32 *key;
	u64 *value;
	int (*max_entries)[16];
} counts SEC(".maps");

static void *(*lookup)(void *map, const void *key) = (void *)1;
extern int bpf_xdp_metadata_rx_hash(const struct xdp_md *ctx, u32 *hash, u32 *type) __attribute__((section(".ksyms")));

const volatile u32 limit = 7;
u32 seen = 3;

NOINLINE int of_context(struct xdp_md *ctx) {
	return ctx->ingress_ifindex > limit;
}

NOINLINE int of_memory(struct pair *p, u32 n) {
	return p ? p->a + p->b + n : -1;
}

NOINLINE int of_tagged(struct pair *p __attribute__((btf_decl_tag("arg:nonnull")))) {
	return p->a == p->b;
}

static NOINLINE int local(u32 key) {
	u64 *n = lookup(&counts, &key);

	if (n)
		*n += 1;
	return n != 0;
}

SEC("xdp") int entry(struct xdp_md *ctx) {
	struct pair p = {ctx->rx_queue_index, seen};
	u32 hash = 0, type = 0;

	if (bpf_xdp_metadata_rx_hash(ctx, &hash, &type))
		return 1;
	seen = hash;
	return of_context(ctx) + of_memory(&p, type) + of_tagged(&p) + local(hash & 15);
}

char _license[] SEC("license") = "GPL";
