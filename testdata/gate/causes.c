// A program that is built with other constants, another map and as another type of
// program: golden layouts name each.
//
//	clang-22 -target bpf -O2 -g -mcpu=v4 -fdebug-compilation-dir=. [-DENABLE=1] [-DENTRIES=8]
//		[-DSECTION=tc] -c causes.c -o causes.o
#ifndef ENABLE
#define ENABLE 0
#endif
#ifndef ENTRIES
#define ENTRIES 4
#endif
#ifndef SECTION
#define SECTION xdp
#endif
#define TEXT(x) #x
#define NAME(x) TEXT(x)
#define SEC(n) __attribute__((section(n), used))

typedef unsigned int u32;
typedef unsigned long long u64;

static void *(*const lookup)(void *map, const void *key) = (void *)1;

const volatile u32 enable = ENABLE;
struct {
	int (*type)[2]; // array
	int (*max_entries)[ENTRIES];
	u32 *key;
	u64 *value;
} counts SEC(".maps");

SEC(NAME(SECTION)) int count(void *ctx)
{
	u32 key = 1;

	if (enable) {
		u64 *v = lookup(&counts, &key);

		if (v)
			return *v & 3;
		return 1;
	}
	return 2;
}

char _license[] SEC("license") = "GPL";
