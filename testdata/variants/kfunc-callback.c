// Callbacks of a kernel function, bpf_wq_set_callback: r1 is the map, r2 the key and r3
// the value, and nothing else is set. Each body below is a callback of its own.
//
// clang-22 -target bpf -mcpu=v4 -O2 -g -c kfunc-callback.c && llvm-strip -g kfunc-callback.o
typedef unsigned int u32;
typedef unsigned long long u64;
#define SEC(name) __attribute__((section(name), used))
#define KFUNC __attribute__((weak, section(".ksyms")))
static void *(*const map_lookup)(void *map, const void *key) = (void *)1;

struct bpf_wq { u64 __opaque[2]; } __attribute__((aligned(8)));
struct elem { u32 n, m; struct bpf_wq w; };
struct {
	int (*type)[2];
	int (*max_entries)[2];
	int *key;
	struct elem *value;
} wqs SEC(".maps");

extern int bpf_wq_init(struct bpf_wq *wq, void *p__map, unsigned int flags) KFUNC;
extern int bpf_wq_set_callback(struct bpf_wq *wq, int(cb)(void *map, int *key, void *value), unsigned int flags) KFUNC;

#define VARIANT(num, body) \
	static __attribute__((naked)) int callback##num(void *map, int *key, void *value) \
	{ \
		asm volatile(body ::: "memory"); \
	} \
	SEC("tc") int n##num(void *ctx) \
	{ \
		int k = 0; \
		struct elem *e = map_lookup(&wqs, &k); \
		if (!e || bpf_wq_init(&e->w, &wqs, 0)) \
			return 1; \
		return bpf_wq_set_callback(&e->w, callback##num, 0); \
	}

// Uses of what is set.
VARIANT(00, "r0 = 0; exit;")
VARIANT(01, "r0 = *(u32 *)(r2 + 0); r0 = 0; exit;")
VARIANT(02, "r0 = *(u32 *)(r3 + 0); r0 = 0; exit;")
VARIANT(03, "r4 = 7; *(u32 *)(r3 + 4) = r4; r0 = 0; exit;")
VARIANT(04, "r6 = r1; r7 = r2; r8 = r3; r0 = 0; exit;")
VARIANT(05, "r4 = *(u32 *)(r3 + 0); r4 += 1; *(u32 *)(r3 + 0) = r4; r0 = 0; exit;")
VARIANT(06, "r4 = *(u32 *)(r2 + 0); if r4 == 1 goto +1; r4 = 2; r0 = 0; exit;")
VARIANT(07, "call 5; r0 = 0; exit;")
VARIANT(08, "r6 = r3; call 7; *(u32 *)(r6 + 0) = r0; r0 = 0; exit;")
VARIANT(09, "*(u64 *)(r10 - 8) = r3; r5 = *(u64 *)(r10 - 8); r4 = *(u32 *)(r5 + 0); r0 = 0; exit;")
// Registers that are not set.
VARIANT(10, "r0 = r4; exit;")
VARIANT(11, "r0 = r5; exit;")
VARIANT(12, "r0 = r0; exit;")
VARIANT(13, "r6 = r9; r0 = 0; exit;")
VARIANT(14, "if r6 == 0 goto +0; r0 = 0; exit;")
VARIANT(15, "exit;")
VARIANT(16, "r4 = *(u32 *)(r3 + 0); if r4 == 3 goto +2; r0 = 0; exit; r0 = r5; exit;")
VARIANT(17, "r4 = *(u32 *)(r2 + 0); if r4 > 8 goto +1; r0 = 0; exit;")
VARIANT(18, "call 7; r0 = r1; exit;")
VARIANT(19, "call 5; r6 = r3; r0 = 0; exit;")
VARIANT(20, "*(u64 *)(r10 - 8) = r7; r0 = 0; exit;")
VARIANT(21, "r3 += r8; r0 = 0; exit;")
// What is returned is to be a number.
VARIANT(22, "r0 = r10; exit;")
VARIANT(23, "r0 = r3; exit;")
VARIANT(24, "r0 = r2; exit;")
// Loops and dead code.
VARIANT(25, "r6 = 0; 1: r6 += 1; if r6 < 9 goto 1b; r0 = 0; exit;")
VARIANT(26, "1: goto 1b; exit;")
VARIANT(27, "r6 = 4; if r6 == 4 goto +1; r0 = r9; r0 = 0; exit;")
VARIANT(28, "r6 = 4; if r6 != 4 goto +1; r0 = 0; exit; r0 = r9; exit;")
VARIANT(29, "r6 = 8; 1: call 5; r6 -= 1; if r6 != 0 goto 1b; r0 = r6; exit;")

char _license[] SEC("license") = "GPL";
