// Guards in functions that the kernel calls back, and in what comes after: timers, work queues, loops, elements of maps, tasks. What
// the verifier says of each is compared with our verdict; no expectation is written here.
#include "guards.bpf.h"

struct slot { struct bpf_timer timer; int flag; long value; };
struct bpf_wq { __u64 opaque[2]; } __attribute__((aligned(8)));
struct work { struct bpf_wq wq; int flag; };
extern int bpf_wq_init(struct bpf_wq *wq, void *map, unsigned int flags) __ksym __weak;
extern int bpf_wq_start(struct bpf_wq *wq, unsigned int flags) __ksym __weak;
extern int bpf_wq_set_callback_impl(struct bpf_wq *wq, int (*callback)(void *map, int *key, void *value), unsigned int flags, void *aux) __ksym __weak;

struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 4); __type(key, int); __type(value, long); } array SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 4); __type(key, int); __type(value, long); } hash SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY); __uint(max_entries, 4); __type(key, int); __type(value, long); } percpu SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 4); __type(key, int); __type(value, struct slot); } timers SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 4); __type(key, int); __type(value, struct work); } works SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_USER_RINGBUF); __uint(max_entries, 4096); } ring SEC(".maps");

const volatile int turns = 0;
const volatile int many_turns = 1000;

// A timer's callback is verified aside, with arguments of its own; what set it goes on.
#define TIMER(name, before, callback, after) SEC("tc") int name(void *ctx) { \
	int key = 0; struct slot *slot = bpf_map_lookup_elem(&timers, &key); \
	if (!slot) return 0; \
	before; bpf_timer_set_callback(&slot->timer, callback); bpf_timer_start(&slot->timer, 1000, 0); after; return 0; }

static int timer_empty(void *map, int *key, struct slot *slot) { return 0; }
static int timer_guarded(void *map, int *key, struct slot *slot) { if (HAS_GONE) use(GONE()); return 0; }
static int timer_wrong(void *map, int *key, struct slot *slot) { if (HAS_PID) use(GONE()); return 0; }
static int timer_inverted(void *map, int *key, struct slot *slot) { if (!HAS_GONE) use(GONE()); else use(GONE_TOO()); return 0; }
static int timer_unguarded(void *map, int *key, struct slot *slot) { use(GONE()); return 0; }
static int timer_value(void *map, int *key, struct slot *slot) { if (slot->flag) use(GONE()); return 0; }
static int timer_value_guarded(void *map, int *key, struct slot *slot) { if (slot->flag && HAS_GONE) use(GONE()); return 0; }
static int timer_key(void *map, int *key, struct slot *slot) { if (*key == 3) use(GONE()); return 0; }
static int timer_null(void *map, int *key, struct slot *slot) { if (!slot) use(GONE()); return 0; }
static int timer_map_null(void *map, int *key, struct slot *slot) { if (!map) use(GONE()); return 0; }
static int timer_rearms(void *map, int *key, struct slot *slot) {
	if (HAS_GONE) use(GONE());
	bpf_timer_set_callback(&slot->timer, timer_rearms);
	bpf_timer_start(&slot->timer, 1000, 0);
	return 0;
}
static int timer_rearms_wrong(void *map, int *key, struct slot *slot) {
	bpf_timer_set_callback(&slot->timer, timer_rearms_wrong);
	if (slot->flag == 2) use(GONE());
	return 0;
}
static int timer_pong(void *map, int *key, struct slot *slot);
static int timer_ping(void *map, int *key, struct slot *slot) { bpf_timer_set_callback(&slot->timer, timer_pong); if (HAS_GONE) use(GONE()); return 0; }
static int timer_pong(void *map, int *key, struct slot *slot) { bpf_timer_set_callback(&slot->timer, timer_ping); return 0; }
static int timer_chains(void *map, int *key, struct slot *slot) { bpf_timer_set_callback(&slot->timer, timer_unguarded); return 0; }
static int timer_loops(void *map, int *key, struct slot *slot) { for (int i = 0; i < 4; i++) if (HAS_GONE) use(GONE()); else bpf_get_prandom_u32(); return 0; }
static __noinline int timer_helper(int really) { if (really) return GONE(); return 0; }
static int timer_calls(void *map, int *key, struct slot *slot) { timer_helper(HAS_GONE); return 0; }
static int timer_calls_wrong(void *map, int *key, struct slot *slot) { timer_helper(HAS_PID); return 0; }

TIMER(timer_no, , timer_guarded, )
TIMER(timer_yes, , timer_unguarded, )
TIMER(timer_other_field, , timer_wrong, )
TIMER(timer_inverted_yes, , timer_inverted, )
TIMER(timer_flag, , timer_value, )
TIMER(timer_flag_guarded, , timer_value_guarded, )
TIMER(timer_key_yes, , timer_key, )
TIMER(timer_value_is_there, , timer_null, )
TIMER(timer_map_is_there, , timer_map_null, )
TIMER(timer_again, , timer_rearms, )
TIMER(timer_again_wrong, , timer_rearms_wrong, )
TIMER(timer_two, , timer_ping, )
TIMER(timer_chain, , timer_chains, )
TIMER(timer_loop, , timer_loops, )
TIMER(timer_calls_no, , timer_calls, )
TIMER(timer_calls_yes, , timer_calls_wrong, )
TIMER(timer_never, if (!HAS_GONE) return 0, timer_unguarded, )
TIMER(timer_never_wrong, if (!HAS_PID) return 0, timer_unguarded, )
TIMER(timer_random, if (bpf_get_prandom_u32() != 7) return 0, timer_unguarded, )
TIMER(timer_then, , timer_empty, use(GONE()))
TIMER(timer_then_guarded, , timer_empty, if (HAS_GONE) use(GONE()))
TIMER(timer_keeps_flag, volatile int has = HAS_GONE, timer_empty, if (has) use(GONE()))
TIMER(timer_sets_value, slot->flag = 0, timer_value, )


#define WORK(name, before, callback, after) SEC("tc") int name(void *ctx) { \
	int key = 0; struct work *work = bpf_map_lookup_elem(&works, &key); \
	if (!work) return 0; \
	before; bpf_wq_init(&work->wq, &works, 0); bpf_wq_set_callback_impl(&work->wq, callback, 0, 0); bpf_wq_start(&work->wq, 0); after; return 0; }
static int work_empty(void *map, int *key, void *value) { return 0; }
static int work_guarded(void *map, int *key, void *value) { if (HAS_GONE) use(GONE()); return 0; }
static int work_unguarded(void *map, int *key, void *value) { use(GONE()); return 0; }
static int work_flag(void *map, int *key, void *value) { if (((struct work *)value)->flag == 1) use(GONE()); return 0; }
static int work_rearms(void *map, int *key, void *value) {
	struct work *work = value;
	bpf_wq_set_callback_impl(&work->wq, work_rearms, 0, 0);
	if (HAS_GONE) use(GONE());
	return 0;
}
WORK(work_no, , work_guarded, )
WORK(work_yes, , work_unguarded, )
WORK(work_value, , work_flag, )
WORK(work_again, , work_rearms, )
WORK(work_never, if (!HAS_GONE) return 0, work_unguarded, )
WORK(work_then, , work_empty, use(GONE()))
WORK(work_keeps_flag, volatile int has = HAS_GONE, work_empty, if (has) use(GONE()))

// bpf_loop: the number of turns, the index, what the context holds, what ends it early, loops within loops.
struct both { int flag; int count; long sum; };
static int loop_index(__u32 i, void *ctx) { if (i == 3) use(GONE()); return 0; }
static int loop_index_guarded(__u32 i, void *ctx) { if (i == 3 && HAS_GONE) use(GONE()); return 0; }
static int loop_index_far(__u32 i, void *ctx) { if (i > 100) use(GONE()); return 0; }
static int loop_unguarded(__u32 i, void *ctx) { use(GONE()); return 0; }
static int loop_guarded(__u32 i, void *ctx) { if (HAS_GONE) use(GONE()); return 0; }
static int loop_stops(__u32 i, void *ctx) { if (!HAS_GONE) return 1; use(GONE()); return 0; }
static int loop_stops_wrong(__u32 i, void *ctx) { if (HAS_GONE) return 1; use(GONE()); return 0; }
static int loop_counts(__u32 i, int *n) { *n += 1; return 0; }
static int loop_struct(__u32 i, struct both *both) { if (both->flag) use(GONE()); both->count++; return 0; }
static int loop_turns_on(__u32 i, struct both *both) { if (both->flag) use(GONE()); both->flag = HAS_PID; return 0; }
static int loop_turns_off(__u32 i, struct both *both) { if (both->flag) use(GONE()); both->flag = HAS_GONE; return 0; }
static int loop_null(__u32 i, void *ctx) { if (ctx) use(GONE()); return 0; }
static int loop_not_null(__u32 i, void *ctx) { if (!ctx) use(GONE()); return 0; }
static int loop_inner(__u32 i, int *flag) { if (*flag) use(GONE()); return 0; }
static int loop_outer(__u32 i, int *flag) { bpf_loop(3, loop_inner, flag, 0); return 0; }
static int loop_outer_own(__u32 i, void *ctx) { int flag = HAS_GONE; bpf_loop(3, loop_inner, &flag, 0); return 0; }
static int loop_outer_wrong(__u32 i, void *ctx) { int flag = HAS_PID; bpf_loop(3, loop_inner, &flag, 0); return 0; }
static __noinline int loop_helper(int really) { if (really) return GONE(); return 0; }
static int loop_calls(__u32 i, void *ctx) { loop_helper(HAS_GONE); return 0; }
static int loop_calls_index(__u32 i, void *ctx) { loop_helper(i); return 0; }
static __noinline int loops_within(int has) { int flag = has; bpf_loop(4, loop_inner, &flag, 0); return 0; }
__noinline int loop_global(int n) { bpf_loop(n, loop_guarded, 0, 0); return 0; }
__noinline int loop_global_yes(int n) { bpf_loop(n, loop_unguarded, 0, 0); return 0; }

PROGRAM(loop_once) { bpf_loop(1, loop_unguarded, 0, 0); return 0; }
PROGRAM(loop_no_turn) { bpf_loop(0, loop_unguarded, 0, 0); return 0; }
PROGRAM(loop_random_turns) { bpf_loop(bpf_get_prandom_u32(), loop_unguarded, 0, 0); return 0; }
PROGRAM(loop_random_guarded) { bpf_loop(bpf_get_prandom_u32(), loop_guarded, 0, 0); return 0; }
PROGRAM(loop_few_turns) { bpf_loop(bpf_get_prandom_u32() & 3, loop_index_far, 0, 0); return 0; }
PROGRAM(loop_turns_of_guard) { bpf_loop(HAS_GONE, loop_unguarded, 0, 0); return 0; }
PROGRAM(loop_turns_of_wrong_guard) { bpf_loop(HAS_PID, loop_unguarded, 0, 0); return 0; }
PROGRAM(loop_turns_of_product) { bpf_loop(100 * HAS_GONE, loop_unguarded, 0, 0); return 0; }
PROGRAM(loop_frozen_turns) { bpf_loop(turns, loop_unguarded, 0, 0); return 0; }
PROGRAM(loop_frozen_many) { bpf_loop(many_turns, loop_index, 0, 0); return 0; }
PROGRAM(loop_index_yes) { bpf_loop(5, loop_index, 0, 0); return 0; }
PROGRAM(loop_index_no) { bpf_loop(5, loop_index_guarded, 0, 0); return 0; }
PROGRAM(loop_stop_no) { bpf_loop(5, loop_stops, 0, 0); return 0; }
PROGRAM(loop_stop_yes) { bpf_loop(5, loop_stops_wrong, 0, 0); return 0; }
PROGRAM(loop_result) { if (bpf_loop(5, loop_guarded, 0, 0) == 5) use(GONE()); return 0; }
PROGRAM(loop_result_guarded) { if (bpf_loop(5, loop_guarded, 0, 0) == 5 && HAS_GONE) use(GONE()); return 0; }
PROGRAM(loop_result_negative) { if (bpf_loop(5, loop_guarded, 0, 0) < 0 && HAS_GONE) use(GONE_TOO()); return 0; }
PROGRAM(loop_then) { int n = 0; bpf_loop(100, loop_counts, &n, 0); if (n == 50) use(GONE()); return 0; }
PROGRAM(loop_then_guarded) { int n = 0; bpf_loop(100, loop_counts, &n, 0); if (n == 50 && HAS_GONE) use(GONE()); return 0; }
PROGRAM(loop_counted_few) { int n = 0; bpf_loop(2, loop_counts, &n, 0); if (n == 2) use(GONE()); return 0; }
PROGRAM(loop_counted_once) { int n = 0; bpf_loop(1, loop_counts, &n, 0); if (n == 50) use(GONE()); return 0; }
PROGRAM(loop_counted_once_guarded) { int n = 0; bpf_loop(1, loop_counts, &n, 0); if (n == 50 && HAS_GONE) use(GONE()); return 0; }
PROGRAM(loop_counted_no_turn) { int n = 0; bpf_loop(0, loop_counts, &n, 0); if (n == 1) use(GONE()); return 0; }
PROGRAM(loop_counted_never) { int n = 0; bpf_loop(2, loop_counts, &n, 0); if (n < 0) use(GONE()); return 0; }
PROGRAM(loop_keeps_flag) { volatile int has = HAS_GONE; int n = 0; bpf_loop(100, loop_counts, &n, 0); if (has) use(GONE()); return 0; }
PROGRAM(loop_keeps_register) { int has = HAS_GONE; asm volatile("" : "+r"(has)); bpf_loop(100, loop_guarded, 0, 0); if (has) use(GONE()); return 0; }
PROGRAM(loop_struct_no) { struct both both = { .flag = HAS_GONE }; bpf_loop(10, loop_struct, &both, 0); return 0; }
PROGRAM(loop_struct_yes) { struct both both = { .flag = HAS_PID }; bpf_loop(10, loop_struct, &both, 0); return 0; }
PROGRAM(loop_on_later) { struct both both = { 0 }; bpf_loop(10, loop_turns_on, &both, 0); return 0; }
PROGRAM(loop_on_never) { struct both both = { 0 }; bpf_loop(10, loop_turns_off, &both, 0); return 0; }
PROGRAM(loop_on_later_once) { struct both both = { 0 }; bpf_loop(1, loop_turns_on, &both, 0); return 0; }
PROGRAM(loop_context_null) { bpf_loop(10, loop_null, 0, 0); return 0; }
PROGRAM(loop_context_null_wrong) { bpf_loop(10, loop_not_null, 0, 0); return 0; }
PROGRAM(loop_context_there) { int n = 0; bpf_loop(10, loop_not_null, &n, 0); return 0; }
PROGRAM(loop_nested_no) { int flag = HAS_GONE; bpf_loop(4, loop_outer, &flag, 0); return 0; }
PROGRAM(loop_nested_yes) { int flag = HAS_PID; bpf_loop(4, loop_outer, &flag, 0); return 0; }
PROGRAM(loop_nested_own) { bpf_loop(4, loop_outer_own, 0, 0); return 0; }
PROGRAM(loop_nested_own_wrong) { bpf_loop(4, loop_outer_wrong, 0, 0); return 0; }
PROGRAM(loop_calls_no) { bpf_loop(4, loop_calls, 0, 0); return 0; }
PROGRAM(loop_calls_yes) { bpf_loop(4, loop_calls_index, 0, 0); return 0; }
PROGRAM(loop_in_static) { return loops_within(HAS_GONE); }
PROGRAM(loop_in_static_wrong) { return loops_within(HAS_PID); }
PROGRAM(loop_in_global) { return loop_global(3); }
PROGRAM(loop_in_global_wrong) { return loop_global_yes(0); }
PROGRAM(loop_chosen) { void *callback = HAS_GONE ? loop_unguarded : loop_guarded; bpf_loop(4, callback, 0, 0); return 0; }
PROGRAM(loop_chosen_wrong) { void *callback = HAS_PID ? loop_unguarded : loop_guarded; bpf_loop(4, callback, 0, 0); return 0; }
PROGRAM(loop_twice) { bpf_loop(4, loop_guarded, 0, 0); bpf_loop(0, loop_guarded, 0, 0); if (HAS_GONE) bpf_loop(4, loop_unguarded, 0, 0); return 0; }

// bpf_for_each_map_elem: a guard in the callback, in its context, on keys and values, after it.
static int each_guarded(void *map, int *key, long *value, void *ctx) { if (HAS_GONE) *value = GONE(); return 0; }
static int each_unguarded(void *map, int *key, long *value, void *ctx) { *value = GONE(); return 0; }
static int each_key(void *map, int *key, long *value, void *ctx) { if (*key == 1) use(GONE()); return 0; }
static int each_key_guarded(void *map, int *key, long *value, void *ctx) { if (*key == 1 && HAS_GONE) use(GONE()); return 0; }
static int each_value_null(void *map, int *key, long *value, void *ctx) { if (!value) use(GONE()); return 0; }
static int each_key_null(void *map, int *key, long *value, void *ctx) { if (!key) use(GONE()); return 0; }
static int each_map_null(void *map, int *key, long *value, void *ctx) { if (!map) use(GONE()); return 0; }
static int each_flag(void *map, int *key, long *value, int *flag) { if (*flag) use(GONE()); return 0; }
static int each_sets(void *map, int *key, long *value, int *flag) { *flag = 1; return 0; }
static int each_sums(void *map, int *key, long *value, struct both *both) { if (both->flag) both->sum += GONE(); both->sum += *value; both->count++; return 0; }
static int each_stops(void *map, int *key, long *value, int *flag) { *flag = HAS_GONE; return 1; }
static int each_nested(void *map, int *key, long *value, int *flag) { bpf_loop(3, loop_inner, flag, 0); return 0; }
PROGRAM(each_hash_no) { bpf_for_each_map_elem(&hash, each_guarded, 0, 0); return 0; }
PROGRAM(each_hash_yes) { bpf_for_each_map_elem(&hash, each_unguarded, 0, 0); return 0; }
PROGRAM(each_percpu_no) { bpf_for_each_map_elem(&percpu, each_guarded, 0, 0); return 0; }
PROGRAM(each_percpu_yes) { bpf_for_each_map_elem(&percpu, each_unguarded, 0, 0); return 0; }
PROGRAM(each_key_yes) { bpf_for_each_map_elem(&array, each_key, 0, 0); return 0; }
PROGRAM(each_key_no) { bpf_for_each_map_elem(&array, each_key_guarded, 0, 0); return 0; }
PROGRAM(each_value_is_there) { bpf_for_each_map_elem(&hash, each_value_null, 0, 0); return 0; }
PROGRAM(each_key_is_there) { bpf_for_each_map_elem(&hash, each_key_null, 0, 0); return 0; }
PROGRAM(each_map_is_there) { bpf_for_each_map_elem(&hash, each_map_null, 0, 0); return 0; }
PROGRAM(each_context_no) { int flag = HAS_GONE; bpf_for_each_map_elem(&hash, each_flag, &flag, 0); return 0; }
PROGRAM(each_context_yes) { int flag = HAS_PID; bpf_for_each_map_elem(&hash, each_flag, &flag, 0); return 0; }
PROGRAM(each_sets_then) { int flag = 0; bpf_for_each_map_elem(&hash, each_sets, &flag, 0); if (flag) use(GONE()); return 0; }
PROGRAM(each_sets_none) { int flag = 0; bpf_for_each_map_elem(&hash, each_sets, &flag, 0); if (!flag) use(GONE()); return 0; }
PROGRAM(each_sets_other) { int flag = 0; bpf_for_each_map_elem(&hash, each_sets, &flag, 0); if (flag == 2) use(GONE()); return 0; }
PROGRAM(each_stops_then) { int flag = 0; bpf_for_each_map_elem(&hash, each_stops, &flag, 0); if (flag) use(GONE()); return 0; }
PROGRAM(each_struct_no) { struct both both = { .flag = HAS_GONE }; bpf_for_each_map_elem(&array, each_sums, &both, 0); return use(both.sum); }
PROGRAM(each_struct_yes) { struct both both = { .flag = HAS_PID }; bpf_for_each_map_elem(&array, each_sums, &both, 0); return use(both.sum); }
PROGRAM(each_counted) { struct both both = { 0 }; bpf_for_each_map_elem(&array, each_sums, &both, 0); if (both.count == 3) use(GONE()); return 0; }
PROGRAM(each_result) { if (bpf_for_each_map_elem(&hash, each_guarded, 0, 0) == 4) use(GONE()); return 0; }
PROGRAM(each_nested_no) { int flag = HAS_GONE; bpf_for_each_map_elem(&hash, each_nested, &flag, 0); return 0; }
PROGRAM(each_nested_yes) { int flag = HAS_PID; bpf_for_each_map_elem(&hash, each_nested, &flag, 0); return 0; }
PROGRAM(each_never) { if (HAS_GONE) bpf_for_each_map_elem(&hash, each_unguarded, 0, 0); return 0; }
PROGRAM(each_then_guarded) { int has = HAS_GONE; bpf_for_each_map_elem(&hash, each_guarded, 0, 0); if (has) use(GONE()); return 0; }

// bpf_find_vma and bpf_user_ringbuf_drain.
static long vma_guarded(void *task, void *vma, void *ctx) { if (HAS_GONE) use(GONE()); return 0; }
static long vma_unguarded(void *task, void *vma, void *ctx) { use(GONE()); return 0; }
static long vma_flag(void *task, void *vma, int *flag) { if (*flag) use(GONE()); return 0; }
static long vma_null(void *task, void *vma, int *flag) { if (!vma) use(GONE()); return 0; }
#define VMA(name, has, callback) PROGRAM(name) { int flag = has; bpf_find_vma((void *)bpf_get_current_task_btf(), 0, callback, &flag, 0); return 0; }
VMA(vma_no, 0, vma_guarded)
VMA(vma_yes, 0, vma_unguarded)
VMA(vma_context_no, HAS_GONE, vma_flag)
VMA(vma_context_yes, HAS_PID, vma_flag)
VMA(vma_is_there, 0, vma_null)

static long drain_guarded(void *dynptr, void *ctx) { if (HAS_GONE) use(GONE()); return 0; }
static long drain_unguarded(void *dynptr, void *ctx) { use(GONE()); return 0; }
static long drain_flag(void *dynptr, int *flag) { if (*flag) use(GONE()); *flag = HAS_GONE; return 0; }
#define DRAIN(name, has, callback) PROGRAM(name) { int flag = has; bpf_user_ringbuf_drain(&ring, callback, &flag, 0); return 0; }
DRAIN(drain_no, 0, drain_guarded)
DRAIN(drain_yes, 0, drain_unguarded)
DRAIN(drain_context_no, HAS_GONE, drain_flag)
DRAIN(drain_context_yes, HAS_PID, drain_flag)
