/* Numbers that the loader writes by the running kernel's types decide where
 * control goes: whether a field or a type exists, sizes, places, values of enums.
 */
#include "t.h"
#define MOVES __attribute__((preserve_access_index))
struct task_struct { int pid; int gone; long state; } MOVES;
struct never___x { int z; } MOVES;
enum funcs { FUNC_LOOP = 181 };
#define place_of(f) __builtin_preserve_field_info(f, 0)
#define size_of(f) __builtin_preserve_field_info(f, 1)
#define has(f) __builtin_preserve_field_info(f, 2)
#define has_type(t) __builtin_preserve_type_info(*(t *)0, 0)
#define value_of(t, v) __builtin_preserve_enum_value(*(t *)v, 1)
static u64 (*now)(void) = (void *)5;
static u32 (*dice)(void) = (void *)7;

SEC("raw_tp/x") int field(struct args *c)
{
	struct task_struct *t = (void *)c->v[0];
	return has(t->gone) ? now() : dice();
}

SEC("raw_tp/x") int type(struct args *c) { return has_type(struct never___x) ? now() : dice(); }

SEC("raw_tp/x") int size(struct args *c)
{
	struct task_struct *t = (void *)c->v[0];
	return size_of(t->state) == 8 ? now() : dice();
}

SEC("raw_tp/x") int place(struct args *c)
{
	struct task_struct *t = (void *)c->v[0];
	return place_of(t->state) > 64 ? now() : dice();
}

SEC("raw_tp/x") int value(struct args *c) { return value_of(enum funcs, FUNC_LOOP) == 181 ? now() : dice(); }

/* The kernel's structure on the stack: where the fields are, nobody knows yet. */
SEC("raw_tp/x") int stack(struct args *c)
{
	volatile struct task_struct t;
	volatile long one = 1;
	t.pid = 1;
	t.state = 2;
	return one == 1 && t.pid == 1 ? now() : dice();
}

SEC("raw_tp/x") int jump(struct args *c)
{
	struct task_struct *t = (void *)c->v[0];
	switch (size_of(t->state)) {
	case 0: return now();
	case 1: return dice() + 1;
	case 2: return now() * 3;
	case 3: return dice() * 5;
	case 4: return now() ^ 9;
	case 5: return dice() | 5;
	case 6: return now() - 4;
	case 7: return dice() & 77;
	case 8: return now() + 33;
	case 9: return dice() * 34;
	case 10: return now() | 3;
	case 11: return dice() ^ 21;
	case 12: return now() + 34;
	case 13: return dice() - 55;
	}
	return 0;
}
