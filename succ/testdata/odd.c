/* Labels where no kernel looks for jump tables: in structures, in data, as
 * differences, alone. Each label returns its own number, which is how the test
 * tells where a jump leads.
 *
 * clang-22 --target=bpf -O2 -mcpu=v4 -g -fdebug-compilation-dir=. -c odd.c -o odd.o
 */
#include "../../testdata/corpus/mini.h"
struct trip { const void *to; u64 a, b; };
SEC("syscall") int strided(struct args *a)
{
	static const struct trip tab[] = { { &&x, 1, 2 }, { &&y, 3, 4 }, { &&z, 5, 6 } };
	u64 i = a->v[0];
	if (i >= 3) return -1;
	a->v[1] = tab[i].b;
	goto *tab[i].to;
x: barrier(); return 1;
y: barrier(); return 2;
z: barrier(); return 3;
}
SEC("syscall") int single(struct args *a)
{
	const void *p = a->v[0] ? &&one : &&two;
	opaque(p);
	goto *p;
one: barrier(); return 1;
two: barrier(); return 2;
}
SEC("syscall") int diff(struct args *a)
{
	static const int tab[] = { &&p - &&p, &&q - &&p, &&r - &&p };
	u64 i = a->v[0];
	if (i >= 3) return -1;
	goto *(&&p + tab[i]);
p: barrier(); return 1;
q: barrier(); return 2;
r: barrier(); return 3;
}
SEC("syscall") int constdiff(struct args *a)
{
	static const int tab[] = { &&p - &&p, &&q - &&p };
	goto *(&&p + tab[1]);
p: barrier(); return 1;
q: barrier(); return 2;
}
SEC("syscall") int frozen_data(struct args *a)
{
	static void *tab[] = { &&p, &&q };
	u64 i = a->v[0] & 1;
	barrier();
	goto *tab[i];
p: barrier(); return 1;
q: barrier(); return 2;
}
SEC("syscall") int two_in_struct(struct args *a)
{
	static const struct { const void *yes, *no; u32 k; } tab[] = { { &&p, &&q, 1 }, { &&q, &&r, 2 } };
	u64 i = a->v[0] & 1;
	if (a->v[1] == tab[i].k)
		goto *tab[i].yes;
	goto *tab[i].no;
p: barrier(); return 1;
q: barrier(); return 2;
r: barrier(); return 3;
}
LICENSE;
