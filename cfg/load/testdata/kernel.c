/* References to the kernel: configuration values, variables by type and by
 * address, kernel functions, and fields that move.
 */
#include "t.h"
#define __ksym __attribute__((section(".ksyms")))
#define __kconfig __attribute__((section(".kconfig")))
#define __weak __attribute__((weak))

extern u32 CONFIG_HZ __kconfig __weak;
extern _Bool CONFIG_SMP __kconfig __weak;
extern u8 CONFIG_DEFAULT_HOSTNAME[16] __kconfig __weak;
extern u64 CONFIG_ILLEGAL_POINTER_VALUE __kconfig __weak;
extern u32 LINUX_KERNEL_VERSION __kconfig;
struct rq;
extern const int cpu_number __ksym __weak;
extern const void no_such_symbol __ksym __weak;

struct task_struct { int pid; struct { long a; } anon; } __attribute__((preserve_access_index));
enum kind { KIND_A = 4, KIND_B };
extern struct task_struct *bpf_task_acquire(struct task_struct *p) __ksym;
extern void bpf_task_release(struct task_struct *p) __ksym;
extern void no_such_function(void) __ksym __weak;

SEC("tp_btf/sched_switch") int types(struct args *ctx)
{
	struct task_struct *t = bpf_task_acquire((void *)ctx->v[1]);
	int pid = 0;
	if (t) {
		pid = t->pid;
		bpf_task_release(t);
	}
	if (no_such_function)
		no_such_function();
	return pid + __builtin_preserve_enum_value(*(enum kind *)KIND_B, 1) +
		__builtin_preserve_type_info(*(struct task_struct *)0, 0);
}

SEC("raw_tp") int values(struct args *ctx)
{
	u64 s = CONFIG_HZ + CONFIG_SMP + CONFIG_ILLEGAL_POINTER_VALUE + CONFIG_DEFAULT_HOSTNAME[2] + LINUX_KERNEL_VERSION;
	if (&no_such_symbol) s += 1;
	if (&cpu_number) s += 2;
	return s;
}

SEC("raw_tp") int again(struct args *ctx) { return CONFIG_SMP; }
