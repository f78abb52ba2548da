// A program as teams have them: features that a loader switches with constants
// of .rodata, a function for each, a helper call in one of them.

typedef unsigned int u32;
typedef unsigned long u64;
#define SEC(n) __attribute__((section(n), used))
#define NOINLINE __attribute__((noinline))

static long (*const trace)(const char *fmt, u32 size, ...) = (void *)6;
static u64 (*const ktime)(void) = (void *)5;

const volatile _Bool enable_ipv6 = 1;
const volatile u32 limit = 1000;
const volatile long bias = -1;
u64 seen;

struct ctx {
	u32 data, end, meta, ifindex, queue;
};

static NOINLINE long handle_ipv4(struct ctx *c)
{
	return c->ifindex > limit ? 1 : 2;
}

static NOINLINE long handle_ipv6(struct ctx *c)
{
	static const char fmt[] = "ipv6 on %d";
	trace(fmt, sizeof(fmt), c->ifindex);
	return ktime() + bias;
}

SEC("xdp") long filter(struct ctx *c)
{
	seen++;
	if (c->queue == 6 && enable_ipv6)
		return handle_ipv6(c);
	return handle_ipv4(c);
}

SEC("xdp") long count(struct ctx *c)
{
	return ++seen & 1;
}

char _license[] SEC("license") = "GPL";
