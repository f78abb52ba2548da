// What the programs of these repositories share: the few types and macros that a BPF
// program needs, so that no header of a kernel does. Two macros make changes of them:
// LIMIT cuts cases of a switch off, REFUSED puts labels where Linux does not look.

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long u64;

#define SEC(n) __attribute__((section(n), used))
#define INLINE static inline __attribute__((always_inline))
#define hide(x) asm volatile("" : "+r"(x)) // from the compiler, not from the verifier

#ifndef LIMIT
#define LIMIT 200
#endif

#ifdef REFUSED
#define LABELS static const void *const
#else
#define LABELS const void *const
#endif

struct xdp {
	u32 data, end, meta, ifindex, queue;
};

struct skb {
	u32 len, pkt_type, mark, queue, protocol;
};
