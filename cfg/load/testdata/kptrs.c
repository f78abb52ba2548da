/* Pointers in values of maps, of which the kernel knows some. Each program loads 8 bytes of a value; only a
 * pointer is both above 5 and at most 3 to the verifier, which then visits the instruction that sets r0 to 7.
 * Linux 7.3.4 visits it in the programs whose name starts with "pointer". */
#include "t.h"
#define KPTR __attribute__((btf_type_tag("kptr_untrusted")))
#define USER __attribute__((btf_type_tag("user")))

struct task_struct {
	int pid;
};
struct number {
	u64 word;
};
struct direct {
	u64 word;
	struct task_struct KPTR *task;
};
struct nested {
	u64 word;
	struct {
		u64 word;
		struct direct two[2];
	} in;
};
struct again {
	struct task_struct KPTR *volatile task;
};
struct behind {
	struct direct *far;
	struct task_struct USER *user;
};
typedef struct task_struct KPTR *task_ptr;
struct named {
	task_ptr task;
};
struct either {
	union {
		struct task_struct KPTR *task;
		u64 word;
	} is;
};

#define MAP(name, member)                      \
	struct {                               \
		__uint(type, 2); /* array */   \
		__uint(max_entries, 1);        \
		__type(key, u32);              \
		member;                        \
	} name SEC(".maps")
#define OUTER(name, inner)                            \
	struct {                                      \
		__uint(type, 12); /* array of maps */ \
		__uint(max_entries, 1);               \
		__type(key, u32);                     \
		struct inner *values[];               \
	} name SEC(".maps")
MAP(number, __type(value, struct number));
MAP(untyped, __uint(value_size, 8));
MAP(behind, __type(value, struct behind));
MAP(direct, __type(value, struct direct));
MAP(nested, __type(value, struct nested));
MAP(again, __type(value, struct again));
MAP(named, __type(value, struct named));
MAP(either, __type(value, struct either));
struct inner_number {
	__uint(type, 2);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct number);
};
struct inner_direct {
	__uint(type, 2);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct direct);
};
OUTER(numbers, inner_number);
OUTER(directs, inner_direct);
u64 none SEC(".bss.none");
struct task_struct KPTR *held SEC(".bss.held");

#define TEST(value, off)                                        \
	asm volatile("r1 = *(u64 *)(%[v] + " #off "); r0 = 0; " \
		     "if r1 s> 5 goto +1; exit; "               \
		     "if r1 s> 3 goto +1; r0 = 7; exit"         \
		     :: [v] "r"(value) : "r0", "r1")
#define PROGRAM(name, map, off)                                 \
	SEC("tc") int name(void *ctx)                           \
	{                                                       \
		u32 key = 0;                                    \
		void *value = lookup(&map, &key);               \
		if (value)                                      \
			TEST(value, off);                       \
		return 0;                                       \
	}
#define INNER(name, map, off)                                   \
	SEC("tc") int name(void *ctx)                           \
	{                                                       \
		u32 key = 0;                                    \
		void *value = lookup(&map, &key);               \
		if (value)                                      \
			value = lookup(value, &key);            \
		if (value)                                      \
			TEST(value, off);                       \
		return 0;                                       \
	}
PROGRAM(number_plain, number, 0)
PROGRAM(number_untyped, untyped, 0)
PROGRAM(number_behind, behind, 0)
PROGRAM(number_user, behind, 8)
PROGRAM(number_beside, direct, 0)
PROGRAM(number_named, named, 0)
PROGRAM(number_either, either, 0)
PROGRAM(pointer_direct, direct, 8)
PROGRAM(pointer_nested, nested, 40)
PROGRAM(pointer_volatile, again, 0)
INNER(number_inner, numbers, 0)
INNER(pointer_inner, directs, 8)

SEC("tc") int number_data(void *ctx)
{
	if (*(u32 *)ctx)
		TEST(&none, 0);
	return 0;
}

SEC("tc") int pointer_data(void *ctx)
{
	if (*(u32 *)ctx)
		TEST(&held, 0);
	return 0;
}
