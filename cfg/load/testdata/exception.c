/* An exception callback is joined to its program though nothing calls it. */
#include "t.h"
extern void bpf_throw(u64 cookie) __attribute__((section(".ksyms"))) __attribute__((weak));
struct __sk_buff;
NOINLINE u64 helper_fn(u64 x) { return x * 3; }
NOINLINE int on_throw(u64 cookie) { return helper_fn(cookie) + 1; }
__attribute__((btf_decl_tag("exception_callback:on_throw")))
SEC("tc") int thrower(struct __sk_buff *skb) { bpf_throw(4); return 0; }
SEC("tc") int plain(struct __sk_buff *skb) { return helper_fn(8); }
