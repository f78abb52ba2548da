/* The second of two objects for the static linker: see linked.o in README. */
#define _license _license_b
#include "t.h"
SEC("syscall") int b(struct args *c)
{
	u64 x = c->v[1];
	switch (x) {
#define C(n) case n: asm volatile("%0 ^= " #n : "+r"(x)); break;
	C(0) C(1) C(2) C(3) C(4) C(5) C(6) C(7) C(8) C(9) C(10) C(11) C(12) C(13) C(14)
	}
	return x;
}
