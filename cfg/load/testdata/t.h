/* What the sources here need of the kernel's headers. */
typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long u64;
#define SEC(n) __attribute__((section(n), used))
#define NOINLINE __attribute__((noinline))
#define HIDDEN __attribute__((visibility("hidden")))
#define __uint(name, val) int (*name)[val]
#define __type(name, val) typeof(val) *name
struct args { u64 v[4]; };
static void *(*lookup)(void *map, const void *key) = (void *)1;
static long (*loop)(u32 n, void *fn, void *ctx, u64 flags) = (void *)181;
char _license[] SEC("license") = "Dual BSD/GPL";
