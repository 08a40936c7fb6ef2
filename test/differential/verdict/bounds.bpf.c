// Guards that compare a number with limits: lengths, indices, counters. Verifiers of different ages know different ranges of such a
// number, so that the same ways are open to all only where they can happen. What the verifier says of each is compared with our
// verdict; no expectation is written here.
#include "guards.bpf.h"

#define READ(value) bpf_probe_read_kernel((void *)&(value), sizeof(value), (void *)bpf_get_current_task())
#define KEEP(value) asm volatile("" : "+r"(value))
#define RANDOM() bpf_get_prandom_u32()

struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1); __type(key, __u32); __type(value, __u64[4]); } sizes SEC(".maps");
volatile const __u32 limit = 64;
static __u64 *size_of(void) { __u32 key = 0; return bpf_map_lookup_elem(&sizes, &key); }

PROGRAM(length) { __u32 len = RANDOM(); if (len > 64) return 0; return use(GONE()); }
PROGRAM(length_read) { __u32 len; READ(len); if (len > 64 || len < 8) return 0; return use(GONE()); }
PROGRAM(length_long) { __u64 len; READ(len); if (len >= 4096) return 0; if (len < 16) return 0; return use(GONE()); }
PROGRAM(length_signed) { int len; READ(len); if (len <= 0 || len > 255) return 0; return use(GONE()); }
PROGRAM(length_negative) { int len; READ(len); if (len >= 0) return 0; return use(GONE()); }
PROGRAM(length_none) { __u32 len; READ(len); if (len > 64) return 0; if (len > 100) return use(GONE()); return 0; }
PROGRAM(length_none_signed) { __s64 len; READ(len); if (len < 0 || len > 9) return 0; KEEP(len); if (len > 20) return use(GONE()); return 0; }
PROGRAM(length_edge) { __u64 len; READ(len); if (len > 64) return 0; KEEP(len); if (len >= 64) return use(GONE()); return 0; }
PROGRAM(length_between) { __u64 len; READ(len); if (len < 100) return 0; KEEP(len); if (len <= 200) return use(GONE()); return 0; }
PROGRAM(length_exactly) { __u64 len; READ(len); if (len < 100 || len > 200) return 0; KEEP(len); if (len == 150) return use(GONE()); return 0; }
PROGRAM(length_guarded) { __u32 len = RANDOM(); if (len > 64) return 0; if (HAS_GONE) return use(GONE()); return 0; }
PROGRAM(length_of_object) { __u32 len = RANDOM(); if (len > limit) return 0; return use(GONE()); }
PROGRAM(length_of_object_none) { __u32 len = RANDOM(); if (len > limit) return 0; KEEP(len); if (len > 70) return use(GONE()); return 0; }
PROGRAM(length_of_map) { __u64 *size = size_of(); if (!size || size[1] > 7) return 0; return use(GONE()); }
PROGRAM(length_of_map_twice) { __u64 *size = size_of(); if (!size) return 0; if (size[0] < size[1]) return use(GONE()); return 0; }

PROGRAM(index_masked) { __u32 i = RANDOM() & 7; if (i > 3) return use(GONE()); return 0; }
PROGRAM(index_masked_none) { __u32 i = RANDOM() & 7; KEEP(i); if (i > 7) return use(GONE()); return 0; }
PROGRAM(index_shifted) { __u64 i; READ(i); i >>= 60; KEEP(i); if (i > 14) return use(GONE()); return 0; }
PROGRAM(index_shifted_back) { __u64 i; READ(i); i <<= 56; KEEP(i); i >>= 58; KEEP(i); if (i < 63 && i > 61) return use(GONE()); return 0; }
PROGRAM(index_moved) { __u64 i; READ(i); i &= 15; KEEP(i); i += 16; KEEP(i); if (i > 30) return use(GONE()); return 0; }
PROGRAM(index_moved_none) { __u64 i; READ(i); i &= 15; KEEP(i); i += 16; KEEP(i); if (i > 31) return use(GONE()); return 0; }
PROGRAM(index_scaled) { __u64 i; READ(i); i &= 15; KEEP(i); i *= 12; KEEP(i); if (i > 170) return use(GONE()); return 0; }
PROGRAM(index_scaled_between) { __u64 i; READ(i); i &= 15; KEEP(i); i *= 12; KEEP(i); if (i == 13) return use(GONE()); return 0; }
PROGRAM(index_below) { __u64 i; READ(i); i &= 15; KEEP(i); i -= 20; KEEP(i); if ((__s64)i < -19) return use(GONE()); return 0; }
PROGRAM(index_port) { __u16 port; READ(port); if (__builtin_bswap16(port) < 1024) return use(GONE()); return 0; }
PROGRAM(index_word) { __u64 i; READ(i); __u32 low = i; KEEP(low); if (low < 5) { if (i > 5) return use(GONE()); } return 0; }
PROGRAM(index_upper) { __u64 id = bpf_get_current_pid_tgid(); if (id >> 32 < 100) return use(GONE()); return 0; }
PROGRAM(index_both) { __u64 id = bpf_get_current_pid_tgid(); __u32 pid = id, tgid = id >> 32; if (pid > 300 && tgid < 200) return use(GONE()); return 0; }
PROGRAM(index_divided) { __u64 i; READ(i); i /= 10; KEEP(i); if (i < 3) return use(GONE()); return 0; }
PROGRAM(index_modulo) { __u64 i; READ(i); i %= 10; KEEP(i); if (i == 9) return use(GONE()); return 0; }

PROGRAM(two_ordered) { __u64 a, b; READ(a); READ(b); if (a < b) return use(GONE()); return 0; }
PROGRAM(two_ordered_signed) { __s64 a, b; READ(a); READ(b); if (a < b && b < 0) return use(GONE()); return 0; }
PROGRAM(two_bounded) { __u64 a = RANDOM() & 7, b = RANDOM() & 15; KEEP(a); KEEP(b); if (a > b) return use(GONE()); return 0; }
PROGRAM(two_apart) { __u64 a = RANDOM() & 7, b = RANDOM() & 7; KEEP(a); KEEP(b); b += 8; KEEP(b); if (a >= b) return use(GONE()); return 0; }
PROGRAM(two_start_end) { __u32 from, to; READ(from); READ(to); if (from > to || to > 100) return 0; if (to - from > 10) return use(GONE()); return 0; }
PROGRAM(two_of_one) { __u64 a; READ(a); __u64 b = a; KEEP(b); if (a > 10) { if (b < 5) return use(GONE()); } return 0; }
PROGRAM(two_of_one_open) { __u64 a; READ(a); __u64 b = a; KEEP(b); if (a > 10) { if (b < 50) return use(GONE()); } return 0; }

PROGRAM(loop_bounded) { __u32 n = RANDOM() & 7; KEEP(n); for (__u32 i = 0; i < 8; i++) { if (i >= n) break; if (i == 5) return use(GONE()); } return 0; }
PROGRAM(loop_bounded_none) { __u32 n = RANDOM() & 7; KEEP(n); for (__u32 i = 0; i < 8; i++) { KEEP(i); if (i >= n) break; if (i == 9) return use(GONE()); } return 0; }
PROGRAM(loop_limited) { __u64 n; READ(n); if (n > 6) return 0; __u64 sum = 0; for (__u64 i = 0; i < 6; i++) { if (i < n) sum += 2; KEEP(sum); } if (sum > 9) return use(GONE()); return 0; }
PROGRAM(loop_found) { __u8 text[8]; READ(text); int i; for (i = 0; i < 8; i++) { if (text[i] > 'z') break; } KEEP(i); if (i == 3) return use(GONE()); return 0; }

static __noinline int is_within(__u64 value, __u64 end) { return value < end; }
PROGRAM(static_bounded) { __u64 v; READ(v); if (is_within(v, 77)) return use(GONE()); return 0; }
PROGRAM(static_bounded_none) { __u64 v; READ(v); v &= 15; if (is_within(v, 16)) return 0; return use(GONE()); }
__noinline int global_bounded_part(__u32 value) { if (value > 40 && value < 50) return use(GONE()); return 0; }
PROGRAM(global_bounded) { return global_bounded_part(RANDOM()); }
PROGRAM(stack_bounded) { volatile __u64 v = RANDOM(); if (v > 9) return 0; if (v < 5) return use(GONE()); return 0; }
PROGRAM(stack_halves) { volatile __u32 v[2] = { 0, 0 }; v[1] = RANDOM() & 3; v[0] = RANDOM() & 3; if (v[0] > v[1]) return use(GONE()); return 0; }

// Each was a disagreement once. Linux 6.12 forgets what it knew of a number where no number is left, and follows that way.
#define POISON "call 195896080; "
#define ASSEMBLY(name, text) \
	SEC("raw_tp/sched_switch") __attribute__((naked)) int name(void *ctx) { asm volatile(text POISON "r0 = 0; out_%=: r0 = 0; exit" ::: ); }
ASSEMBLY(no_number_left, "call 7; r0 &= 15; w0 <<= 26; if w0 < 2 goto out_%=; if w0 > 255 goto out_%=; if r0 s>= -2 goto out_%=;")
ASSEMBLY(upper_half_of_shift, "call 5; r6 = r0; r9 = 63; w6 >>= w9; if w6 != 63 goto out_%=; if r6 == 63 goto out_%=;")
ASSEMBLY(zeroes_beside, "call 7; r6 = 0; *(u64 *)(r10 - 8) = r6; *(u16 *)(r10 - 2) = r0; r1 = *(u16 *)(r10 - 8); if r1 s< 3 goto out_%=;")
