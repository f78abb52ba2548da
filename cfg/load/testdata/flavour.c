/* A kernel function under three flavours, of which one has the prototype of a
 * kernel whose bpf_task_acquire takes one argument, and a name that is nowhere.
 */
#include "t.h"
#define __ksym __attribute__((section(".ksyms")))
#define __weak __attribute__((weak))

struct task_struct { int pid; };
extern struct task_struct *bpf_task_acquire___void(struct task_struct *p, void *more) __ksym __weak;
extern struct task_struct *bpf_task_acquire___one(struct task_struct *p) __ksym __weak;
extern struct task_struct *bpf_task_gain___one(struct task_struct *p) __ksym __weak;
extern void bpf_task_release(struct task_struct *p) __ksym;

SEC("tp_btf/sched_switch") int flavour(struct args *ctx)
{
	struct task_struct *p = (void *)ctx->v[1], *t = 0;

	if (bpf_task_acquire___void)
		t = bpf_task_acquire___void(p, p);
	else if (bpf_task_gain___one)
		t = bpf_task_gain___one(p);
	else if (bpf_task_acquire___one)
		t = bpf_task_acquire___one(p);
	if (t)
		bpf_task_release(t);
	return 0;
}
