// Guards that compare what a helper or a load of packet bytes brought: the verifier knows nothing of it, and follows both ways. What
// the verifier says of each is compared with our verdict; no expectation is written here.
#include "guards.bpf.h"

#define READ(value) bpf_probe_read_kernel((void *)&(value), sizeof(value), (void *)bpf_get_current_task())
#define KEEP(value) asm volatile("" : "+r"(value))

PROGRAM(read_eight) { __u64 v; READ(v); if (!v) return 0; return use(GONE()); }
PROGRAM(read_four) { __u32 v = 0; READ(v); if (v != 7) return 0; return use(GONE()); }
PROGRAM(read_two) { __u16 v = 0; READ(v); if (v != 2) return 0; return use(GONE()); }
PROGRAM(read_one) { __u8 v; READ(v); if (v != 6 && v != 17) return 0; return use(GONE()); }
PROGRAM(read_one_of_eight) { __u64 v = 5; bpf_probe_read_kernel(&v, 1, (void *)bpf_get_current_task()); if (v == 5) return 0; return use(GONE()); }
PROGRAM(read_other_half) { volatile __u32 v[2] = { 5, 5 }; bpf_probe_read_kernel((void *)&v[1], 4, (void *)bpf_get_current_task()); if (v[0] == 5) return 0; return use(GONE()); }
PROGRAM(read_other_byte_of_zero) { volatile __u8 v[8] __attribute__((aligned(8))) = { 0 }; bpf_probe_read_kernel((void *)&v[3], 1, (void *)bpf_get_current_task()); if (v[2]) use(GONE()); return 0; }
PROGRAM(read_byte_of_zero) { volatile __u8 v[8] __attribute__((aligned(8))) = { 0 }; bpf_probe_read_kernel((void *)&v[3], 1, (void *)bpf_get_current_task()); if (v[3]) use(GONE()); return 0; }
PROGRAM(read_beside) { volatile __u64 has = HAS_GONE; __u64 v; READ(v); if (has && v) use(GONE()); return 0; }
PROGRAM(read_over_guard) { volatile __u64 has = HAS_GONE; READ(has); if (has) use(GONE()); return 0; }
PROGRAM(read_over_half_of_guard) { volatile __u64 has = HAS_GONE; bpf_probe_read_kernel((void *)&has, 4, (void *)bpf_get_current_task()); if (has) use(GONE()); return 0; }
PROGRAM(read_over_other_half_of_guard) { volatile __u32 has[2] __attribute__((aligned(8))) = { HAS_GONE, HAS_GONE }; bpf_probe_read_kernel((void *)&has[1], 4, (void *)bpf_get_current_task()); if (has[0]) use(GONE()); return 0; }
PROGRAM(read_nothing) { volatile __u64 has = HAS_GONE; bpf_probe_read_kernel((void *)&has, 0, (void *)bpf_get_current_task()); if (has) use(GONE()); return 0; }
PROGRAM(read_much) { char v[40]; READ(v); if (v[17] == 'x') use(GONE()); return 0; }
PROGRAM(read_across) { volatile __u64 v[3] = { 1, HAS_GONE, 3 }; bpf_probe_read_kernel((void *)&v[0] + 4, 8, (void *)bpf_get_current_task()); if (v[1]) use(GONE()); if (v[2] == 4) use(GONE()); return 0; }
PROGRAM(read_some) { volatile __u64 has = HAS_GONE; __u32 n = bpf_get_prandom_u32() & 7; bpf_probe_read_kernel((void *)&has, n, (void *)bpf_get_current_task()); if (has) use(GONE()); return 0; }
PROGRAM(read_string) { char v[16]; bpf_probe_read_kernel_str(v, sizeof(v), (void *)bpf_get_current_task()); if (v[0] != 'b') return 0; return use(GONE()); }
PROGRAM(read_old) { __u64 v; bpf_probe_read(&v, sizeof(v), (void *)bpf_get_current_task()); if (v) use(GONE()); return 0; }
PROGRAM(read_user) { __u64 v; bpf_probe_read_user(&v, sizeof(v), (void *)8); if (v) use(GONE()); return 0; }
PROGRAM(read_user_string) { char v[8]; bpf_probe_read_user_str(&v, sizeof(v), (void *)8); if (v[1]) use(GONE()); return 0; }
PROGRAM(read_name) { char v[16]; bpf_get_current_comm(v, sizeof(v)); if (v[0] == 'b' && v[1] == 'a') use(GONE()); return 0; }
PROGRAM(read_guarded) { __u64 v; READ(v); if (v && HAS_GONE) use(GONE()); return 0; }
PROGRAM(read_then_set) { volatile __u64 v; READ(v); v = HAS_GONE; if (v) use(GONE()); return 0; }
PROGRAM(read_twice) { volatile __u16 v; READ(v); __u16 a = v; READ(v); if (a == v) use(GONE()); return 0; }
PROGRAM(read_twice_of_one) { __u64 v; READ(v); if (v > 5) { KEEP(v); if (v < 3) use(GONE()); } return 0; }
PROGRAM(read_no_byte) { __u8 v; READ(v); if (v > 255) use(GONE()); return 0; }

static __noinline int fills(__u64 *v) { READ(*v); return 0; }
static __noinline int fills_beside(__u32 *v) { READ(*v); return 0; }
PROGRAM(read_in_static) { __u64 v = HAS_GONE; fills(&v); if (v) use(GONE()); return 0; }
PROGRAM(read_in_static_beside) { __u32 v[2] = { HAS_GONE, 1 }; fills_beside(&v[1]); if (v[0]) use(GONE()); return 0; }

static int loop_reads(__u32 i, __u64 *v) { READ(*v); return 0; }
PROGRAM(read_in_loop) { __u64 v = HAS_GONE; for (int i = 0; i < 4; i++) READ(v); if (v) use(GONE()); return 0; }

#define TC(name) SEC("tc") int name(struct __sk_buff *skb)
TC(bytes) { __u16 v; if (bpf_skb_load_bytes(skb, 12, &v, sizeof(v)) < 0) return 0; if (v != 8) return 0; return use(GONE()); }
TC(bytes_guarded) { __u16 v; bpf_skb_load_bytes(skb, 12, &v, sizeof(v)); if (v == 8 && HAS_GONE) use(GONE()); return 0; }
TC(bytes_beside) { volatile __u64 has = HAS_GONE; __u64 v; bpf_skb_load_bytes(skb, 0, &v, sizeof(v)); if (has && v) use(GONE()); return 0; }

unsigned long long load_byte(void *skb, unsigned long long off) asm("llvm.bpf.load.byte");
unsigned long long load_half(void *skb, unsigned long long off) asm("llvm.bpf.load.half");
unsigned long long load_word(void *skb, unsigned long long off) asm("llvm.bpf.load.word");
#define SOCKET(name) SEC("socket") int name(struct __sk_buff *skb)
SOCKET(packet_byte) { if (load_byte(skb, 23) != 6) return 0; return use(GONE()); }
SOCKET(packet_half) { if (load_half(skb, 12) == 0x800) use(GONE()); return 0; }
SOCKET(packet_word) { if (load_word(skb, 26)) use(GONE()); return 0; }
SOCKET(packet_indirect) { __u32 at = bpf_get_prandom_u32() & 15; if (load_byte(skb, at) == 1) use(GONE()); return 0; }
SOCKET(packet_guarded) { if (load_half(skb, 12) == 0x800 && HAS_GONE) use(GONE()); return 0; }
SOCKET(packet_no_byte) { if (load_byte(skb, 1) > 255) use(GONE()); return 0; }
SOCKET(packet_no_half) { unsigned long long v = load_half(skb, 1); KEEP(v); if (v > 0xffffffff) use(GONE()); return 0; }

struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1); __type(key, __u32); __type(value, __u64); } one SEC(".maps");
#define LOOK_UP(key) bpf_map_lookup_elem(&one, (void *)&(key))
PROGRAM(read_after_key) { volatile __u32 v = 0; if (!LOOK_UP(v)) return 0; READ(v); if (v & 4) use(GONE()); return 0; }
PROGRAM(read_after_key_clear) { volatile __u32 v = 0; if (!LOOK_UP(v)) return 0; READ(v); if (v & 4) return 0; return use(GONE()); }
PROGRAM(set_after_key) { volatile __u32 v = 0; if (!LOOK_UP(v)) return 0; v = bpf_get_prandom_u32(); if (v == 7) use(GONE()); return 0; }
PROGRAM(set_guard_after_key) { volatile __u32 v = 0; if (!LOOK_UP(v)) return 0; v = HAS_GONE; if (v) use(GONE()); return 0; }

#define ANY(v) v = bpf_get_prandom_u32(); KEEP(v)
PROGRAM(mask) { __u64 v; ANY(v); v &= 12; KEEP(v); if (v == 8) use(GONE()); return 0; }
PROGRAM(mask_never) { __u64 v; ANY(v); v &= 12; KEEP(v); if (v == 5) use(GONE()); return 0; }
PROGRAM(mask_beyond) { __u64 v; ANY(v); v &= 12; KEEP(v); if (v > 12) use(GONE()); return 0; }
PROGRAM(mask_between) { __u64 v; ANY(v); v &= 12; KEEP(v); if (v > 4) { KEEP(v); if (v < 8) use(GONE()); } return 0; }
PROGRAM(mask_signed) { __s64 v; ANY(v); v &= 12; KEEP(v); if (v < 0) use(GONE()); return 0; }
PROGRAM(mask_bit) { __u64 v; ANY(v); v &= 12; KEEP(v); if (v & 8) use(GONE()); return 0; }
PROGRAM(mask_other_bit) { __u64 v; ANY(v); v &= 12; KEEP(v); if (v & 3) use(GONE()); return 0; }
PROGRAM(mask_half) { __u32 v; ANY(v); v &= 0x200000; KEEP(v); if (v != 0) use(GONE()); return 0; }
PROGRAM(mask_twice) { __u64 v; ANY(v); v &= 12; KEEP(v); if (v == 4) { KEEP(v); if (v == 8) use(GONE()); } return 0; }
PROGRAM(mask_guarded) { __u64 v; ANY(v); v &= 12; KEEP(v); if (v == 8 && HAS_GONE) use(GONE()); return 0; }
PROGRAM(processor_guarded) { if (bpf_get_smp_processor_id() == 0 && HAS_GONE) use(GONE()); return 0; }

static __noinline int is_before(void *a, void *b) { return a < b; }
PROGRAM(pointers_twice) { __u32 k = 0, l = 1; void *a = LOOK_UP(k), *b = LOOK_UP(l); if (!a || !b || a == b) return 0; KEEP(a); KEEP(b); if (a == b) use(GONE()); return 0; }
PROGRAM(pointers_in_called) { __u32 k = 0, l = 1; void *a = LOOK_UP(k), *b = LOOK_UP(l); if (!a || !b || is_before(a, b)) return 0; if (is_before(b, a)) use(GONE()); return 0; }
PROGRAM(pointers_guarded) { __u32 k = 0, l = 1; void *a = LOOK_UP(k), *b = LOOK_UP(l); if (!a || !b || is_before(a, b)) return 0; if (is_before(b, a) && HAS_GONE) use(GONE()); return 0; }
TC(packet_there) { void *end = (void *)(long)skb->data_end, *at = (void *)(long)skb->data; if (at + 14 > end) return 0; KEEP(at); KEEP(end); if (at + 14 > end) use(GONE()); return 0; }
