// Guards in functions that replace one of another program: of this object's first. What they are passed may be anything. What the
// verifier says of each is compared with our verdict; no expectation is written here.
#include "guards.bpf.h"

__noinline int replaced_number(int x) { asm volatile("" : "+r"(x)); return x; }
__noinline int replaced_context(struct xdp_md *ctx) { int x = ctx->ingress_ifindex; asm volatile("" : "+r"(x)); return x; }
SEC("xdp") int replaced(struct xdp_md *ctx) { return replaced_number(3) + replaced_context(ctx) > 4 ? 2 : 1; }
static __noinline int replaces_static(int really) { if (really) return use(GONE()); return 0; }
SEC("freplace/replaced_number") int replaces_no(int x) { if (HAS_GONE) return use(GONE()); return x; }
SEC("freplace/replaced_number") int replaces_yes(int x) { return use(GONE()) + x; }
SEC("freplace/replaced_number") int replaces_wrong(int x) { if (HAS_PID) return use(GONE()); return x; }
SEC("freplace/replaced_number") int replaces_argument(int x) { if (x == 3) return use(GONE()); return x; }
SEC("freplace/replaced_number") int replaces_argument_other(int x) { if (x == 4) return use(GONE()); return x; }
SEC("freplace/replaced_number") int replaces_argument_guarded(int x) { if (x == 4 && HAS_GONE) return use(GONE()); return x; }
SEC("freplace/replaced_number") int replaces_argument_never(int x) { if (x > 5 && x < 3) return use(GONE()); return x; }
SEC("freplace/replaced_number") int replaces_calls(int x) { return replaces_static(HAS_GONE); }
SEC("freplace/replaced_number") int replaces_calls_wrong(int x) { return replaces_static(x); }
SEC("freplace/replaced_context") int replaces_context(struct xdp_md *ctx) { if (HAS_GONE) return use(GONE()); return ctx->ingress_ifindex > 3; }
SEC("freplace/replaced_context") int replaces_context_null(struct xdp_md *ctx) { if (!ctx) return use(GONE()); return 0; }
SEC("freplace/replaced_context") int replaces_context_field(struct xdp_md *ctx) { if (ctx->ingress_ifindex == 3) return use(GONE()); return 0; }
