/* Variables in an arena lie at its end. */
#include "t.h"
struct {
	__uint(type, 33);
	__uint(map_flags, 1024);
	__uint(max_entries, 10);
} arena SEC(".maps");
#define __arena __attribute__((address_space(1)))
u64 __arena first_var SEC(".addr_space.1");
u64 __arena second_var SEC(".addr_space.1");
SEC("syscall") int use(struct args *c)
{
	void *m = &arena;
	asm volatile("" : "+r"(m));
	return first_var + second_var;
}
