/* Functions without a section name: all in .text. */
#include "t.h"
static NOINLINE u64 inner(u64 x) { return x * 5; }
NOINLINE u64 outer(u64 x) { return inner(x) + 1; }
NOINLINE u64 outermost(u64 x) { return outer(x) + inner(x); }
