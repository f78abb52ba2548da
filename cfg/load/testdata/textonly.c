/* A function for another object to be linked with. */
#include "t.h"
NOINLINE int add(int a, int b, int c) { return a + b * c; }
