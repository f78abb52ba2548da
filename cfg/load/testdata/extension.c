/* Programs that replace functions of another one take their arguments. */
#include "t.h"
struct __sk_buff { u32 len, pkt_type; };
SEC("freplace/value") int value(struct __sk_buff *s, int v, int w) { return w == 3 ? v + 1 : v * s->len; }
SEC("freplace/single") int single(int v) { return v + 1; }
