// Guards on ways that are neither a branch nor a call of the object's own: tail calls, exceptions, may_goto, long jumps. What the
// verifier says of each is compared with our verdict; no expectation is written here.
#include "guards.bpf.h"

extern void bpf_throw(__u64 cookie) __ksym __weak;

struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 4); __type(key, int); __type(value, long); } array SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_PROG_ARRAY); __uint(max_entries, 4); __uint(key_size, 4); __uint(value_size, 4); } programs SEC(".maps");

// A tail call does not come back where it succeeds, and goes on where it fails: the verifier follows what comes after.
static __noinline int tail_in_static(void *ctx) { bpf_tail_call(ctx, &programs, 1); return HAS_GONE; }
static __noinline int tail_in_static_seven(void *ctx) { bpf_tail_call(ctx, &programs, 1); return 7; }
static __noinline int tail_in_static_one_way(void *ctx, int way) { if (way) bpf_tail_call(ctx, &programs, 1); return 0; }
static __noinline int tail_in_static_sets(void *ctx, int *flag) { *flag = 0; bpf_tail_call(ctx, &programs, 1); *flag = 1; return 0; }
static __noinline int tail_in_static_then(void *ctx) { bpf_tail_call(ctx, &programs, 1); return use(GONE()); }
static __noinline int tail_in_static_then_guarded(void *ctx) { bpf_tail_call(ctx, &programs, 1); if (HAS_GONE) return use(GONE()); return 0; }
static __noinline int tail_deep(void *ctx) { return tail_in_static(ctx); }
static __noinline int says_zero(void *ctx) { bpf_get_prandom_u32(); return 0; }
__noinline int tail_in_global(struct bpf_raw_tracepoint_args *ctx) { bpf_tail_call(ctx, &programs, 1); return HAS_GONE; }
PROGRAM(tail_then) { bpf_tail_call(ctx, &programs, 0); return use(GONE()); }
PROGRAM(tail_then_guarded) { bpf_tail_call(ctx, &programs, 0); if (HAS_GONE) return use(GONE()); return 0; }
PROGRAM(tail_before) { if (HAS_GONE) use(GONE()); bpf_tail_call(ctx, &programs, 0); return 0; }
PROGRAM(tail_guarded) { if (!HAS_GONE) { bpf_tail_call(ctx, &programs, 0); return 0; } return use(GONE()); }
PROGRAM(tail_falls_through) { if (!HAS_GONE) bpf_tail_call(ctx, &programs, 0); return use(GONE()); }
PROGRAM(tail_never) { if (HAS_GONE) { bpf_tail_call(ctx, &programs, 0); use(GONE()); } return 0; }
PROGRAM(tail_random) { bpf_tail_call(ctx, &programs, bpf_get_prandom_u32() & 3); if (HAS_PID) use(GONE()); return 0; }
PROGRAM(tail_keeps_register) { int has = HAS_GONE; asm volatile("" : "+r"(has)); bpf_tail_call(ctx, &programs, 0); if (has) use(GONE()); return 0; }
PROGRAM(tail_keeps_stack) { volatile int has = HAS_GONE; bpf_tail_call(ctx, &programs, 0); if (has) use(GONE()); return 0; }
PROGRAM(tail_chosen) { bpf_tail_call(ctx, &programs, HAS_GONE ? 1 : 2); if (HAS_GONE || HAS_TYPE) use(GONE()); return 0; }
PROGRAM(tail_static_answer) { if (tail_in_static(ctx)) use(GONE()); return 0; }
PROGRAM(tail_static_answer_inverted) { if (!tail_in_static(ctx)) use(GONE()); return 0; }
PROGRAM(tail_static_answer_guarded) { if (tail_in_static(ctx) && HAS_GONE) use(GONE()); return 0; }
PROGRAM(tail_static_seven) { if (tail_in_static_seven(ctx) == 8) use(GONE()); return 0; }
PROGRAM(tail_static_other_way) { if (tail_in_static_one_way(ctx, HAS_GONE)) use(GONE()); return 0; }
PROGRAM(tail_static_this_way) { if (tail_in_static_one_way(ctx, HAS_PID)) use(GONE()); return 0; }
PROGRAM(tail_static_sets) { int flag = 3; tail_in_static_sets(ctx, &flag); if (flag == 0) use(GONE()); return 0; }
PROGRAM(tail_static_sets_other) { int flag = 3; tail_in_static_sets(ctx, &flag); if (flag == 3) use(GONE()); return 0; }
PROGRAM(tail_static_then) { return tail_in_static_then(ctx); }
PROGRAM(tail_static_then_guarded) { return tail_in_static_then_guarded(ctx); }
PROGRAM(tail_static_deep) { if (tail_deep(ctx)) use(GONE()); return 0; }
PROGRAM(tail_static_deep_guarded) { if (tail_deep(ctx) && HAS_GONE) use(GONE()); return 0; }
PROGRAM(tail_beside_static) { if (says_zero(ctx)) use(GONE()); bpf_tail_call(ctx, &programs, 0); return 0; }
PROGRAM(tail_keeps_flag_over_static) { volatile int has = HAS_GONE; tail_in_static(ctx); if (has) use(GONE()); return 0; }
PROGRAM(tail_global_answer) { if (tail_in_global(ctx)) use(GONE()); return 0; }

#define TC(name) SEC("tc") int name(void *ctx)

// bpf_throw ends the program from wherever it is. A program's exception callback is verified by itself.
#define CALLS_BACK(name) __attribute__((btf_decl_tag("exception_callback:" #name)))
static __noinline int throws_unless(int has) { if (!has) bpf_throw(1); return 0; }
static __noinline int throws(void) { bpf_throw(2); return use(GONE()); }
static __noinline int throws_deep(int has) { throws_unless(has); return use(GONE()); }
__noinline int global_throws(int has) { if (!has) bpf_throw(3); return 0; }
__noinline int global_throws_then(int has) { bpf_throw(3); return use(GONE()); }
static int loop_throws(__u32 i, void *ctx) { if (!HAS_GONE) bpf_throw(4); use(GONE()); return 0; }
static int loop_throws_wrong(__u32 i, void *ctx) { if (HAS_GONE) bpf_throw(4); use(GONE()); return 0; }
static int loop_throws_sometimes(__u32 i, int *flag) { if (i == 3) bpf_throw(4); if (*flag) use(GONE()); return 0; }
TC(throw_then) { bpf_throw(0); use(GONE()); return 0; }
TC(throw_unless) { if (!HAS_GONE) bpf_throw(0); return use(GONE()); }
TC(throw_unless_wrong) { if (!HAS_PID) bpf_throw(0); return use(GONE()); }
TC(throw_if_wrong) { if (HAS_GONE) bpf_throw(0); return use(GONE()); }
TC(throw_random) { if (bpf_get_prandom_u32() & 1) bpf_throw(0); return use(GONE()); }
TC(throw_random_guarded) { if (bpf_get_prandom_u32() & 1) bpf_throw(0); if (HAS_GONE) use(GONE()); return 0; }
TC(throw_after) { use(GONE()); bpf_throw(0); return 0; }
TC(throw_static) { throws_unless(HAS_GONE); return use(GONE()); }
TC(throw_static_wrong) { throws_unless(HAS_PID); return use(GONE()); }
TC(throw_static_always) { throws(); return use(GONE()); }
TC(throw_static_deep) { return throws_deep(HAS_GONE); }
TC(throw_static_deep_wrong) { return throws_deep(HAS_PID); }
TC(throw_global) { global_throws(HAS_GONE); return use(GONE()); }
TC(throw_global_guarded) { global_throws(HAS_GONE); if (HAS_GONE) return use(GONE()); return 0; }
TC(throw_global_then) { return global_throws_then(0); }
TC(throw_loop) { bpf_loop(4, loop_throws, 0, 0); return 0; }
TC(throw_loop_wrong) { bpf_loop(4, loop_throws_wrong, 0, 0); return 0; }
TC(throw_loop_then) { bpf_loop(4, loop_throws, 0, 0); return use(GONE()); }
TC(throw_loop_flag) { int flag = HAS_GONE; bpf_loop(4, loop_throws_sometimes, &flag, 0); return 0; }
TC(throw_loop_flag_wrong) { int flag = HAS_PID; bpf_loop(4, loop_throws_sometimes, &flag, 0); return 0; }

// Older loaders load an exception callback only where the program refers to it, in this case where the verifier does not get to.
__noinline int catches_empty(__u64 cookie) { return 0; }
__noinline int catches_guarded(__u64 cookie) { if (HAS_GONE) use(GONE()); return 0; }
__noinline int catches_wrong(__u64 cookie) { if (HAS_PID) use(GONE()); return 0; }
__noinline int catches_unguarded(__u64 cookie) { use(GONE()); return 0; }
__noinline int catches_cookie(__u64 cookie) { if (cookie == 7) use(GONE()); return 0; }
__noinline int catches_cookie_guarded(__u64 cookie) { if (cookie == 7 && HAS_GONE) use(GONE()); return 0; }
static __noinline int catch_helper(int really) { if (really) return use(GONE()); return 0; }
__noinline int catches_calls(__u64 cookie) { return catch_helper(HAS_GONE); }
__noinline int catches_calls_wrong(__u64 cookie) { return catch_helper(HAS_PID); }
#define CATCH(name, callback, body) CALLS_BACK(callback) TC(name) { if (HAS_GONE) asm volatile("" :: "r"(callback)); body; return 0; }
CATCH(catch_no, catches_guarded, bpf_throw(0))
CATCH(catch_yes, catches_unguarded, bpf_throw(0))
CATCH(catch_other_field, catches_wrong, bpf_throw(0))
CATCH(catch_cookie, catches_cookie, bpf_throw(0))
CATCH(catch_cookie_guarded, catches_cookie_guarded, bpf_throw(7))
CATCH(catch_calls, catches_calls, bpf_throw(0))
CATCH(catch_calls_wrong, catches_calls_wrong, bpf_throw(0))
CATCH(catch_never_thrown, catches_unguarded, bpf_get_prandom_u32())
CATCH(catch_never_thrown_guarded, catches_guarded, bpf_get_prandom_u32())
CATCH(catch_throw_never, catches_unguarded, if (HAS_GONE) bpf_throw(0))
CATCH(catch_poison_in_program, catches_empty, use(GONE()); bpf_throw(0))
CATCH(catch_poison_after, catches_empty, bpf_throw(0); use(GONE()))
CATCH(catch_unless, catches_empty, if (!HAS_GONE) bpf_throw(0); use(GONE()))
CATCH(catch_in_static, catches_guarded, throws_unless(HAS_GONE); use(GONE()))

// may_goto: a loop that ends by itself at some turn. The verifier follows both ways and forgets what the turns change.
#define MAY_GOTO(label) asm volatile goto("1: .byte 0xe5; .byte 0; .long ((%l[" #label "] - 1b - 8) / 8) & 0xffff; .short 0" :::: label)
#define CAN_LOOP ({ __label__ over, on; _Bool can_ = 1; MAY_GOTO(over); goto on; over: can_ = 0; on:; can_; })
int zero = 0;
PROGRAM(may_goto_no) { while (CAN_LOOP) { if (HAS_GONE) use(GONE()); bpf_get_prandom_u32(); } return 0; }
PROGRAM(may_goto_yes) { while (CAN_LOOP) { use(GONE()); } return 0; }
PROGRAM(may_goto_wrong) { while (CAN_LOOP) { if (HAS_PID) use(GONE()); } return 0; }
PROGRAM(may_goto_then) { while (CAN_LOOP) bpf_get_prandom_u32(); return use(GONE()); }
PROGRAM(may_goto_then_guarded) { while (CAN_LOOP) bpf_get_prandom_u32(); if (HAS_GONE) return use(GONE()); return 0; }
PROGRAM(may_goto_guarded_loop) { if (HAS_GONE) while (CAN_LOOP) use(GONE()); return 0; }
PROGRAM(may_goto_condition) { while (HAS_GONE && CAN_LOOP) use(GONE()); return 0; }
PROGRAM(may_goto_condition_wrong) { while (HAS_PID && CAN_LOOP) use(GONE()); return 0; }
PROGRAM(may_goto_breaks) { while (CAN_LOOP) { if (!HAS_GONE) break; use(GONE()); } return 0; }
PROGRAM(may_goto_breaks_wrong) { while (CAN_LOOP) { if (HAS_GONE) break; use(GONE()); } return 0; }
PROGRAM(may_goto_counts) { long n = 0; for (long i = zero; i < 1000 && CAN_LOOP; i++) n += bpf_get_prandom_u32() & 1; if (n == 50) use(GONE()); return 0; }
PROGRAM(may_goto_counts_guarded) { long n = 0; for (long i = zero; i < 1000 && CAN_LOOP; i++) n += bpf_get_prandom_u32() & 1; if (n == 50 && HAS_GONE) use(GONE()); return 0; }
PROGRAM(may_goto_keeps_flag) { volatile int has = HAS_GONE; for (long i = zero; i < 1000 && CAN_LOOP; i++) bpf_get_prandom_u32(); if (has) use(GONE()); return 0; }
PROGRAM(may_goto_keeps_register) { int has = HAS_GONE; asm volatile("" : "+r"(has)); while (CAN_LOOP) bpf_get_prandom_u32(); if (has) use(GONE()); return 0; }
PROGRAM(may_goto_nested) { while (CAN_LOOP) while (CAN_LOOP) if (HAS_GONE) use(GONE()); else bpf_get_prandom_u32(); return 0; }
PROGRAM(may_goto_nested_wrong) { while (CAN_LOOP) while (CAN_LOOP) if (HAS_PID) use(GONE()); else bpf_get_prandom_u32(); return 0; }
PROGRAM(may_goto_first_turn) { long i = 0; while (CAN_LOOP) { i++; asm volatile("" : "+r"(i)); } if (i == 0) use(GONE()); return 0; }
PROGRAM(may_goto_later_turn) { long i = 0; while (CAN_LOOP) { i++; asm volatile("" : "+r"(i)); } if (i == 1) use(GONE()); return 0; }
static __noinline int may_goto_static(int has) { while (CAN_LOOP) if (has) use(GONE()); else bpf_get_prandom_u32(); return 0; }
static int loop_may_goto(__u32 i, int *flag) { while (CAN_LOOP) if (*flag) use(GONE()); else bpf_get_prandom_u32(); return 0; }
PROGRAM(may_goto_in_static) { return may_goto_static(HAS_GONE); }
PROGRAM(may_goto_in_static_wrong) { return may_goto_static(HAS_PID); }
PROGRAM(may_goto_in_loop) { int flag = HAS_GONE; bpf_loop(5, loop_may_goto, &flag, 0); return 0; }
PROGRAM(may_goto_in_loop_wrong) { int flag = HAS_PID; bpf_loop(5, loop_may_goto, &flag, 0); return 0; }

// gotol: the jump with 32 bits of distance.
#define LONG_GOTO(label) asm volatile goto("1: .byte 0x06; .byte 0; .short 0; .long (%l[" #label "] - 1b - 8) / 8" :::: label)
#ifndef FAR
#define FAR asm volatile(".rept 33000; r0 = 1; .endr" ::: "r0");
#endif
PROGRAM(long_to) { LONG_GOTO(poison); return 0; poison: return use(GONE()); }
PROGRAM(long_guard) { if (!HAS_GONE) LONG_GOTO(out); use(GONE()); out: return 0; }
PROGRAM(long_guard_wrong) { if (!HAS_PID) LONG_GOTO(out); use(GONE()); out: return 0; }
PROGRAM(long_guard_inverted) { if (HAS_GONE) LONG_GOTO(out); use(GONE()); out: return 0; }
PROGRAM(long_random) { if (bpf_get_prandom_u32() & 1) LONG_GOTO(out); use(GONE()); out: return 0; }
PROGRAM(long_far) { if (!HAS_GONE) LONG_GOTO(out); use(GONE()); FAR out: return 0; }
PROGRAM(long_far_wrong) { if (!HAS_GONE) LONG_GOTO(poison); FAR return 0; poison: return use(GONE()); }
PROGRAM(long_back) { int turn = 0; again: asm volatile("" : "+r"(turn)); if (turn == 3) return HAS_GONE ? use(GONE()) : 0; turn++; LONG_GOTO(again); return 0; }
PROGRAM(long_back_wrong) { int turn = 0; again: asm volatile("" : "+r"(turn)); if (turn == 3) return HAS_PID ? use(GONE()) : 0; turn++; LONG_GOTO(again); return 0; }
PROGRAM(long_back_once) { int turn = 0; again: asm volatile("" : "+r"(turn)); if (turn > 3) return use(GONE()); if (turn == 2) return 0; turn++; LONG_GOTO(again); return 0; }
