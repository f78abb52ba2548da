/* One good program between two that cannot be linked. */
#include "t.h"
u64 not_here(u64 x);
extern u64 not_there;
SEC("xdp") int bad_call(struct args *c) { return not_here(c->v[0]); }
SEC("xdp") int good(struct args *c) { return 1; }
SEC("xdp") int bad_data(struct args *c) { return not_there; }
SEC("xdp") int bad_license(struct args *c) { return *(volatile u8 *)&_license[c->v[0]]; }
